#pragma once
/// Parts of the Python module. Each function adds its classes and functions.

#include <nanobind/nanobind.h>

namespace minception::python {

void add_layers(nanobind::module_& module);
void add_data(nanobind::module_& module);
void add_model(nanobind::module_& module);
void add_passes(nanobind::module_& module);
void add_metrics(nanobind::module_& module);
void add_fit(nanobind::module_& module);
void add_classifier(nanobind::module_& module);

}  // namespace minception::python
