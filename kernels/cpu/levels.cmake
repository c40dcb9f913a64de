# Compiles the kernels again for x86-64-v3 and x86-64-v4; level.cpp selects one at run time.
#
# Objects for different processors must not share symbols: the linker keeps one of several equal inline functions and
# template instances, and code for AVX-512 would run on the baseline. So the objects of a level are linked into one in
# which every symbol except the function that makes the backend is local.
execute_process(COMMAND ${CMAKE_LINKER} --help OUTPUT_VARIABLE linker_help ERROR_QUIET)
if(NOT linker_help MATCHES "--force-group-allocation" OR NOT CMAKE_OBJCOPY)
  message(STATUS "${CMAKE_LINKER} is not GNU ld: the cpu kernels are built for the x86-64 baseline only")
  return()
endif()

set(level_sources ${CPU_SOURCES})
list(REMOVE_ITEM level_sources level.cpp onednn.cpp)
foreach(level v3 v4)
  set(library minception_cpu_${level})
  set(factory minception_make_cpu_backend_${level})
  add_library(${library} OBJECT ${level_sources})
  target_link_libraries(${library} PRIVATE minception_core minception_build_flags OpenMP::OpenMP_CXX)
  target_compile_options(${library} PRIVATE ${CPU_OPTIONS} -march=x86-64-${level} -fno-lto
                                            $<$<CXX_COMPILER_ID:GNU>:-fno-gnu-unique>)
  target_compile_definitions(${library} PRIVATE MINCEPTION_CPU_LEVEL="${level}" MINCEPTION_CPU_FACTORY=${factory})
  if(BUILD_SHARED_LIBS)
    set_target_properties(${library} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  endif()

  # --force-group-allocation: groups of inline functions become ordinary sections, which the final link keeps.
  set(object ${CMAKE_CURRENT_BINARY_DIR}/${library}${CMAKE_CXX_OUTPUT_EXTENSION})
  add_custom_command(
    OUTPUT ${object}
    COMMAND ${CMAKE_LINKER} -r --force-group-allocation -o ${object} $<TARGET_OBJECTS:${library}>
    COMMAND ${CMAKE_OBJCOPY} --keep-global-symbol=${factory} ${object}
    DEPENDS $<TARGET_OBJECTS:${library}> ${library}
    COMMENT "Linking the cpu kernels for x86-64-${level}"
    COMMAND_EXPAND_LISTS VERBATIM)
  add_custom_target(${library}_object DEPENDS ${object})
  add_dependencies(minception_kernels ${library}_object)
  set_source_files_properties(${object} TARGET_DIRECTORY minception_kernels
                              PROPERTIES GENERATED ON EXTERNAL_OBJECT ON)
  target_sources(minception_kernels PRIVATE ${object})
endforeach()
set_property(SOURCE level.cpp TARGET_DIRECTORY minception_kernels
             APPEND PROPERTY COMPILE_DEFINITIONS MINCEPTION_CPU_LEVELS)
