/// The functions of this folder in a build without protobuf or ONNX's message definitions.

#include "core/error.h"
#include "exchange/onnx_export.h"
#include "exchange/onnx_import.h"

namespace minception {
namespace {

[[noreturn]] void fail_unavailable() {
  fail("this build cannot read or write ONNX files; install ONNX and protobuf (Debian: libonnx-dev libprotobuf-dev ",
       "protobuf-compiler), run cmake and build again");
}

}  // namespace

bool has_onnx() { return false; }

void export_onnx(const Network&, const std::vector<std::string>&, const std::filesystem::path&,
                 const OnnxExportOptions&) {
  fail_unavailable();
}

WeightsFile import_onnx(const std::filesystem::path&, const OnnxImportOptions&) { fail_unavailable(); }

}  // namespace minception
