/// The Python module minception._minception.

#include "python/module.h"
#include "core/error.h"
#include "kernels/backend.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

namespace nb = nanobind;

namespace minception::python {
namespace {

/// The argument that sets a field of the library's options.
std::string argument_of(const std::string& field) {
  if (field == "Selection::train") return "limit_train";
  if (field == "Selection::test") return "limit_test";
  if (field == "dir") return "folder";
  return field.substr(field.rfind(':') + 1);
}

/// minception.Error: `str(error)` is the message of one line, `error.details` lists several problems, a line each.
void add_error(nb::module_& module) {
  const std::string name = nb::cast<std::string>(module.attr("__name__")) + ".Error";
  const nb::object type = nb::steal(PyErr_NewExceptionWithDoc(
      name.c_str(),
      "An error of the library: str(error) is one line with the problem, the value and the remedy.\n"
      "If there are several problems, `details` has one line for each.",
      PyExc_RuntimeError, nullptr));
  if (!type.is_valid()) nb::raise_python_error();
  module.attr("Error") = type;
  nb::register_exception_translator(
      [](const std::exception_ptr& thrown, void* error_type) {
        try {
          std::rethrow_exception(thrown);
        } catch (const Error& error) {
          const nb::handle raised(static_cast<PyObject*>(error_type));
          const nb::object value = raised(with_fields(error.message(), argument_of, " = "));
          value.attr("details") = nb::cast(error.details());
          PyErr_SetObject(raised.ptr(), value.ptr());
        }
      },
      type.ptr());
}

std::vector<std::string> available_devices() {
  std::vector<std::string> devices;
  if (why_no_cuda().empty()) devices.emplace_back("cuda");
  try {
    make_cpu_backend();
    devices.emplace_back("cpu");
  } catch (const Error&) {  // a build without oneDNN
  }
  devices.emplace_back("reference");
  return devices;
}

}  // namespace
}  // namespace minception::python

NB_MODULE(_minception, module) {
  using namespace minception::python;
  module.doc() = "Bindings of the C++ library; use the package minception.";
  module.attr("__version__") = MINCEPTION_VERSION;
  add_error(module);
  module.def(
      "available_devices", &available_devices,
      "Devices of this build and machine, the one that \"auto\" selects first: \"cuda\", \"cpu\", \"reference\".\n"
      "\"reference\" computes in double precision with plain loops, for checks.");
  add_data(module);
  add_layers(module);
  add_model(module);
  add_passes(module);
  add_classifier(module);
  add_metrics(module);
  add_fit(module);
}
