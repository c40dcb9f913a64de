# Rules of `cmake --install`, and the package for find_package(minception). Included last by the top CMakeLists.txt.
#
#   include/minception/<floor>/*.h     the public headers, which include each other as <minception/core/tensor.h>
#   include/minception/minception_c.h  the C API
#   lib/libminception_<floor>.a        a static library per floor, or with BUILD_SHARED_LIBS=ON
#   lib/libminception.so               one shared library
#   lib/cmake/minception/              minception::core ... minception::training, and minception::minception for all
#   lib/pkgconfig/minception.pc        the same for other build systems
#   bin/minception-<program>           tools and studies, prefixed because their own names are too general
#   share/doc/minception/              license, changelog, documents and examples
#
# The installation is relocatable. It runs on processors like the build machine's, unless built with
# -DMINCEPTION_NATIVE=OFF.
include(CMakePackageConfigHelpers)

set(PACKAGE_FOLDER ${CMAKE_INSTALL_LIBDIR}/cmake/minception)
set(FLOORS core kernels layers data models training exchange c_api)
if(TARGET minception_simt AND NOT BUILD_SHARED_LIBS)
  list(INSERT FLOORS 1 simt)
endif()
# Headers used only inside one folder.
set(PRIVATE_HEADERS data/byte_stream.h data/image_formats.h data/mnist_family.h data/origin.h data/tar.h
    exchange/graph_importer.h exchange/graph_writer.h exchange/layer_tree.h exchange/onnx_messages.h exchange/onnx_reader.h
    exchange/plan_values.h exchange/plan_weights.h
    kernels/operations/validator.h)

# ---- dependencies of consumers ---------------------------------------------------------------------------------------
# Users of static libraries link the libraries of others: the package finds exactly what this build linked. The shared
# library has its own dependencies, and no public header includes those of others.
set(FIND_DEPENDENCIES)
set(PKG_CONFIG_LIBS -lminception)
set(PKG_CONFIG_REQUIRES)
if(NOT BUILD_SHARED_LIBS)
  set(PKG_CONFIG_LIBS)
  set(third_party_libs)
  foreach(floor ${FLOORS})
    list(PREPEND PKG_CONFIG_LIBS -lminception_${floor})  # a library comes before those that it calls
    minception_third_party(libraries minception_${floor})
    foreach(library ${libraries})
      list(APPEND FIND_DEPENDENCIES "find_dependency(${FIND_${library}})")
      foreach(item ${PKG_CONFIG_${library}})
        if(item MATCHES "^-")
          list(APPEND third_party_libs ${item})
        else()
          list(APPEND PKG_CONFIG_REQUIRES ${item})
        endif()
      endforeach()
    endforeach()
  endforeach()
  list(REMOVE_DUPLICATES FIND_DEPENDENCIES)
  list(REMOVE_DUPLICATES third_party_libs)
  list(REMOVE_DUPLICATES PKG_CONFIG_REQUIRES)
  list(APPEND PKG_CONFIG_LIBS ${third_party_libs} -lstdc++ -lm)
endif()
list(JOIN FIND_DEPENDENCIES "\n" FIND_DEPENDENCIES)
list(JOIN PKG_CONFIG_LIBS " " PKG_CONFIG_LIBS)
list(JOIN PKG_CONFIG_REQUIRES " " PKG_CONFIG_REQUIRES)
file(RELATIVE_PATH PREFIX_FROM_PKG_CONFIG /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)

# ---- headers and libraries -------------------------------------------------------------------------------------------
if(NOT BUILD_SHARED_LIBS)
  add_library(minception INTERFACE)
  add_library(minception::minception ALIAS minception)
endif()
install(CODE "file(REMOVE_RECURSE [[${PROJECT_BINARY_DIR}/installed_headers]])" COMPONENT library)
foreach(floor ${FLOORS})
  if(BUILD_SHARED_LIBS)
    install(TARGETS minception_shared_${floor} EXPORT minception COMPONENT library)
  else()
    target_link_libraries(minception INTERFACE minception_${floor})
    set_target_properties(minception_${floor} PROPERTIES EXPORT_NAME ${floor})
    install(TARGETS minception_${floor} EXPORT minception ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
  endif()
  # Only headers directly in the folder: those of the backends are private.
  file(GLOB headers RELATIVE ${PROJECT_SOURCE_DIR} CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${floor}/*.h
       ${PROJECT_SOURCE_DIR}/${floor}/operations/*.h)
  list(REMOVE_ITEM headers ${PRIVATE_HEADERS})
  if(floor STREQUAL training)
    list(APPEND headers minception.h)  # includes all floors
  endif()
  foreach(header ${headers})
    string(REGEX REPLACE "^c_api/" "" installed ${header})
    install(CODE "
      file(READ [[${PROJECT_SOURCE_DIR}/${header}]] text)
      string(REGEX REPLACE [[#include \"([a-z_0-9/]+[.]h)\"]] [[#include <minception/\\1>]] text \"\${text}\")
      file(WRITE [[${PROJECT_BINARY_DIR}/installed_headers/${installed}]] \"\${text}\")"
            COMPONENT library)
  endforeach()
endforeach()
install(DIRECTORY ${PROJECT_BINARY_DIR}/installed_headers/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/minception
        COMPONENT library)
install(TARGETS minception EXPORT minception LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
configure_file(${CMAKE_CURRENT_LIST_DIR}/minception.pc.in ${PROJECT_BINARY_DIR}/cmake/minception.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/cmake/minception.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT library)

install(EXPORT minception NAMESPACE minception:: FILE minceptionTargets.cmake DESTINATION ${PACKAGE_FOLDER}
        COMPONENT library)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/minceptionConfig.cmake.in
                              ${PROJECT_BINARY_DIR}/cmake/minceptionConfig.cmake
                              INSTALL_DESTINATION ${PACKAGE_FOLDER} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cmake/minceptionConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
if(NOT BUILD_SHARED_LIBS)
  install(FILES ${PROJECT_SOURCE_DIR}/simt/kernels.cmake ${CMAKE_CURRENT_LIST_DIR}/FindWebP.cmake
          DESTINATION ${PACKAGE_FOLDER} COMPONENT library)
endif()
install(FILES ${PROJECT_BINARY_DIR}/cmake/minceptionConfig.cmake
              ${PROJECT_BINARY_DIR}/cmake/minceptionConfigVersion.cmake
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

# ---- documents -------------------------------------------------------------------------------------------------------
file(RELATIVE_PATH HEADERS_FROM_DOCUMENTS /prefix/${CMAKE_INSTALL_DOCDIR} /prefix/${CMAKE_INSTALL_INCLUDEDIR}/minception)
install(CODE "
  set(SOURCE [[${PROJECT_SOURCE_DIR}]])
  set(STAGE [[${PROJECT_BINARY_DIR}/installed_documents]])
  set(INSTALLED_HEADERS [[${PROJECT_BINARY_DIR}/installed_headers]])
  set(HEADERS [[${HEADERS_FROM_DOCUMENTS}]])
  set(PROGRAMS [[${programs}]])
  include([[${CMAKE_CURRENT_LIST_DIR}/installed_documents.cmake]])"
        COMPONENT library)
install(DIRECTORY ${PROJECT_BINARY_DIR}/installed_documents/ DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT library)
