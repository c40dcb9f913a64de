# Builds simt/ with the headers of core/ alone, outside of the project, runs its example, and runs it again with a barrier
# removed.
#
#   cmake -D SOURCE=... -D GENERATOR=... -D COMPILER=... -P standalone.cmake
execute_process(COMMAND mktemp -d OUTPUT_VARIABLE FOLDER OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)

function(stop)
  file(REMOVE_RECURSE ${FOLDER})
  message(FATAL_ERROR ${ARGN})
endfunction()

function(build_and_run)
  execute_process(COMMAND ${CMAKE_COMMAND} --build ${FOLDER}/build --parallel 2 RESULT_VARIABLE status
                  OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    stop("building failed: ${output}")
  endif()
  execute_process(COMMAND ${FOLDER}/build/hello_kernel RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  set(status ${status} PARENT_SCOPE)
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(COPY ${SOURCE}/simt DESTINATION ${FOLDER})
foreach(header error.h host_device.h host_memory.h random.h)
  file(COPY ${SOURCE}/core/${header} DESTINATION ${FOLDER}/core)
endforeach()
execute_process(COMMAND ${CMAKE_COMMAND} -S ${FOLDER}/simt -B ${FOLDER}/build -G ${GENERATOR} -DCMAKE_CXX_COMPILER=${COMPILER}
                RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(NOT status EQUAL 0)
  stop("configuring failed: ${output}")
endif()
build_and_run()
if(NOT status EQUAL 0 OR NOT output STREQUAL "block 0: 8128\nblock 1: 24512\nblock 2: 40896\nblock 3: 57280\n")
  stop("hello_kernel ended with ${status}: ${output}")
endif()

execute_process(COMMAND ${FOLDER}/build/run_ptx ${FOLDER}/simt/examples/scale.ptx scale 2 64 f32=0.5 f32[100] f32[100] u32=100
                        --trace 1,3
                RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE trace)
if(NOT status EQUAL 0 OR NOT output MATCHES "f32\\[100\\]: 0 0.5 1 1.5 2 2.5 3 3.5 ...\n$"
   OR NOT trace MATCHES "mul.f32 %f3, %f1, %f2; +%f3=33.5 <- %f1=67, %f2=0.5\n")
  stop("run_ptx ended with ${status}: ${output}${trace}")
endif()

foreach(mistake "scale;-1;32" "scale;1;0" "scale;1;2000" "scale;4294967297;1" "scale;1" "scale;1;x" "other;1;1" "scale;1;1;f32[abc]"
                "scale;1;1;f32[-1]" "scale;1;1;u32=-5" "scale;1;1;u32=99999999999" "scale;1;1;f32=x" "scale;1;1;number"
                "scale;1;1;--trace" "scale;1;1;u32=1")
  execute_process(COMMAND ${FOLDER}/build/run_ptx ${FOLDER}/simt/examples/scale.ptx ${mistake}
                  RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE error)
  if(NOT status EQUAL 1 OR NOT output STREQUAL "" OR NOT error MATCHES "^run_ptx: [^\n]+\n$")
    stop("run_ptx ${mistake} ended with ${status}: ${output}${error}")
  endif()
endforeach()

set(example ${FOLDER}/simt/examples/hello_kernel.cu)
file(READ ${example} text)
string(REPLACE "    __syncthreads();\n" "" broken "${text}")
file(WRITE ${example} "${broken}")
build_and_run()
if(NOT status EQUAL 1 OR NOT output MATCHES "^hello_kernel: the kernel block_sums, block .*: race in shared memory variable partial")
  stop("without a barrier hello_kernel ended with ${status}: ${output}")
endif()
file(REMOVE_RECURSE ${FOLDER})
