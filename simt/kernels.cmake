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

# minception_ptx(TARGET SOURCE...): compiles .cu files to PTX, which simt/ptx executes (MINCEPTION_CUDA=PTX).
function(minception_ptx target)
  set(definitions $<TARGET_PROPERTY:${target},COMPILE_DEFINITIONS>)
  foreach(source ${ARGN})
    set(ptx ${PROJECT_BINARY_DIR}/ptx/${target}/${source}.ptx)
    get_filename_component(folder ${ptx} DIRECTORY)
    add_custom_command(
      OUTPUT ${ptx}
      COMMAND ${CMAKE_COMMAND} -E make_directory ${folder}
      # The code that NVCC builds execute: the options are those of minception_build_flags for CUDA.
      COMMAND ${MINCEPTION_NVCC} -std=c++20 -O3 --expt-relaxed-constexpr --extended-lambda -diag-suppress=554 -lineinfo
              -arch=compute_${MINCEPTION_PTX_ARCHITECTURE} -I${PROJECT_SOURCE_DIR}
              "$<$<BOOL:${definitions}>:-D$<JOIN:${definitions},;-D>>" -MD -MF ${ptx}.d -MT ${ptx} -ptx -o ${ptx}
              ${CMAKE_CURRENT_SOURCE_DIR}/${source}
      DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${source}
      DEPFILE ${ptx}.d
      COMMENT "Compiling ${source} to PTX"
      COMMAND_EXPAND_LISTS VERBATIM)
    list(APPEND files ${ptx})
  endforeach()
  add_custom_target(${target}_ptx DEPENDS ${files})
  add_dependencies(${target} ${target}_ptx)
endfunction()
