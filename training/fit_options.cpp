/// Checks and records the options of `fit`.

#include "core/error.h"
#include "training/environment.h"
#include "training/fit.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace minception {
namespace {

using Json = nlohmann::ordered_json;

/// Smallest eps of Adam. A value that rounds to 0 in f32 gives 0 / 0 for weights that have had no gradient yet.
constexpr double kSmallestEps = 1e-30;
constexpr std::int64_t kMost = 1'000'000;

void check_count(const char* name, std::int64_t value, std::int64_t least, std::int64_t most = kMost) {
  require(value >= least && value <= most, Setting{name, value}, ": must be ", least, " to ", most);
}

/// Checks that a number is 0 or more and finite as a float.
void check_number(const char* name, double value) {
  require(std::isfinite(static_cast<float>(value)) && value >= 0.0, Setting{name, value},
          ": must be a finite number, 0 or more");
}

void check_decay(const char* name, double value) {
  require(value >= 0.0 && value < 1.0, Setting{name, value}, ": must be in [0, 1)");
}

void check(const Optimizer& optimizer) {
  check_number("lr", learning_rate_of(optimizer));
  check_number("weight_decay", weight_decay_of(optimizer));
  if (const Sgd* sgd = std::get_if<Sgd>(&optimizer)) {
    check_decay("momentum", sgd->momentum);
    require(!sgd->nesterov || sgd->momentum > 0.0, Field{"nesterov"}, " needs a ", Field{"momentum"}, " above 0");
    return;
  }
  const Adam adam = adam_of(optimizer);
  check_decay("beta1", adam.beta1);
  check_decay("beta2", adam.beta2);
  require(std::isfinite(adam.eps) && adam.eps >= kSmallestEps, Setting{"eps", adam.eps}, ": must be a finite number, ",
          kSmallestEps, " or more");
}

void check(const EpochSchedule& s, const Optimizer& optimizer) {
  constexpr auto kMostEpochs = static_cast<double>(kMost);
  require(name_of(s.kind) != "unknown", Setting{"schedule", static_cast<int>(s.kind)}, ": is not a ScheduleKind");
  require(s.warmup_epochs >= 0.0 && s.warmup_epochs <= kMostEpochs, Setting{"warmup_epochs", s.warmup_epochs},
          ": must be 0 to ", kMost);
  require(s.step_size > 0.0 && s.step_size <= kMostEpochs, Setting{"step_size", s.step_size},
          ": must be above 0, up to ", kMost);
  require(s.gamma > 0.0 && s.gamma <= 1.0, Setting{"gamma", s.gamma}, ": must be in (0, 1]");
  check_number("eta_min", s.eta_min);
  require(s.pct_start > 0.0 && s.pct_start < 1.0, Setting{"pct_start", s.pct_start}, ": must be between 0 and 1");
  const char* const momentum = is_adam(optimizer) ? "beta1" : "momentum";
  require(s.base_momentum < 0.0 || s.base_momentum <= momentum_of(optimizer), Setting{"base_momentum", s.base_momentum},
          ": must be between 0 and ", Field{momentum}, ", ", momentum_of(optimizer));
  require(s.base_momentum < 0.0 || s.kind == ScheduleKind::one_cycle, Field{"base_momentum"}, " needs ",
          Setting{"schedule", "one-cycle"});
}

void check(const Augmentation& a) {
  for (const std::int64_t padding : {a.padding.h, a.padding.w}) check_count("padding", padding, 0, 10'000);
  require(a.scale > 0.0 && a.scale <= 1.0, Setting{"scale", a.scale}, ": must be in (0, 1]");
  require(a.ratio >= 1.0 && a.ratio <= 100.0, Setting{"ratio", a.ratio}, ": must be 1 to 100");
  require((a.padding.h == 0 && a.padding.w == 0) || !a.random_resized_crop(), Field{"padding"},
          " cannot be combined with ", Field{"scale"}, " or ", Field{"ratio"});
  for (const auto& [name, range] : {std::pair{"brightness", a.brightness}, std::pair{"contrast", a.contrast},
                                    std::pair{"saturation", a.saturation}}) {
    require(range >= 0.0 && range <= 1.0, Setting{name, range}, ": must be 0 to 1");
  }
}

void check(const Normalization& n) {
  for (const double mean : n.mean) require(mean >= 0.0 && mean <= 1.0, Setting{"mean", mean}, ": must be in [0, 1]");
  for (const double deviation : n.deviation) {
    require(deviation > 0.0 && std::isfinite(deviation) && std::isfinite(static_cast<float>(1.0 / deviation)),
            Setting{"deviation", deviation}, ": must be a finite number above 0");
  }
}

void check_device(const FitOptions& o) {
  require(o.compute == "f32" || o.compute == "tf32" || o.compute == "bf16", Setting{"compute", o.compute},
          ": use f32, tf32 or bf16");
  const std::string device = choose_device(o.device).name;
  require(o.compute != "tf32" || device == "cuda", Setting{"compute", "tf32"}, " needs ", Setting{"device", "cuda"});
  require(o.compute != "bf16" || device != "reference", Setting{"compute", "bf16"}, " needs ", Setting{"device", "cpu"},
          " or cuda");
  check_kernels(o.kernels, device);
  require(o.threads >= 0, Setting{"threads", o.threads}, ": must be 0 or more");
}

}  // namespace

void check(const FitOptions& o) {
  require(!o.out.empty(), Field{"out"}, " is required: the folder of the run, for instance runs/first");
  require(!o.resume || !o.overwrite, Field{"resume"}, " and ", Field{"overwrite"}, " cannot be combined");
  check_count("epochs", o.epochs, 1);
  check_count("batch_size", o.batch_size, 1);
  check_count("accumulate", o.accumulate, 1);
  check(o.optimizer);
  check(o.schedule, o.optimizer);
  check_decay("label_smoothing", o.label_smoothing);
  check_number("max_norm", o.max_norm);
  check_decay("ema_decay", o.ema_decay);
  check_count("patience", o.patience, 0);
  check(o.augmentation);
  check(o.normalization);
  require(!name_of(o.initialization).empty(), Setting{"initialization", static_cast<int>(o.initialization)},
          ": is not an Initialization");
  for (const std::string& prefix : o.freeze) {
    require(!prefix.empty(), Setting{"freeze", "''"},
            ": must be the start of a parameter name, for instance inception3a");
  }
  check_device(o);
  check_count("num_workers", o.num_workers, 1, 1'000);
  require(static_cast<bool>(o.on_warning), Field{"on_warning"}, ": must be a function");
  check_count("log_every", o.log_every, 1);
  check_count("checkpoint_every", o.checkpoint_every, 0);
  check_count("keep_checkpoints", o.keep_checkpoints, 1);
  require(!o.profile || !o.resume, Field{"profile"}, " and ", Field{"resume"},
          " cannot be combined: profile in a new folder, with another ", Field{"out"});
  check_count("profile_steps", o.profile_steps, 0);
}

Schedule EpochSchedule::in_steps(std::int64_t steps_per_epoch, const Optimizer& optimizer) const {
  const auto steps = [&](double epochs) { return std::llround(epochs * static_cast<double>(steps_per_epoch)); };
  return {.kind = kind,
          .warmup_steps = steps(warmup_epochs),
          .step_size = std::max<std::int64_t>(steps(step_size), 1),
          .gamma = gamma,
          .eta_min = eta_min,
          .base_momentum = base_momentum < 0.0 ? momentum_of(optimizer) : base_momentum,
          .pct_start = pct_start};
}

std::string to_json(const FitOptions& o, const Model& model, const Dataset& dataset) {
  const Shape& input = model.config.input;
  Json json = {{"model", model.config.name}, {"image-size", concat(input[1], "x", input[2])}};
  if (!dataset.options.empty()) json.update(Json::parse(dataset.options));
  const Sgd* sgd = std::get_if<Sgd>(&o.optimizer);
  json.update({{"epochs", o.epochs},
               {"batch-size", o.batch_size},
               {"accumulate", o.accumulate},
               {"optimizer", sgd != nullptr                               ? "sgd"
                             : std::holds_alternative<AdamW>(o.optimizer) ? "adamw"
                                                                          : "adam"},
               {"lr", learning_rate_of(o.optimizer)},
               {"weight-decay", weight_decay_of(o.optimizer)}});
  if (sgd != nullptr) {
    json.update({{"momentum", sgd->momentum}, {"nesterov", sgd->nesterov}});
  } else {
    const Adam adam = adam_of(o.optimizer);
    json.update({{"beta1", adam.beta1}, {"beta2", adam.beta2}, {"eps", adam.eps}});
  }
  json.update({{"schedule", std::string(name_of(o.schedule.kind))},
               {"warmup-epochs", o.schedule.warmup_epochs},
               {"step-size", o.schedule.step_size},
               {"gamma", o.schedule.gamma},
               {"eta-min", o.schedule.eta_min},
               {"base-momentum", o.schedule.base_momentum},
               {"pct-start", o.schedule.pct_start},
               {"label-smoothing", o.label_smoothing},
               {"max-norm", o.max_norm},
               {"ema", o.ema_decay},
               {"patience", o.patience},
               {"no-shuffle", !o.shuffle},
               {"balance-classes", o.balance_classes},
               {"seed", o.seed},
               {"mean", o.normalization.mean},
               {"std", o.normalization.deviation},
               {"initialization", std::string(name_of(o.initialization))},
               {"freeze", o.freeze},
               {"device", choose_device(o.device).name},
               {"kernels", o.kernels},
               {"compute", o.compute},
               {"threads", o.threads},
               {"log-every", o.log_every}});
  const Augmentation& a = o.augmentation;
  json.update({{"crop-padding", a.padding.h},
               {"flip", a.flip},
               {"scale", a.scale},
               {"ratio", a.ratio},
               {"brightness", a.brightness},
               {"contrast", a.contrast},
               {"saturation", a.saturation}});
  json["data_checksum"] = {checksum(dataset.train), checksum(dataset.test)};
  if (dataset.validation.size() > 0) json["data_checksum"].push_back(checksum(dataset.validation));
  return json.dump();
}

}  // namespace minception
