# Installs a build into its own folder, then builds and runs a project outside the tree that uses the installation.
#
#   cmake -D BUILD=... -D CONFIG=... -D GENERATOR=... -D COMPILER=... -D CXX_FLAGS=... -D ONEDNN=... -P run.cmake
#
# BUILD is the build tree. The project is configured with the GENERATOR, COMPILER, CXX_FLAGS and oneDNN package folder
# of that build.

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
run("configuring the project" ${CMAKE_COMMAND} -S ${FOLDER}/project -B ${FOLDER}/build -G ${GENERATOR}
    -DCMAKE_BUILD_TYPE=${CONFIG} -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_CXX_FLAGS=${CXX_FLAGS}
    -Ddnnl_DIR=${ONEDNN} -DCMAKE_PREFIX_PATH=${PREFIX})
run("building the project" ${CMAKE_COMMAND} --build ${FOLDER}/build --config ${CONFIG} --parallel ${cores})
# expect(PATTERN): fails unless OUTPUT matches.
function(expect pattern)
  if(NOT OUTPUT MATCHES "${pattern}")
    stop("'${OUTPUT}' does not match '${pattern}'")
  endif()
endfunction()

run("single_operation" ${FOLDER}/build/examples/single_operation)
expect("^relu: 0 2 0 4\n$")
run("custom_layer" ${FOLDER}/build/examples/custom_layer)
expect("^layer: gradients: 24 values of 1 tensors checked, 0 skipped at kinks, all agree\nmodel: .*, all agree\n$")
foreach(mistake --forget-mask --swap-factors)
  execute_process(COMMAND ${FOLDER}/build/examples/custom_layer ${mistake} RESULT_VARIABLE status OUTPUT_VARIABLE OUTPUT)
  if(NOT status EQUAL 1)
    stop("custom_layer ${mistake} ended with ${status}")
  endif()
  expect("\n  x: [0-9]+ of 24 are wrong\n    x.[0-9,]+.: analytic [^ ]+, numeric [^ ]+\n.*\n  conv.weight: [0-9]+ of")
endforeach()
file(STRINGS ${BUILD}/CMakeCache.txt cuda REGEX "^MINCEPTION_CUDA:")
if(cuda MATCHES "=EMULATED$")
  run("custom_kernel" ${FOLDER}/build/examples/custom_kernel)
  expect("^reference: -0.2384 -0.1888 0.3112 1.7616\ncuda: -0.2384 -0.1888 0.3112 1.7616\n$")
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

set(picture_number 0)
# A network that the library does not know: the installed tools continue its training and predict with its weights.
if(EXISTS ${DATA} AND EXISTS ${PREFIX}/bin/minception-train)
  run("export_images" ${PREFIX}/bin/minception-export-images --data-dir ${DATA} --count 60 --out ${FOLDER}/pictures)
  file(GLOB pictures ${FOLDER}/pictures/*.png)
  foreach(picture ${pictures})
    string(REGEX REPLACE ".*/[0-9]+_(.*)[.]png" "\\1" class ${picture})
    file(MAKE_DIRECTORY ${FOLDER}/pictures/${class})
    file(RENAME ${picture} ${FOLDER}/pictures/${class}/${class}_${picture_number}.png)
    math(EXPR picture_number "${picture_number} + 1")
  endforeach()
  file(GLOB one ${FOLDER}/pictures/Trouser/*.png)
  list(GET one 0 one)
  run("custom_net" ${FOLDER}/build/examples/custom_net ${FOLDER}/pictures ${FOLDER}/own ${one})
  expect("epoch 10/10 .*holds model.safetensors.*Trouser_[0-9]+.png: [A-Za-z-]+, probability 0[.][0-9]+\n$")
  string(REGEX MATCH "png: ([A-Za-z-]+), probability" line "${OUTPUT}")
  set(class ${CMAKE_MATCH_1})
  run("predict" ${PREFIX}/bin/minception-predict --weights ${FOLDER}/own/model.safetensors ${one})
  expect("${class}")
  run("evaluate" ${PREFIX}/bin/minception-evaluate --weights ${FOLDER}/own/model.safetensors
      --data folder:${FOLDER}/pictures --split validation)
  expect("pets_net on the validation images")
  run("train --resume" ${PREFIX}/bin/minception-train --resume ${FOLDER}/own --epochs 11)
  expect("resuming after step [0-9]+ of [0-9]+.*epoch 11/11")
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
