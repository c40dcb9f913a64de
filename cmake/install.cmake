# What `cmake --install` puts where, and the package that find_package(minception) finds there. Included last by the top
# CMakeLists.txt.
#
#   include/minception/<floor>/*.h     the public headers
#   lib/libminception_<floor>.a        a static library per floor
#   lib/cmake/minception/              minception::core ... minception::training, and minception::minception for all
#   bin/minception-<program>           the programs: their own names are too general for a place that others share
#
# An installed library can be moved as a whole. It runs on processors like the one that it was built on, unless it was
# built with -DMINCEPTION_NATIVE=OFF.
include(CMakePackageConfigHelpers)

set(PACKAGE_FOLDER ${CMAKE_INSTALL_LIBDIR}/cmake/minception)
set(FLOORS core kernels layers data models training)
# What several files of one folder share among themselves.
set(PRIVATE_HEADERS data/byte_stream.h data/image_formats.h data/mnist_family.h data/pickle.h data/tar.h)

# ---- which package has each library that ours need -------------------------------------------------------------------
set(PACKAGE_OF_nlohmann_json::nlohmann_json "nlohmann_json 3.10")
set(PACKAGE_OF_ZLIB::ZLIB "ZLIB")
set(PACKAGE_OF_OpenMP::OpenMP_CXX "OpenMP COMPONENTS CXX")
set(PACKAGE_OF_Threads::Threads "Threads")
set(PACKAGE_OF_DNNL::dnnl "dnnl CONFIG")
set(PACKAGE_OF_PNG::PNG "PNG")
set(PACKAGE_OF_JPEG::JPEG "JPEG")
set(PACKAGE_OF_TIFF::TIFF "TIFF")
set(PACKAGE_OF_GIF::GIF "GIF")
set(PACKAGE_OF_WebP::WebP "WebP")
set(PACKAGE_OF_CUDA::cudart_static "CUDAToolkit")
set(PACKAGE_OF_Boost::context "Boost 1.71 COMPONENTS context")

# Static libraries leave linking to the project that uses them: it has to find what this build linked, and no more.
set(PACKAGES)
foreach(floor ${FLOORS})
  get_target_property(libraries minception_${floor} LINK_LIBRARIES)
  foreach(library ${libraries})
    # CMake marks what came from a subdirectory by entries of the form ::@(...).
    if(library MATCHES "^(minception_.*|::@.*|\\$<BUILD_INTERFACE:.*)$")
      continue()
    endif()
    if(NOT DEFINED PACKAGE_OF_${library})
      message(FATAL_ERROR "minception_${floor} links ${library}: tell cmake/install.cmake which package has it")
    endif()
    list(APPEND PACKAGES "${PACKAGE_OF_${library}}")
  endforeach()
endforeach()
list(REMOVE_DUPLICATES PACKAGES)
list(TRANSFORM PACKAGES REPLACE "(.+)" "find_dependency(\\1)")
list(JOIN PACKAGES "\n" FIND_DEPENDENCIES)

# ---- headers and libraries -------------------------------------------------------------------------------------------
add_library(minception INTERFACE)
add_library(minception::minception ALIAS minception)
foreach(floor ${FLOORS})
  target_link_libraries(minception INTERFACE minception_${floor})
  set_target_properties(minception_${floor} PROPERTIES EXPORT_NAME ${floor})
  install(TARGETS minception_${floor} EXPORT minception ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
  # A folder's own headers only: those of the backends are private.
  file(GLOB headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${floor}/*.h)
  foreach(header ${PRIVATE_HEADERS})
    list(REMOVE_ITEM headers ${PROJECT_SOURCE_DIR}/${header})
  endforeach()
  install(FILES ${headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/minception/${floor} COMPONENT library)
endforeach()
install(TARGETS minception EXPORT minception COMPONENT library)

install(EXPORT minception NAMESPACE minception:: FILE minceptionTargets.cmake DESTINATION ${PACKAGE_FOLDER}
        COMPONENT library)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/minceptionConfig.cmake.in
                              ${PROJECT_BINARY_DIR}/cmake/minceptionConfig.cmake
                              INSTALL_DESTINATION ${PACKAGE_FOLDER} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cmake/minceptionConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/cmake/minceptionConfig.cmake
              ${PROJECT_BINARY_DIR}/cmake/minceptionConfigVersion.cmake
              ${CMAKE_CURRENT_LIST_DIR}/FindWebP.cmake
        DESTINATION ${PACKAGE_FOLDER} COMPONENT library)

# ---- programs --------------------------------------------------------------------------------------------------------
if(TARGET minception_program)
  get_property(programs DIRECTORY ${PROJECT_SOURCE_DIR}/examples PROPERTY BUILDSYSTEM_TARGETS)
  # Tutorials are to be read.
  list(FILTER programs EXCLUDE REGEX "^minception_|_tutorial$")
  foreach(program ${programs})
    string(REPLACE "_" "-" name minception-${program})
    install(PROGRAMS $<TARGET_FILE:${program}> DESTINATION ${CMAKE_INSTALL_BINDIR} RENAME ${name} COMPONENT programs)
  endforeach()
endif()
