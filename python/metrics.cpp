#include "training/metrics.h"
#include "python/module.h"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

namespace nb = nanobind;

namespace minception::python {

void add_metrics(nb::module_& module) {
  nb::class_<StepMetrics>(module, "StepMetrics", "Metrics since the previous call of on_step.")
      .def_ro("epoch", &StepMetrics::epoch)
      .def_ro("step", &StepMetrics::step)
      .def_ro("learning_rate", &StepMetrics::learning_rate)
      .def_ro("momentum", &StepMetrics::momentum)
      .def_ro("loss", &StepMetrics::loss)
      .def_ro("accuracy", &StepMetrics::accuracy)
      .def_ro("examples_per_second", &StepMetrics::examples_per_second)
      .def_ro("gradient_norm", &StepMetrics::gradient_norm)
      .def_ro("gradient_norms", &StepMetrics::gradient_norms, "Pairs (layer, norm).")
      .def("__repr__", [](const StepMetrics& self) {
        return nb::str("StepMetrics(epoch={}, step={}, loss={:.4f}, accuracy={:.4f})")
            .attr("format")(self.epoch, self.step, self.loss, self.accuracy);
      });
  nb::class_<EpochMetrics>(module, "EpochMetrics", "Metrics of an epoch.")
      .def_ro("epoch", &EpochMetrics::epoch)
      .def_ro("step", &EpochMetrics::step)
      .def_ro("learning_rate", &EpochMetrics::learning_rate)
      .def_ro("train_loss", &EpochMetrics::train_loss)
      .def_ro("train_accuracy", &EpochMetrics::train_accuracy)
      .def_prop_ro(
          "part", [](const EpochMetrics& self) { return std::string(to_string(self.part)); },
          "\"validation\" or \"test\": the images of the next three values.")
      .def_ro("eval_loss", &EpochMetrics::eval_loss)
      .def_ro("eval_accuracy", &EpochMetrics::eval_accuracy)
      .def_ro("eval_top5", &EpochMetrics::eval_top5)
      .def_ro("examples_per_second", &EpochMetrics::examples_per_second)
      .def_ro("seconds", &EpochMetrics::seconds)
      .def("__repr__", [](const EpochMetrics& self) {
        return nb::str(
                   "EpochMetrics(epoch={}, train_loss={:.4f}, train_accuracy={:.4f}, eval_loss={:.4f}, "
                   "eval_accuracy={:.4f})")
            .attr("format")(self.epoch, self.train_loss, self.train_accuracy, self.eval_loss, self.eval_accuracy);
      });
  nb::class_<TestMetrics>(module, "TestMetrics", "Test result of the epoch with the best validation accuracy.")
      .def_ro("epoch", &TestMetrics::epoch)
      .def_ro("validation_accuracy", &TestMetrics::validation_accuracy)
      .def_ro("test_loss", &TestMetrics::test_loss)
      .def_ro("test_accuracy", &TestMetrics::test_accuracy)
      .def_ro("test_top5", &TestMetrics::test_top5);
}

}  // namespace minception::python
