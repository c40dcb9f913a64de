# Installs a build into a folder of its own, then builds and runs a project outside the tree that finds it there.
#
#   cmake -D BUILD=... -D CONFIG=... -D GENERATOR=... -D COMPILER=... -D CXX_FLAGS=... -D ONEDNN=... -P run.cmake
#
# BUILD is the build tree; the project is configured with the GENERATOR, the COMPILER, its CXX_FLAGS and the folder of
# oneDNN's package that the build was made with.

function(stop)
  file(REMOVE_RECURSE ${FOLDER})
  message(FATAL_ERROR ${ARGN})
endfunction()

# run(WHAT COMMAND...): what the command prints is in OUTPUT.
function(run what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    list(JOIN ARGN " " command)
    message(NOTICE "${output}")  # as it is: an error message would be wrapped
    stop("${what} failed (${status}): ${command}")
  endif()
  set(OUTPUT "${output}" PARENT_SCOPE)
endfunction()

execute_process(COMMAND mktemp -d OUTPUT_VARIABLE FOLDER OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
set(PREFIX ${FOLDER}/installed)
run("installing" ${CMAKE_COMMAND} --install ${BUILD} --config ${CONFIG} --prefix ${FOLDER}/before)
# An installed library can be moved.
file(RENAME ${FOLDER}/before ${PREFIX})

file(GLOB_RECURSE package ${PREFIX}/*.cmake)
if(NOT package)
  stop("no CMake package is installed")
endif()
foreach(file ${package})
  file(READ ${file} text)
  foreach(word ${BUILD} ${FOLDER} minception_build_flags -Wall)
    string(FIND "${text}" "${word}" place)
    if(NOT place EQUAL -1)
      stop("${file} mentions ${word}, which nobody else has")
    endif()
  endforeach()
endforeach()

cmake_host_system_information(RESULT cores QUERY NUMBER_OF_LOGICAL_CORES)
file(COPY ${CMAKE_CURRENT_LIST_DIR}/ DESTINATION ${FOLDER}/project)
run("configuring the project" ${CMAKE_COMMAND} -S ${FOLDER}/project -B ${FOLDER}/build -G ${GENERATOR}
    -DCMAKE_BUILD_TYPE=${CONFIG} -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_CXX_FLAGS=${CXX_FLAGS}
    -Ddnnl_DIR=${ONEDNN} -DCMAKE_PREFIX_PATH=${PREFIX})
run("building the project" ${CMAKE_COMMAND} --build ${FOLDER}/build --config ${CONFIG} --parallel ${cores})
run("using one operation" ${FOLDER}/build/operations)
run("training" ${FOLDER}/build/consumer ${FOLDER}/events)
message(STATUS "${OUTPUT}")

file(GLOB programs ${PREFIX}/bin/*)
foreach(program ${programs})
  cmake_path(GET program FILENAME name)
  if(NOT name MATCHES "^minception-")
    stop("bin/${name} is installed under a name that others may have, too")
  endif()
  run("asking ${name} for help" ${program} --help)
endforeach()
file(REMOVE_RECURSE ${FOLDER})
