#include "python/module.h"

namespace minception::python {
void add_passes(nanobind::module_&) {}
}  // namespace minception::python
