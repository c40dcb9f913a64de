# libminception.so: one shared library from all floors, for BUILD_SHARED_LIBS=ON. Included after the floors.
#
# The floors stay static libraries, so that a call upwards still fails to link. Consumers link minception::minception, or
# under another name minception::core ... minception::training.

set(SHARED_FLOORS core kernels layers data models training exchange c_api)
if(TARGET minception_simt)  # nvcc: only the launch of kernels
  list(APPEND SHARED_FLOORS simt)
endif()
if(PROJECT_VERSION_MAJOR EQUAL 0)  # a minor version may break the ABI before 1.0.0
  set(SHARED_VERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
else()
  set(SHARED_VERSION ${PROJECT_VERSION_MAJOR})
endif()

set(archives)
foreach(floor ${SHARED_FLOORS})
  set_target_properties(minception_${floor} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  # Calls inside the library are not interposable, so the compiler may inline them.
  target_compile_options(minception_${floor} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-semantic-interposition>)
  list(APPEND archives $<TARGET_FILE:minception_${floor}>)
endforeach()

# Exports the C++ API and the C API, and hides everything else.
set(EXPORTS ${PROJECT_BINARY_DIR}/exports.map)
add_custom_command(
  OUTPUT ${EXPORTS}
  COMMAND ${CMAKE_COMMAND} -D NM=${CMAKE_NM} -D VERSION=${SHARED_VERSION} -D OUT=${EXPORTS} "-DARCHIVES=${archives}" -P
          ${CMAKE_CURRENT_LIST_DIR}/exports.cmake
  DEPENDS ${archives} ${CMAKE_CURRENT_LIST_DIR}/exports.cmake
  COMMENT "Listing the exported symbols"
  VERBATIM)
add_custom_target(minception_exports DEPENDS ${EXPORTS})

# Relative to bin/, both in the build tree and in an installation.
set(CMAKE_INSTALL_RPATH $ORIGIN/../${CMAKE_INSTALL_LIBDIR})
set(CMAKE_BUILD_WITH_INSTALL_RPATH ON)
file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/empty.cpp CONTENT "")  # CMake needs one source
add_library(minception SHARED ${PROJECT_BINARY_DIR}/empty.cpp)
add_library(minception::minception ALIAS minception)
add_dependencies(minception minception_exports)
target_include_directories(minception PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
                                             $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(minception PUBLIC cxx_std_20)
# The targets after the archives add the libraries of others; all code of the floors is linked by then.
list(JOIN archives "," whole)
target_link_libraries(minception PRIVATE "-Wl,--whole-archive,${whole},--no-whole-archive" minception_training
                                         minception_exchange minception_c_api minception_build_flags)
target_link_options(minception PRIVATE LINKER:--version-script=${EXPORTS})
set_target_properties(minception PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${SHARED_VERSION} LINKER_LANGUAGE CXX
                                            LINK_DEPENDS "${EXPORTS};${archives}" INSTALL_RPATH ""
                                            LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/${CMAKE_INSTALL_LIBDIR})

foreach(floor core kernels layers data models training exchange c_api)
  add_library(minception_shared_${floor} INTERFACE)
  add_library(minception::${floor} ALIAS minception_shared_${floor})
  target_link_libraries(minception_shared_${floor} INTERFACE minception)
  set_target_properties(minception_shared_${floor} PROPERTIES EXPORT_NAME ${floor})
endforeach()
