# The packages of the libraries that the floors link.
#
#   minception_package(TARGET FIND PKG_CONFIG...)   FIND: arguments of find_package. PKG_CONFIG: modules, or flags (-l...)

macro(minception_package target find)
  set(FIND_${target} "${find}")
  set(PKG_CONFIG_${target} "${ARGN}")
endmacro()
minception_package(nlohmann_json::nlohmann_json "nlohmann_json 3.10")  # headers only, included by sources alone
minception_package(ZLIB::ZLIB "ZLIB" zlib)
minception_package(OpenMP::OpenMP_CXX "OpenMP COMPONENTS CXX" ${OpenMP_CXX_FLAGS})
minception_package(Threads::Threads "Threads" -pthread)
minception_package(DNNL::dnnl "dnnl CONFIG" -ldnnl)  # Debian has no module for it
minception_package(PNG::PNG "PNG" libpng)
minception_package(JPEG::JPEG "JPEG" libjpeg)
minception_package(TIFF::TIFF "TIFF" libtiff-4)
minception_package(GIF::GIF "GIF" -lgif)
minception_package(WebP::WebP "WebP" libwebpdemux libwebp)
minception_package(protobuf::libprotobuf-lite "Protobuf" protobuf-lite)
minception_package(CUDA::cudart_static "CUDAToolkit" "-L${CUDAToolkit_LIBRARY_DIR}" -lcudart_static -ldl -lrt)
minception_package(Boost::context "Boost 1.71 COMPONENTS context" -lboost_context)

# minception_third_party(OUT TARGET): sets OUT to the libraries of others that TARGET links.
function(minception_third_party out target)
  get_target_property(libraries ${target} LINK_LIBRARIES)
  # CMake marks targets linked from a subdirectory by entries of the form ::@(...).
  list(FILTER libraries EXCLUDE REGEX "^(minception_.*|minception::.*|::@.*|\\$<BUILD_INTERFACE:.*)$")
  foreach(library ${libraries})
    if(NOT DEFINED FIND_${library})
      message(FATAL_ERROR "${target} links ${library}: tell cmake/third_party.cmake which package has it")
    endif()
  endforeach()
  set(${out} "${libraries}" PARENT_SCOPE)
endfunction()
