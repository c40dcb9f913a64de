/// Loads cuDNN and cuBLAS, without a GPU, and checks that every function that the vendor backend calls exists.

#include "core/error.h"
#include "kernels/backend.h"
#include "kernels/vendor/libraries.h"

#include "tests/catch.h"

#include <iostream>
#include <string>

using namespace minception;

TEST_CASE("vendor: cuDNN and cuBLAS have every function that the backend calls") {
  INFO(vendor::why_no_libraries());
  REQUIRE(vendor::why_no_libraries().empty());
#define MINCEPTION_CHECK(name) CHECK(vendor::libraries().name != nullptr);
  MINCEPTION_CUDNN_FUNCTIONS(MINCEPTION_CHECK)
  MINCEPTION_CUBLAS_FUNCTIONS(MINCEPTION_CHECK)
#undef MINCEPTION_CHECK
  std::cout << vendor::library_versions() << std::endl;
  CHECK(vendor::library_versions().find("cuDNN " + std::to_string(CUDNN_MAJOR) + ".") == 0);
}

TEST_CASE("vendor: check throws the error text of the library") {
  CHECK_NOTHROW(vendor::check(CUDNN_STATUS_SUCCESS, "a pool"));
  CHECK_THROWS_WITH(vendor::check(CUDNN_STATUS_BAD_PARAM, "a pool"), "cuDNN: a pool: CUDNN_STATUS_BAD_PARAM");
  CHECK_THROWS_WITH(vendor::check(CUBLAS_STATUS_NOT_INITIALIZED, "a matrix product"),
                    "cuBLAS: a matrix product: the library was not initialized");
}

TEST_CASE("vendor: without a GPU the error is that of the cuda backend") {
  if (!why_no_cuda().empty()) {
    CHECK(why_no_vendor() == why_no_cuda());
    CHECK_THROWS_WITH(make_vendor_backend(), why_no_cuda());
  } else {
    CHECK(why_no_vendor().empty());
  }
}
