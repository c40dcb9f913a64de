# Installs a build into its own folder, then builds and runs a project outside the tree that uses the installation.
#
#   cmake -D BUILD=... -D CONFIG=... -D GENERATOR=... -D COMPILER=... -D CXX_FLAGS=... -D ONEDNN=... -D SHARED=... -P run.cmake
#
# BUILD is the build tree. The project is configured with the GENERATOR, COMPILER, CXX_FLAGS and oneDNN package folder
# of that build. With SHARED=ON the project finds no package of others: users of the shared library need none.

function(stop)
  file(REMOVE_RECURSE ${FOLDER})
  message(FATAL_ERROR ${ARGN})
endfunction()

# run(WHAT COMMAND...): runs COMMAND and sets OUTPUT to its output.
function(run what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    list(JOIN ARGN " " command)
    message(NOTICE "${output}")  # not through FATAL_ERROR, which would wrap it
    stop("${what} failed (${status}): ${command}")
  endif()
  set(OUTPUT "${output}" PARENT_SCOPE)
endfunction()

execute_process(COMMAND mktemp -d OUTPUT_VARIABLE FOLDER OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
set(PREFIX ${FOLDER}/installed)
run("installing" ${CMAKE_COMMAND} --install ${BUILD} --config ${CONFIG} --prefix ${FOLDER}/before)
# Moves the installation, to check that it is relocatable.
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
file(COPY ${CMAKE_CURRENT_LIST_DIR}/../../examples DESTINATION ${FOLDER}/project)
set(packages -Ddnnl_DIR=${ONEDNN})
if(SHARED)
  set(packages)
  foreach(package dnnl OpenMP ZLIB PNG JPEG TIFF GIF WebP nlohmann_json Threads)
    list(APPEND packages -DCMAKE_DISABLE_FIND_PACKAGE_${package}=ON)
  endforeach()
endif()
run("configuring the project" ${CMAKE_COMMAND} -S ${FOLDER}/project -B ${FOLDER}/build -G ${GENERATOR}
    -DCMAKE_BUILD_TYPE=${CONFIG} -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_CXX_FLAGS=${CXX_FLAGS}
    ${packages} -DCMAKE_PREFIX_PATH=${PREFIX})
run("building the project" ${CMAKE_COMMAND} --build ${FOLDER}/build --config ${CONFIG} --parallel ${cores})
# expect(PATTERN): fails unless OUTPUT matches.
function(expect pattern)
  if(NOT OUTPUT MATCHES "${pattern}")
    stop("'${OUTPUT}' does not match '${pattern}'")
  endif()
endfunction()

run("single_operation" ${FOLDER}/build/examples/single_operation)
expect("^relu: 0 2 0 4\n$")
run("custom_network" ${FOLDER}/build/examples/custom_network ${FOLDER}/events)
expect("loss 1[.][0-9]+ after one step, 0[.][0-9]+ after 100")
message(STATUS "${OUTPUT}")

# C programs without CMake.
find_program(PKG_CONFIG pkg-config)
if(PKG_CONFIG)
  file(GLOB_RECURSE module ${PREFIX}/minception.pc)
  cmake_path(GET module PARENT_PATH folder)
  set(ENV{PKG_CONFIG_PATH} ${folder}:$ENV{PKG_CONFIG_PATH})
  set(static --static)
  if(SHARED)
    set(static)
  endif()
  run("pkg-config" ${PKG_CONFIG} --cflags --libs ${static} minception)
  separate_arguments(flags UNIX_COMMAND "${OUTPUT}")
  run("compiling by pkg-config" cc ${CXX_FLAGS} ${FOLDER}/project/examples/classify.c ${flags} -Wl,-rpath,${folder}/..
      -o ${FOLDER}/classify)
  run("classify" sh -c "${FOLDER}/classify absent.safetensors image.png || true")
  expect("^classify: absent[.]safetensors: ")
endif()

# The example computes the same as `train`. With 130 images, in batches of 128 and 2, this includes the image order.
set(DATA /usr/share/datasets/fashion-mnist)
if(EXISTS ${DATA} AND EXISTS ${PREFIX}/bin/minception-train AND ONEDNN)
  run("googlenet_fashion_mnist" ${FOLDER}/build/examples/googlenet_fashion_mnist 1 ${DATA} 130)
  set(number "[0-9]+[.][0-9]+")
  expect("^5977530 parameters\nepoch 1: train loss (${number}), test loss (${number}), test accuracy (${number})\n$")
  string(REGEX MATCHALL "${number}" by_example "${OUTPUT}")
  run("train" ${PREFIX}/bin/minception-train --model googlenet --device cpu --data-dir ${DATA} --epochs 1 --limit-train 130
      --limit-test 130 --out ${FOLDER}/run)
  string(REGEX MATCH "epoch 1/1  train loss (${number}) accuracy ${number}  test loss (${number}) accuracy (${number})" line
         "${OUTPUT}")
  set(by_train ${CMAKE_MATCH_1} ${CMAKE_MATCH_2} ${CMAKE_MATCH_3})
  if(NOT by_example STREQUAL by_train)
    stop("googlenet_fashion_mnist says ${by_example}, train ${by_train}")
  endif()
endif()

file(GLOB programs ${PREFIX}/bin/*)
foreach(program ${programs})
  cmake_path(GET program FILENAME name)
  if(NOT name MATCHES "^minception-")
    stop("bin/${name} is installed under a name that others may have, too")
  endif()
  run("asking ${name} for help" ${program} --help)
endforeach()
file(REMOVE_RECURSE ${FOLDER})
