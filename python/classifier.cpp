#include "models/classifier.h"
#include "core/error.h"
#include "models/graph.h"
#include "models/registry.h"
#include "models/weights.h"
#include "python/arguments.h"
#include "python/arrays.h"
#include "python/images.h"
#include "python/model.h"
#include "python/module.h"
#include "training/batch_source.h"
#include "training/evaluation.h"

#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <mutex>

namespace minception::python {
namespace {

/// A Classifier that several threads can use, and that also takes inputs of the network itself.
class PythonClassifier {
 public:
  PythonClassifier(const std::filesystem::path& weights, const std::string& device, std::int64_t max_batch)
      : weights_(weights), backend_(make_backend(device)), classifier_(weights, *backend_, max_batch) {}

  Classifier& classifier() { return classifier_; }

  std::vector<Prediction> predict(const Inputs& inputs) {
    const std::lock_guard lock(mutex_);
    if (inputs.values.views.empty()) return classifier_.predict(inputs.images);
    if (network_ == nullptr) {
      const WeightsFile file = read_weights_file(weights_);
      network_ = std::make_unique<InputNetwork>(make_model(file.config), file, std::string(backend_->name()));
    }
    const std::vector<double> logits = network_->logits(inputs.values.views);
    const std::vector<std::string>& names = classifier_.class_names();
    std::vector<Prediction> predictions;
    for (std::size_t begin = 0; begin < logits.size(); begin += names.size()) {
      predictions.push_back(make_prediction(std::span(logits).subspan(begin, names.size()), names));
    }
    return predictions;
  }

  /// Evaluates on a part of a data set, whose images must have the size of the training images.
  Evaluation evaluate(const Dataset& dataset, const ImageDataset& part, const std::string& part_name) {
    require(part.size() > 0, dataset.name, " has no ", part_name, " images");
    const std::string file = weights_.string();
    const WeightsFile weights = read_weights_file(weights_);
    check_class_names(file, weights.class_names, dataset.name, part.class_names);
    require(part.image == weights.image, file, " was trained on images of ", weights.image, ", those of ", dataset.name,
            " are ", part.image);
    const std::lock_guard lock(mutex_);
    Network network(make_model(weights.config), *backend_,
                    {.max_batch = std::min<std::int64_t>(128, part.size()),
                     .training = false,
                     .dataset_image = part.image,
                     .scale = weights.scale,
                     .shift = weights.shift});
    load_weights(network, weights, weights_);
    const MemorySource source(part);
    StreamingBatchSource feed(source, 1);
    return minception::evaluate(network, feed, part.labels, {.most_mistakes = 36});
  }

 private:
  std::filesystem::path weights_;
  std::mutex mutex_;
  std::unique_ptr<Backend> backend_;
  Classifier classifier_;
  std::unique_ptr<InputNetwork> network_;
};

nb::object array_of(const std::vector<double>& values) {
  return to_python(to_file_tensor(values, {static_cast<std::int64_t>(values.size())}, DType::f64), false);
}

/// Up to `count` pairs (class, probability), most probable first.
std::vector<std::pair<std::string, double>> top(const Prediction& prediction, const std::vector<std::string>& names,
                                                std::size_t count) {
  std::vector<std::pair<std::string, double>> pairs;
  for (const std::size_t i : prediction.ranked(count)) pairs.emplace_back(names[i], prediction.probabilities[i]);
  return pairs;
}

struct PythonPrediction : Prediction {
  std::vector<std::string> names;
};

Inputs inputs_from(PythonClassifier& self, nb::handle x) { return read_inputs(x, self.classifier(), "x"); }

std::vector<Prediction> run(PythonClassifier& self, const Inputs& inputs) {
  const nb::gil_scoped_release release;
  return self.predict(inputs);
}

nb::object predict(PythonClassifier& self, nb::handle x) {
  const Inputs inputs = inputs_from(self, x);
  const std::vector<Prediction> predictions = run(self, inputs);
  const auto cast = [&](const Prediction& prediction) {
    return nb::cast(PythonPrediction{prediction, self.classifier().class_names()});
  };
  if (inputs.single) return cast(predictions.front());
  nb::list list;
  for (const Prediction& prediction : predictions) list.append(cast(prediction));
  return list;
}

nb::object logits(PythonClassifier& self, nb::handle x) {
  const Inputs inputs = inputs_from(self, x);
  const std::vector<Prediction> predictions = run(self, inputs);
  std::vector<double> values;
  for (const Prediction& each : predictions) values.insert(values.end(), each.logits.begin(), each.logits.end());
  const auto classes = static_cast<std::int64_t>(self.classifier().class_names().size());
  return to_python(to_file_tensor(values, {static_cast<std::int64_t>(predictions.size()), classes}, DType::f32),
                   inputs.torch);
}

Evaluation evaluate(PythonClassifier& self, const Dataset& dataset, const std::string& part) {
  const ImageDataset* images = part == "test"         ? &dataset.test
                               : part == "validation" ? &dataset.validation
                               : part == "train"      ? &dataset.train
                                                      : nullptr;
  require(images != nullptr, "evaluate(): part = '", part, "': use train, validation or test");
  const nb::gil_scoped_release release;
  return self.evaluate(dataset, *images, part);
}

}  // namespace

void add_classifier(nb::module_& module) {
  nb::class_<PythonPrediction>(module, "Prediction", "Class probabilities of one image.")
      .def_prop_ro(
          "class_name", [](const PythonPrediction& self) { return self.class_name; }, "Class with the largest logit.")
      .def_prop_ro("class_index", [](const PythonPrediction& self) { return self.class_index; })
      .def_prop_ro(
          "probability", [](const PythonPrediction& self) { return self.probability(); }, "Of that class.")
      .def_prop_ro(
          "probabilities", [](const PythonPrediction& self) { return array_of(self.probabilities); },
          nb::for_getter(nb::sig("def probabilities(self) -> numpy.ndarray")), "float64 (classes).")
      .def_prop_ro(
          "logits", [](const PythonPrediction& self) { return array_of(self.logits); },
          nb::for_getter(nb::sig("def logits(self) -> numpy.ndarray")), "float64 (classes).")
      .def(
          "top", [](const PythonPrediction& self, std::size_t count) { return top(self, self.names, count); },
          nb::arg("count") = 5, "Up to `count` pairs (class name, probability), most probable first.")
      .def("__repr__", [](const PythonPrediction& self) {
        return "Prediction(" + repr_of(nb::cast(self.class_name)) +
               ", probability=" + nb::cast<std::string>(nb::str("{:.4f}").attr("format")(self.probability())) + ")";
      });

  nb::class_<Evaluation>(module, "Evaluation", "Results on a part of a data set.")
      .def_ro("samples", &Evaluation::samples)
      .def_ro("loss", &Evaluation::loss, "Mean cross-entropy.")
      .def_ro("top1", &Evaluation::top1, "Fraction of samples whose label has the largest logit.")
      .def_ro("top5", &Evaluation::top5, "Fraction of samples whose label is among the five largest logits.")
      .def_prop_ro(
          "confusion",
          [](const Evaluation& self) {
            std::vector<std::byte> bytes(self.confusion.size() * sizeof(std::int64_t));
            std::memcpy(bytes.data(), self.confusion.data(), bytes.size());
            return to_python(FileTensor{DType::i64, {self.classes, self.classes}, std::move(bytes)}, false);
          },
          nb::for_getter(nb::sig("def confusion(self) -> numpy.ndarray")), "int64 (label, predicted): counts.")
      .def("__repr__", [](const Evaluation& self) {
        return nb::str("Evaluation(samples={}, loss={:.4f}, top1={:.4f}, top5={:.4f})")
            .attr("format")(self.samples, self.loss, self.top1, self.top5);
      });

  nb::class_<PythonClassifier>(
      module, "Classifier",
      "Class probabilities for images of any size from a weights file alone: Classifier(\"model.safetensors\").\n"
      "Threads may share one; their calls take turns.")
      .def(nb::init<const std::filesystem::path&, const std::string&, std::int64_t>(), nb::arg("weights"),
           nb::arg("device") = "auto", nb::kw_only(), nb::arg("max_batch") = 32,
           "weights: file of a run or of Model.save. device: \"auto\", or one of available_devices().")
      .def_prop_ro(
          "classes", [](PythonClassifier& self) { return self.classifier().class_names(); }, "Names of the classes.")
      .def_prop_ro(
          "input_size",
          [](PythonClassifier& self) {
            const Shape& input = self.classifier().config().input;
            return nb::make_tuple(input[0], input[1], input[2]);
          },
          nb::for_getter(nb::sig("def input_size(self) -> tuple[int, int, int]")), "(C, H, W) of the network's input.")
      .def("predict", &predict, nb::arg("x").none(),
           nb::sig("def predict(self, x: typing.Any) -> Prediction | list[Prediction]"),
           "A Prediction for one image, or a list of them for a list or a batch. An image is\n"
           "- a path, the bytes of an image file, or a PIL image;\n"
           "- an array of uint8, (H, W), (H, W, 1) or (H, W, 3), or a batch (N, H, W, 1 or 3), of any size: grey or "
           "RGB,\n"
           "  channels last. It is resized and scaled as the training images were;\n"
           "- an array of float32, (C, H, W) or (N, C, H, W), of the size `input_size`: the network's input, "
           "normalised as\n"
           "  in training.\n"
           "Arrays of NumPy, PyTorch (CPU) and others are read in place by DLPack or the buffer protocol, whatever "
           "their\n"
           "strides, channels-last memory included. They are copied once, into the network's memory; other float "
           "dtypes\n"
           "are converted to float32.")
      .def("logits", &logits, nb::arg("x").none(), nb::sig("def logits(self, x: typing.Any) -> typing.Any"),
           "The logits, float32 (N, classes), of what `predict` accepts, with N = 1 for a single image: a NumPy array, "
           "or a\n"
           "PyTorch tensor, without a copy, if `x` has tensors.")
      .def("evaluate", &evaluate, nb::arg("dataset"), nb::arg("part") = "test",
           "Loss and accuracy on the \"test\", \"validation\" or \"train\" images of a data set.");
}

}  // namespace minception::python
