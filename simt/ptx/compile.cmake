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
