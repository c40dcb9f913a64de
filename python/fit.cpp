#include "training/fit.h"
#include "core/error.h"
#include "models/graph.h"
#include "python/arguments.h"
#include "python/model.h"
#include "python/module.h"
#include "training/run_folder.h"

#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <chrono>
#include <cstdio>
#include <exception>

namespace minception::python {
template <>
struct Argument<ScheduleKind> {
  static constexpr const char* kType = "str";
  static ScheduleKind from(nb::handle value, const std::string& what) {
    return parse_schedule(Argument<std::string>::from(value, what));
  }
  static nb::object to(ScheduleKind value) { return nb::cast(std::string(name_of(value))); }
};

template <>
struct Argument<Initialization> {
  static constexpr const char* kType = "str";
  static Initialization from(nb::handle value, const std::string& what) {
    return parse_initialization(Argument<std::string>::from(value, what));
  }
  static nb::object to(Initialization value) { return nb::cast(std::string(name_of(value))); }
};

template <>
struct Argument<Heads> {
  static constexpr const char* kType = "str";
  static Heads from(nb::handle value, const std::string& what) {
    const std::string name = Argument<std::string>::from(value, what);
    require(name == "load" || name == "keep", what, " = '", name, "': use load or keep");
    return name == "keep" ? Heads::keep : Heads::load;
  }
  static nb::object to(Heads value) { return nb::cast(std::string(value == Heads::keep ? "keep" : "load")); }
};

template <>
struct Argument<Optimizer> {
  static constexpr const char* kType = "SGD | Adam | AdamW";
  static Optimizer from(nb::handle value, const std::string& what) {
    if (nb::isinstance<Sgd>(value)) return nb::cast<Sgd>(value);
    if (nb::isinstance<AdamW>(value)) return nb::cast<AdamW>(value);
    if (nb::isinstance<Adam>(value)) return nb::cast<Adam>(value);
    raise_wrong_type(what, "SGD(...), Adam(...) or AdamW(...)", value);
  }
  static nb::object to(const Optimizer& value) {
    return std::visit([](const auto& settings) { return nb::cast(settings); }, value);
  }
};

template <>
struct Argument<EpochSchedule> {
  static constexpr const char* kType = "Schedule | str";
  static EpochSchedule from(nb::handle value, const std::string& what) {
    if (nb::isinstance<nb::str>(value)) return {.kind = Argument<ScheduleKind>::from(value, what)};
    if (!nb::isinstance<EpochSchedule>(value)) raise_wrong_type(what, "Schedule(...) or the name of one", value);
    return nb::cast<EpochSchedule>(value);
  }
  static nb::object to(const EpochSchedule& value) { return nb::cast(value); }
};

template <>
struct Argument<Augmentation> : BoundArgument<Augmentation> {
  static constexpr const char* kType = "Augmentation";
};
template <>
struct Argument<Normalization> : BoundArgument<Normalization> {
  static constexpr const char* kType = "Normalization";
};

namespace {

constexpr auto kSgd = [](auto& o, auto&& f) {
  f("lr", o.lr);
  f("momentum", o.momentum);
  f("nesterov", o.nesterov);
  f("weight_decay", o.weight_decay);
};
constexpr auto kAdam = [](auto& o, auto&& f) {
  f("lr", o.lr);
  f("beta1", o.beta1);
  f("beta2", o.beta2);
  f("eps", o.eps);
  f("weight_decay", o.weight_decay);
};
constexpr auto kSchedule = [](auto& o, auto&& f) {
  f("kind", o.kind);
  f("warmup_epochs", o.warmup_epochs);
  f("step_size", o.step_size);
  f("gamma", o.gamma);
  f("eta_min", o.eta_min);
  f("base_momentum", o.base_momentum);
  f("pct_start", o.pct_start);
};
constexpr auto kAugmentation = [](auto& o, auto&& f) {
  f("padding", o.padding);
  f("flip", o.flip);
  f("scale", o.scale);
  f("ratio", o.ratio);
  f("brightness", o.brightness);
  f("contrast", o.contrast);
  f("saturation", o.saturation);
};
constexpr auto kNormalization = [](auto& o, auto&& f) {
  f("mean", o.mean);
  f("std", o.deviation);
};
/// FitOptions with a line each; callbacks are below.
constexpr auto kFit = [](auto& o, auto&& f) {
  f("out", o.out);
  f("overwrite", o.overwrite);
  f("resume", o.resume);
  f("epochs", o.epochs);
  f("batch_size", o.batch_size);
  f("accumulate", o.accumulate);
  f("optimizer", o.optimizer);
  f("schedule", o.schedule);
  f("label_smoothing", o.label_smoothing);
  f("max_norm", o.max_norm);
  f("ema_decay", o.ema_decay);
  f("patience", o.patience);
  f("shuffle", o.shuffle);
  f("balance_classes", o.balance_classes);
  f("augmentation", o.augmentation);
  f("normalization", o.normalization);
  f("seed", o.seed);
  f("initialization", o.initialization);
  f("init", o.init);
  f("init_heads", o.init_heads);
  f("freeze", o.freeze);
  f("device", o.device);
  f("kernels", o.kernels);
  f("compute", o.compute);
  f("threads", o.threads);
  f("graph_capture", o.graph_capture);
  f("stream", o.stream);
  f("num_workers", o.num_workers);
  f("log_every", o.log_every);
  f("checkpoint_every", o.checkpoint_every);
  f("keep_checkpoints", o.keep_checkpoints);
  f("tensorboard", o.tensorboard);
  f("check_nan", o.check_nan);
  f("verbose", o.verbose);
};

constexpr const char* kFitDoc =
    "Trains the model, which then has the weights after the last epoch. Epochs are evaluated on the validation images "
    "or,\n"
    "without any, on the test images. A model with weights continues from them; others start from `initialization`, "
    "or\n"
    "from the file `init`.\n"
    "\n"
    "out: folder of the run, with checkpoints, metrics.jsonl and report.html; without it, a temporary folder that is\n"
    "removed after the training. resume: continue the run in `out` from its newest checkpoint, with the same options.\n"
    "on_step(StepMetrics), every `log_every` steps; on_epoch(EpochMetrics); should_stop() -> bool, after each step.\n"
    "verbose: progress by print(). Warnings are those of Python's module warnings.\n"
    "\n"
    "Ctrl-C, an exception of a callback, and a true should_stop end the training between two steps, with a "
    "checkpoint.\n"
    "Then KeyboardInterrupt or the exception is raised, or the result has `stopped`. The model has the weights of "
    "that\n"
    "checkpoint, and the folder is kept. Other threads run during the training. The other options: docs/training.md.";

std::string formatted(const char* pattern, const auto&... values) {
  char line[256];
  std::snprintf(line, sizeof line, pattern, values...);
  return line;
}

void print(const std::string& line) { nb::module_::import_("builtins").attr("print")(line, nb::arg("flush") = true); }

/// Calls Python from a training that runs without the GIL. The first exception stops the training.
class Observer {
 public:
  template <class F>
  void call(F&& f) {
    if (failure_) return;
    const nb::gil_scoped_acquire acquire;
    try {
      f();
    } catch (...) {
      failure_ = std::current_exception();
    }
  }
  bool failed() const { return failure_ != nullptr; }
  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  std::exception_ptr failure_;
};

struct PythonFitResult : FitResult {
  std::vector<EpochMetrics> history;
  std::filesystem::path out;
};

std::string line_of(const EpochMetrics& epoch, std::int64_t epochs) {
  return formatted("epoch %lld/%lld  train loss %.4f accuracy %.4f  %s loss %.4f accuracy %.4f  %.0f images/s  %.1f s",
                   static_cast<long long>(epoch.epoch), static_cast<long long>(epochs), epoch.train_loss,
                   epoch.train_accuracy, to_string(epoch.part), epoch.eval_loss, epoch.eval_accuracy,
                   epoch.examples_per_second, epoch.seconds);
}

/// A folder for the run if the caller gave none.
std::filesystem::path temporary_folder() {
  const nb::object folder = nb::module_::import_("tempfile").attr("mkdtemp")(nb::arg("prefix") = "minception-");
  return nb::cast<std::filesystem::path>(folder) / "run";
}

/// The weights of the last epoch or, of a run that stopped, those of its newest checkpoint.
void take_weights(TrainedModel& model, const std::filesystem::path& run, bool stopped) {
  const std::vector<std::filesystem::path> checkpoints = checkpoints_of(run);
  if (stopped && !checkpoints.empty()) {
    model.take(checkpoints.front());
  } else if (std::filesystem::exists(run / "model.safetensors")) {
    model.take(run / "model.safetensors");
  }
}

struct Callbacks {
  nb::object on_step = nb::none(), on_epoch = nb::none(), should_stop = nb::none();
};

PythonFitResult run_fit(TrainedModel& model, const Dataset& dataset, FitOptions options, const Callbacks& callbacks) {
  const bool temporary = options.out.empty();
  require(!temporary || !options.resume, "fit(): resume needs the folder of the run: out=...");
  if (temporary) options.out = temporary_folder();
  const bool verbose = std::exchange(options.verbose, false);  // the library prints to the terminal
  WeightsFile initial;
  if (model.has_weights() && !options.resume && options.init.empty()) {
    initial = model.weights();
    options.init = "the weights of " + model.config().name;
    options.init_weights = &initial;
  }

  PythonFitResult result;
  Observer observer;
  std::chrono::steady_clock::time_point printed = std::chrono::steady_clock::now();
  options.on_step = [&](const StepMetrics& step) {
    observer.call([&] {
      const auto now = std::chrono::steady_clock::now();
      if (verbose && now - printed > std::chrono::seconds(5)) {
        printed = now;
        print(formatted("epoch %lld/%lld  step %lld  loss %.4f  accuracy %.4f  %.0f images/s",
                        static_cast<long long>(step.epoch), static_cast<long long>(options.epochs),
                        static_cast<long long>(step.step), step.loss, step.accuracy, step.examples_per_second));
      }
      if (!callbacks.on_step.is_none()) callbacks.on_step(step);
    });
  };
  options.on_epoch = [&](const EpochMetrics& epoch) {
    result.history.push_back(epoch);
    observer.call([&] {
      if (verbose) print(line_of(epoch, options.epochs));
      if (!callbacks.on_epoch.is_none()) callbacks.on_epoch(epoch);
    });
  };
  options.on_warning = [&](const std::string& text) {
    observer.call([&] {
      if (PyErr_WarnEx(PyExc_UserWarning, text.c_str(), 1) != 0) nb::raise_python_error();
    });
  };
  bool stop = false;
  options.should_stop = [&] {
    observer.call([&] {
      if (PyErr_CheckSignals() != 0) nb::raise_python_error();
      if (!callbacks.should_stop.is_none()) stop = stop || nb::cast<bool>(nb::bool_(callbacks.should_stop()));
    });
    return stop || observer.failed();
  };

  if (verbose) {
    print(concat(model.config().name, ": ", dataset.train.size(), " training, ", dataset.validation.size(),
                 " validation and ", dataset.test.size(), " test images of ", dataset.image(), ", ", dataset.classes(),
                 " classes"));
  }
  try {
    {
      const nb::gil_scoped_release release;
      static_cast<FitResult&>(result) = minception::fit(model.model(), dataset, options);
    }
    take_weights(model, options.out, result.stopped);  // with the GIL: other threads may read the model
  } catch (...) {
    std::error_code ignored;
    if (temporary) std::filesystem::remove(options.out.parent_path(), ignored);  // unless it holds something
    observer.rethrow();
    throw;
  }
  if (result.stopped) {
    result.text = concat(result.text.substr(0, result.text.find(';')), "; continue with fit(..., out='",
                         options.out.string(), "', resume=True)");
    if (verbose || observer.failed()) print(result.text);
  }
  observer.rethrow();
  result.out = options.out;
  if (temporary && !result.stopped) {
    std::error_code ignored;
    std::filesystem::remove_all(options.out.parent_path(), ignored);
    result.text = concat("trained ", options.epochs, " epochs");
    result.out.clear();
  }
  return result;
}

void add_result(nb::module_& module) {
  nb::class_<PythonFitResult>(module, "FitResult", "Result of fit.")
      .def_ro("stopped", &PythonFitResult::stopped, "True if should_stop ended the training.")
      .def_ro("text", &PythonFitResult::text, "What the run folder holds, or how to resume.")
      .def_ro("best", &PythonFitResult::best, "Epoch of model_best.safetensors.")
      .def_ro("test", &PythonFitResult::test, "Its test result, if validation images selected it.")
      .def_ro("history", &PythonFitResult::history, "The epochs of this call.")
      .def_prop_ro(
          "out",
          [](const PythonFitResult& self) -> std::optional<std::filesystem::path> {
            if (self.out.empty()) return std::nullopt;
            return self.out;
          },
          "Folder of the run, or None if it was temporary.")
      .def("__repr__", [](const PythonFitResult& self) { return "FitResult(" + repr_of(nb::cast(self.text)) + ")"; });
}

}  // namespace

void add_fit(nb::module_& module) {
  add_result(module);
  add_options<Sgd>(module, "SGD", 1, kSgd, "Stochastic gradient descent.");
  add_options<Adam>(module, "Adam", 1, kAdam, "Adam. Weight decay is an L2 penalty, added to the gradients.");
  add_options<AdamW>(module, "AdamW", 1, kAdam, "Adam with decoupled weight decay, which is applied to the weights.");
  add_options<EpochSchedule>(module, "Schedule", 1, kSchedule,
                             "Learning rate over the epochs. kind: constant, step, cosine or one_cycle.");
  add_options<Augmentation>(
      module, "Augmentation", 0, kAugmentation,
      "Random changes of training images: crops after zero padding, flips, resized crops (`scale`,\n"
      "`ratio`) and colour jitter. The defaults change nothing.");
  add_options<Normalization>(module, "Normalization", 2, kNormalization,
                             "(pixel - mean) / std for pixels in [0, 1]; one value, or one per channel.");

  FitOptions defaults;
  std::vector<FormalParameter> parameters = {{"model", "Model", ""}, {"data", "Dataset", ""}};
  for (const FormalParameter& parameter : parameters_of(defaults, kFit)) parameters.push_back(parameter);
  parameters.push_back({"on_step", "collections.abc.Callable[[StepMetrics], typing.Any] | None", "None"});
  parameters.push_back({"on_epoch", "collections.abc.Callable[[EpochMetrics], typing.Any] | None", "None"});
  parameters.push_back({"should_stop", "collections.abc.Callable[[], bool] | None", "None"});
  const std::vector<std::string> names = names_of(parameters);
  const std::string text = signature("fit", "", parameters, 2, "FitResult");
  module.def(
      "fit",
      [names](const nb::args& args, const nb::kwargs& kwargs) {
        const Arguments arguments("fit", names, 2, args, kwargs);
        arguments.require_given("model");
        arguments.require_given("data");
        TrainedModel* model = nullptr;
        const Dataset* data = nullptr;
        if (!nb::try_cast(arguments["model"], model) || model == nullptr) {
          raise_wrong_type("fit(): model", "a Model", arguments["model"]);
        }
        if (!nb::try_cast(arguments["data"], data) || data == nullptr) {
          raise_wrong_type("fit(): data", "a Dataset", arguments["data"]);
        }
        FitOptions options;
        kFit(options, [&](const char* name, auto& member) { arguments.take(name, member); });
        Callbacks callbacks;
        for (const auto& [name, callback] : {std::pair{"on_step", &callbacks.on_step},
                                             {"on_epoch", &callbacks.on_epoch},
                                             {"should_stop", &callbacks.should_stop}}) {
          if (!arguments.given(name)) continue;
          *callback = nb::borrow(arguments[name]);
          if (!callback->is_none() && !PyCallable_Check(callback->ptr())) {
            raise_wrong_type(arguments.what(name), "a function", *callback);
          }
        }
        return run_fit(*model, *data, std::move(options), callbacks);
      },
      nb::sig(text.c_str()), kFitDoc);
}

}  // namespace minception::python
