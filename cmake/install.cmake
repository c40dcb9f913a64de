# Rules of `cmake --install`, and the package for find_package(minception). Included last by the top CMakeLists.txt.
#
#   include/minception/<floor>/*.h     the public headers, which include each other as <minception/core/tensor.h>
#   lib/libminception_<floor>.a        a static library per floor
#   lib/cmake/minception/              minception::core ... minception::training, and minception::minception for all
#   bin/minception-<program>           tools and studies, prefixed because their own names are too general
#
# The installation is relocatable. It runs on processors like the build machine's, unless built with
# -DMINCEPTION_NATIVE=OFF.
include(CMakePackageConfigHelpers)

set(PACKAGE_FOLDER ${CMAKE_INSTALL_LIBDIR}/cmake/minception)
set(FLOORS core kernels layers data models training)
if(TARGET minception_simt)
  list(INSERT FLOORS 1 simt)
endif()
# Headers used only inside one folder.
set(PRIVATE_HEADERS data/byte_stream.h data/image_formats.h data/mnist_family.h data/origin.h data/tar.h
    kernels/operations/validator.h)

# ---- package of each library that we link ----------------------------------------------------------------------------
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

# Users of static libraries have to link their dependencies: the package finds exactly what this build linked.
set(PACKAGES)
foreach(floor ${FLOORS})
  get_target_property(libraries minception_${floor} LINK_LIBRARIES)
  foreach(library ${libraries})
    # CMake marks targets linked from a subdirectory by entries of the form ::@(...).
    if(library MATCHES "^(minception_.*|minception::.*|::@.*|\\$<BUILD_INTERFACE:.*)$")
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
install(CODE "file(REMOVE_RECURSE [[${PROJECT_BINARY_DIR}/installed_headers]])" COMPONENT library)
foreach(floor ${FLOORS})
  target_link_libraries(minception INTERFACE minception_${floor})
  set_target_properties(minception_${floor} PROPERTIES EXPORT_NAME ${floor})
  install(TARGETS minception_${floor} EXPORT minception ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
  # Only headers directly in the folder: those of the backends are private.
  file(GLOB headers RELATIVE ${PROJECT_SOURCE_DIR} CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${floor}/*.h
       ${PROJECT_SOURCE_DIR}/${floor}/operations/*.h)
  list(REMOVE_ITEM headers ${PRIVATE_HEADERS})
  if(floor STREQUAL training)
    list(APPEND headers minception.h)  # includes all floors
  endif()
  foreach(header ${headers})
    install(CODE "
      file(READ [[${PROJECT_SOURCE_DIR}/${header}]] text)
      string(REGEX REPLACE [[#include \"([a-z_0-9/]+[.]h)\"]] [[#include <minception/\\1>]] text \"\${text}\")
      file(WRITE [[${PROJECT_BINARY_DIR}/installed_headers/${header}]] \"\${text}\")"
            COMPONENT library)
  endforeach()
endforeach()
install(DIRECTORY ${PROJECT_BINARY_DIR}/installed_headers/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/minception
        COMPONENT library)
install(TARGETS minception EXPORT minception COMPONENT library)

install(EXPORT minception NAMESPACE minception:: FILE minceptionTargets.cmake DESTINATION ${PACKAGE_FOLDER}
        COMPONENT library)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/minceptionConfig.cmake.in
                              ${PROJECT_BINARY_DIR}/cmake/minceptionConfig.cmake
                              INSTALL_DESTINATION ${PACKAGE_FOLDER} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cmake/minceptionConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_SOURCE_DIR}/simt/kernels.cmake DESTINATION ${PACKAGE_FOLDER} COMPONENT library)
install(FILES ${PROJECT_BINARY_DIR}/cmake/minceptionConfig.cmake
              ${PROJECT_BINARY_DIR}/cmake/minceptionConfigVersion.cmake
              ${CMAKE_CURRENT_LIST_DIR}/FindWebP.cmake
        DESTINATION ${PACKAGE_FOLDER} COMPONENT library)

# ---- tools and studies -----------------------------------------------------------------------------------------------
if(TARGET minception_program)
  get_property(tools DIRECTORY ${PROJECT_SOURCE_DIR}/tools PROPERTY BUILDSYSTEM_TARGETS)
  get_property(studies DIRECTORY ${PROJECT_SOURCE_DIR}/studies PROPERTY BUILDSYSTEM_TARGETS)
  set(programs ${tools} ${studies})
  list(FILTER programs EXCLUDE REGEX "^minception_")
  foreach(program ${programs})
    string(REPLACE "_" "-" name minception-${program})
    install(PROGRAMS $<TARGET_FILE:${program}> DESTINATION ${CMAKE_INSTALL_BINDIR} RENAME ${name} COMPONENT programs)
  endforeach()
endif()
