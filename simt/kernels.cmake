# minception_simt_kernels(TARGET SOURCE...): compiles .cu files of the target with the host compiler, for the executor, or
# with nvcc if MINCEPTION_CUDA is NVCC. MINCEPTION_CUDA and MINCEPTION_SIMT_CHECKER must be those of the build of Minception.
function(minception_simt_kernels target)
  target_link_libraries(${target} PRIVATE minception::simt)
  if(MINCEPTION_CUDA STREQUAL "NVCC")
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:-std=c++20;--expt-relaxed-constexpr>)
    return()
  endif()
  # Debug builds use -O0, for stepping through kernels.
  set(options -xc++ $<IF:$<CONFIG:Debug>,-O0,-O2> -g -fno-strict-aliasing -Wno-unknown-pragmas -Wno-conversion)
  if(MINCEPTION_NATIVE)
    list(APPEND options -march=native)
  endif()
  if(MINCEPTION_SIMT_CHECKER)
    # Every access calls the checker, which replaces the ThreadSanitizer runtime (not linked). Without the -fno-tree
    # options, the compiler splits vector accesses into accesses to their elements.
    list(APPEND options -fsanitize=thread -fno-tree-vectorize -fno-tree-sra)
  endif()
  set_source_files_properties(${ARGN} TARGET_DIRECTORY ${target} PROPERTIES LANGUAGE CXX COMPILE_OPTIONS "${options}")
  if(MINCEPTION_PTX)
    minception_ptx(${target} ${ARGN})
  endif()
endfunction()
