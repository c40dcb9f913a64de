#include "tests/kernels/mutations.h"

#include <algorithm>
#include <cmath>

namespace minception {
namespace {

void add_batch_norm_forward(std::vector<Mutation>& m) {
  using Training = BatchNormForwardTraining;
  using Inference = BatchNormForwardInference;
  m.push_back(edited<Training>("epsilon ignored", [](Training& op) { op.attributes.epsilon = 1e-12; }));
  m.push_back(edited<Training>("default epsilon", [](Training& op) { op.attributes.epsilon = 1e-5; }));
  m.push_back(edited<Training>("default momentum", [](Training& op) { op.attributes.momentum = 0.1; }));
  m.push_back(edited<Training>("momentum weighs the old statistics",
                               [](Training& op) { op.attributes.momentum = 1.0 - op.attributes.momentum; }));
  m.push_back(edited<Training>("lost relu", [](Training& op) { op.attributes.relu = false; }));
  m.push_back(edited<Training>("gamma and beta exchanged", [](Training& op) { std::swap(op.gamma, op.beta); }));
  m.push_back(edited<Training>("pixel stride of x ignored", [](Training& op) { op.x.pixel_stride = op.x.c(); }));
  m.push_back(mutation<Training>("biased running variance", [](Training op, Backend& reference) {
    const Owned<> old_var = changed(op.running_var, [](float v) { return v; });
    reference.run(op);
    const auto count = static_cast<float>(op.x.pixels());
    const auto momentum = static_cast<float>(op.attributes.momentum);
    for (std::int64_t c = 0; c < op.x.c() && count > 1.0f; ++c) {
      float& running = op.running_var.as<float>()[c];
      const float kept = (1.0f - momentum) * old_var[c];
      running = kept + (running - kept) * (count - 1.0f) / count;
    }
  }));
  m.push_back(mutation<Training>("rstd of the unbiased variance", [](Training op, Backend& reference) {
    reference.run(op);
    const auto count = static_cast<double>(op.x.pixels());
    for (std::int64_t c = 0; c < op.x.c() && count > 1.0; ++c) {
      float& rstd = op.rstd.as<float>()[c];
      const double var = std::pow(static_cast<double>(rstd), -2.0) - op.attributes.epsilon;
      rstd = static_cast<float>(1.0 / std::sqrt(var * count / (count - 1.0) + op.attributes.epsilon));
    }
  }));
  m.push_back(mutation<Training>("running statistics not updated", [](Training op, Backend& reference) {
    const Owned<> mean = changed(op.running_mean, [](float v) { return v; });
    const Owned<> var = changed(op.running_var, [](float v) { return v; });
    op.running_mean = mean.tensor();
    op.running_var = var.tensor();
    reference.run(op);
  }));

  m.push_back(edited<Inference>("epsilon ignored", [](Inference& op) { op.attributes.epsilon = 1e-12; }));
  m.push_back(edited<Inference>("lost relu", [](Inference& op) { op.attributes.relu = false; }));
  m.push_back(edited<Inference>("gamma and beta exchanged", [](Inference& op) { std::swap(op.gamma, op.beta); }));
  m.push_back(mutation<Inference>("mean not subtracted", [](Inference op, Backend& reference) {
    const Owned<> zero(op.running_mean.shape);
    op.running_mean = zero.tensor();
    reference.run(op);
  }));
  m.push_back(mutation<Inference>("variance used as the standard deviation", [](Inference op, Backend& reference) {
    const Owned<> squared = changed(op.running_var, [](float v) { return v * v; });
    op.running_var = squared.tensor();
    reference.run(op);
  }));
}

void add_fold_batch_norm(std::vector<Mutation>& m) {
  using Fold = FoldBatchNorm;
  m.push_back(edited<Fold>("epsilon ignored", [](Fold& op) { op.epsilon = 1e-12; }));
  m.push_back(edited<Fold>("gamma and beta exchanged", [](Fold& op) { std::swap(op.gamma, op.beta); }));
  m.push_back(mutation<Fold>("mean not subtracted", [](Fold op, Backend& reference) {
    const Owned<> zero(op.running_mean.shape);
    op.running_mean = zero.tensor();
    reference.run(op);
  }));
  m.push_back(mutation<Fold>("variance used as the standard deviation", [](Fold op, Backend& reference) {
    const Owned<> squared = changed(op.running_var, [](float v) { return v * v; });
    op.running_var = squared.tensor();
    reference.run(op);
  }));
  m.push_back(mutation<Fold>("scaled by input channel", [](Fold op, Backend& reference) {
    reference.run(op);
    const std::int64_t row = op.w.elements() / op.w.n();
    for (std::int64_t i = 0; i < op.w.elements(); ++i) {
      const std::int64_t o = i / row, wrong = i % row % op.w.n();
      const auto scale = [&](std::int64_t c) {
        return op.gamma.as<float>()[c] / std::sqrt(op.running_var.as<float>()[c] + static_cast<float>(op.epsilon));
      };
      op.folded_w.as<float>()[i] *= scale(wrong) / scale(o);
    }
  }));
}

void add_batch_norm_backward(std::vector<Mutation>& m) {
  using Backward = BatchNormBackward;
  m.push_back(edited<Backward>("missing += for parameters", [](Backward& op) { op.accumulate = false; }));
  m.push_back(edited<Backward>("always += for parameters", [](Backward& op) { op.accumulate = true; }));
  m.push_back(edited<Backward>("dgamma and dbeta exchanged", [](Backward& op) { std::swap(op.dgamma, op.dbeta); }));
  m.push_back(mutation<Backward>("dgamma of x instead of xhat", [](Backward op, Backend& reference) {
    const Owned<> gamma_gradient = changed(op.dgamma, [](float v) { return v; });
    const Owned<> zero(op.mean.shape);
    Backward raw = op;  // its dgamma is sum dy * x * rstd
    raw.mean = zero.tensor();
    raw.dgamma = gamma_gradient.tensor();
    const Owned<> dbeta = changed(op.dbeta, [](float v) { return v; });
    raw.dbeta = dbeta.tensor();
    const Owned<> dx = copied(op.target.dx);
    raw.target.dx = dx.tensor();
    reference.run(raw);
    reference.run(op);
    for (std::int64_t c = 0; c < op.x.c(); ++c) op.dgamma.as<float>()[c] = gamma_gradient[c];
  }));
  m.push_back(mutation<Backward>("statistics treated as constants", [](Backward op, Backend& reference) {
    const Owned<> dy = copied(op.dy);
    reference.run(op);
    if (op.target.accumulate || op.target.relu_output.defined()) return;
    for_each_element(op.target.dx, [&](float& dx, auto n, auto c, auto h, auto w) {
      dx = at(dy.tensor(), n, c, h, w) * op.gamma.as<float>()[c] * op.rstd.as<float>()[c];
    });
  }));
  m.push_back(mutation<Backward>("sums divided by m - 1", [](Backward op, Backend& reference) {
    const Owned<> dy = copied(op.dy);
    reference.run(op);
    const auto count = static_cast<float>(op.x.pixels());
    if (op.target.accumulate || op.target.relu_output.defined() || count < 2.0f) return;
    for_each_element(op.target.dx, [&](float& dx, auto n, auto c, auto h, auto w) {
      const float direct = at(dy.tensor(), n, c, h, w) * op.gamma.as<float>()[c] * op.rstd.as<float>()[c];
      dx = direct + (dx - direct) * count / (count - 1.0f);
    });
  }));
  add_target_mutations<Backward>(m);
}

template <class Op>
void add_response_norm(std::vector<Mutation>& m) {
  m.push_back(edited<Op>("alpha not divided by the size",
                         [](Op& op) { op.attributes.alpha *= static_cast<double>(op.attributes.size); }));
  m.push_back(edited<Op>("window one too wide", [](Op& op) { op.attributes.size += 1; }));
  m.push_back(edited<Op>("k fixed at 1", [](Op& op) { op.attributes.k = 1.0; }));
  m.push_back(edited<Op>("beta fixed at 3/4", [](Op& op) { op.attributes.beta = 0.75; }));
}

void add_loss(std::vector<Mutation>& m) {
  using Loss = SoftmaxCrossEntropy;
  m.push_back(edited<Loss>("label smoothing ignored", [](Loss& op) { op.label_smoothing = 0.0; }));
  m.push_back(edited<Loss>("smoothing spread only over the wrong classes", [](Loss& op) {
    const auto classes = static_cast<double>(op.logits.c());
    op.label_smoothing = std::min(1.0, op.label_smoothing * classes / (classes - 1.0));
  }));
  m.push_back(edited<Loss>("weight ignored", [](Loss& op) { op.weight = 1.0; }));
  m.push_back(
      edited<Loss>("divided by the batch size", [](Loss& op) { op.divisor = static_cast<double>(op.logits.n()); }));
  m.push_back(edited<Loss>("gradient not written", [](Loss& op) { op.dlogits = {}; }));
  m.push_back(mutation<Loss>("metrics overwritten", [](Loss op, Backend& reference) {
    op.metrics.as<float>()[0] = op.metrics.as<float>()[1] = 0.0f;
    reference.run(op);
  }));
  m.push_back(mutation<Loss>("correct predictions not counted", [](Loss op, Backend& reference) {
    const float before = op.metrics.as<float>()[1];
    reference.run(op);
    op.metrics.as<float>()[1] = before;
  }));
  m.push_back(mutation<Loss>("labels counted from one", [](Loss op, Backend& reference) {
    std::vector<std::int32_t> labels;
    for (std::int64_t n = 0; n < op.logits.n(); ++n) {
      labels.push_back((op.labels.as<std::int32_t>()[n] + 1) % static_cast<std::int32_t>(op.logits.c()));
    }
    op.labels.data = labels.data();
    reference.run(op);
  }));
}

/// An sgd_step with `edit` applied to each parameter group.
template <class Edit>
Mutation groups(std::string name, Edit edit) {
  return edited<SgdStep>(std::move(name), [edit](SgdStep& op) {
    for (ParameterGroup& group : op.groups) edit(group);
  });
}

void add_sgd(std::vector<Mutation>& m) {
  m.push_back(groups("weight decay dropped", [](ParameterGroup& s) { s.weight_decay = 0.0; }));
  m.push_back(groups("learning rate scale ignored", [](ParameterGroup& s) { s.learning_rate_scale = 1.0; }));
  m.push_back(groups("frozen groups trained", [](ParameterGroup& s) { s.trains = true; }));
  m.push_back(edited<SgdStep>("nesterov ignored", [](SgdStep& op) { op.nesterov = false; }));
  m.push_back(edited<SgdStep>("always nesterov", [](SgdStep& op) { op.nesterov = true; }));
  m.push_back(edited<SgdStep>("first group extends into the gap", [](SgdStep& op) {
    if (op.groups.size() > 1) op.groups[0].count = op.groups[1].begin - op.groups[0].begin;
  }));
  m.push_back(mutation<SgdStep>("momentum ignored", [](SgdStep op, Backend& reference) {
    float schedule[] = {op.schedule.as<float>()[0], 0.0f};
    op.schedule.data = schedule;
    reference.run(op);
  }));
  m.push_back(mutation<SgdStep>("v not written back", [](SgdStep op, Backend& reference) {
    const Tensor v = op.v;
    if (!v.defined()) return reference.run(op);
    const Owned<> scratch = changed(v, [](float value) { return value; });
    op.v = scratch.tensor();
    reference.run(op);
  }));
}

/// Faults of the clip coefficient in both optimizers.
template <class Op>
void add_update(std::vector<Mutation>& m) {
  m.push_back(edited<Op>("gradients not clipped", [](Op& op) { op.factor = {}; }));
  m.push_back(mutation<Op>("weights also clipped", [](Op op, Backend& reference) {
    reference.run(op);
    if (!op.factor.defined()) return;
    for (std::int64_t i = 0; i < op.w.elements(); ++i)
      op.w.template as<float>()[i] *= op.factor.template as<float>()[0];
  }));
}

void add_adam(std::vector<Mutation>& m) {
  using Edit = void (*)(ParameterGroup&);
  const auto groups = [&](std::string name, Edit edit) {
    m.push_back(edited<AdamStep>(std::move(name), [edit](AdamStep& op) {
      for (ParameterGroup& group : op.groups) edit(group);
    }));
  };
  groups("weight decay dropped", [](ParameterGroup& s) { s.weight_decay = 0.0; });
  groups("learning rate scale ignored", [](ParameterGroup& s) { s.learning_rate_scale = 1.0; });
  groups("frozen groups trained", [](ParameterGroup& s) { s.trains = true; });
  m.push_back(edited<AdamStep>("weight decay always in the gradient", [](AdamStep& op) { op.decoupled = false; }));
  m.push_back(edited<AdamStep>("weight decay never in the gradient", [](AdamStep& op) { op.decoupled = true; }));
  m.push_back(edited<AdamStep>("epsilon fixed at 1e-8", [](AdamStep& op) { op.epsilon = 1e-8; }));
  m.push_back(edited<AdamStep>("beta2 fixed at 0.999", [](AdamStep& op) { op.beta2 = 0.999; }));
  m.push_back(edited<AdamStep>("moments exchanged", [](AdamStep& op) { std::swap(op.m, op.v); }));
  m.push_back(mutation<AdamStep>("step counted from zero", [](AdamStep op, Backend& reference) {
    std::int64_t step = op.step.as<std::int64_t>()[0] - 1;
    op.step.data = &step;
    reference.run(op);
  }));
  m.push_back(mutation<AdamStep>("no bias correction", [](AdamStep op, Backend& reference) {
    std::int64_t step = 1'000'000;
    op.step.data = &step;
    reference.run(op);
  }));
  m.push_back(mutation<AdamStep>("second moment not written back", [](AdamStep op, Backend& reference) {
    const Owned<> scratch = changed(op.v, [](float value) { return value; });
    op.v = scratch.tensor();
    reference.run(op);
  }));
  m.push_back(mutation<AdamStep>("epsilon under the root", [](AdamStep op, Backend& reference) {
    const double epsilon = std::exchange(op.epsilon, 0.0);
    const Owned<> before = changed(op.w, [](float value) { return value; });
    reference.run(op);
    if (op.decoupled) return;
    for (std::int64_t i = 0; i < op.w.elements(); ++i) {
      const double step = op.w.as<float>()[i] - before[i];
      const double second = op.v.as<float>()[i];
      if (second > 0.0)
        op.w.as<float>()[i] = static_cast<float>(before[i] + step * std::sqrt(second / (second + epsilon)));
    }
  }));
  add_update<AdamStep>(m);
}

void add_clip_coefficient(std::vector<Mutation>& m) {
  m.push_back(edited<ClipCoefficient>("frozen groups included", [](ClipCoefficient& op) {
    for (ParameterGroup& group : op.groups) group.trains = true;
  }));
  m.push_back(edited<ClipCoefficient>("every group clipped separately", [](ClipCoefficient& op) {
    if (op.groups.size() > 1) op.groups.resize(1);
  }));
  m.push_back(edited<ClipCoefficient>("last element left out", [](ClipCoefficient& op) {
    for (ParameterGroup& group : op.groups) group.count = std::max<std::int64_t>(group.count - 1, 0);
  }));
  m.push_back(mutation<ClipCoefficient>("small gradients scaled up", [](ClipCoefficient op, Backend& reference) {
    const float largest = 1e-3f;
    const double wanted = std::exchange(op.max_norm, static_cast<double>(largest));
    reference.run(op);
    op.factor.as<float>()[0] *= static_cast<float>(wanted) / largest;
  }));
  m.push_back(mutation<ClipCoefficient>("squared norm", [](ClipCoefficient op, Backend& reference) {
    reference.run(op);
    float& factor = op.factor.as<float>()[0];
    if (factor < 1.0f) factor *= factor;
  }));
}

void add_ema(std::vector<Mutation>& m) {
  m.push_back(edited<EmaUpdate>("decay replaced with 1 - decay", [](EmaUpdate& op) { op.decay = 1.0 - op.decay; }));
  m.push_back(mutation<EmaUpdate>("first update averaged", [](EmaUpdate op, Backend& reference) {
    std::int64_t step = 2;
    op.step.data = &step;
    reference.run(op);
  }));
  m.push_back(mutation<EmaUpdate>("no warm-up", [](EmaUpdate op, Backend& reference) {
    std::int64_t step = op.step.as<std::int64_t>()[0] == 1 ? 1 : 1'000'000;
    op.step.data = &step;
    reference.run(op);
  }));
  m.push_back(mutation<EmaUpdate>("warm-up counted from 0", [](EmaUpdate op, Backend& reference) {
    std::int64_t step = op.step.as<std::int64_t>()[0] - 1;
    op.step.data = &step;
    reference.run(op);
  }));
  m.push_back(mutation<EmaUpdate>("average always equal to the weights", [](EmaUpdate op, Backend& reference) {
    std::int64_t step = 1;
    op.step.data = &step;
    reference.run(op);
  }));
  m.push_back(mutation<EmaUpdate>("last value left out", [](EmaUpdate op, Backend& reference) {
    const float before = op.average.as<float>()[op.average.elements() - 1];
    reference.run(op);
    op.average.as<float>()[op.average.elements() - 1] = before;
  }));
}

void add_batch_norm_backward_inference(std::vector<Mutation>& m) {
  using Backward = BatchNormBackwardInference;
  m.push_back(edited<Backward>("epsilon fixed at 1e-5", [](Backward& op) { op.attributes.epsilon = 1e-5; }));
  m.push_back(mutation<Backward>("variance used as its square root", [](Backward op, Backend& reference) {
    const Owned<> squares = changed(op.running_var, [](float v) { return v * v; });
    op.running_var = squares.tensor();
    reference.run(op);
  }));
  m.push_back(mutation<Backward>("gamma left out", [](Backward op, Backend& reference) {
    const Owned<> ones = changed(op.gamma, [](float) { return 1.0f; });
    op.gamma = ones.tensor();
    reference.run(op);
  }));
  add_target_mutations<Backward>(m);
}

/// group_norms with each norm replaced by norm(group, x, correct norm).
template <class Norm>
Mutation changed_norms(std::string name, Norm norm) {
  return mutation<GroupNorms>(std::move(name), [norm](GroupNorms op, Backend& reference) {
    reference.run(op);
    for (std::size_t k = 0; k < op.groups.size(); ++k) {
      float& y = op.y.as<float>()[2 * k];
      const ParameterGroup& group = op.groups[k];
      y = static_cast<float>(norm(group, op.x.as<float>() + group.begin, static_cast<double>(y)));
    }
  });
}

void add_group_norms(std::vector<Mutation>& m) {
  using Group = ParameterGroup;
  m.push_back(changed_norms("square root left out", [](const Group&, const float*, double y) { return y * y; }));
  m.push_back(changed_norms("root mean square", [](const Group& s, const float*, double y) {
    return y / std::sqrt(static_cast<double>(std::max<std::int64_t>(s.count, 1)));
  }));
  m.push_back(changed_norms("sum of absolute values", [](const Group& s, const float* x, double) {
    double sum = 0.0;
    for (std::int64_t i = 0; i < s.count; ++i) sum += std::abs(static_cast<double>(x[i]));
    return sum;
  }));
  m.push_back(changed_norms("norm of the sum", [](const Group& s, const float* x, double) {
    double sum = 0.0;
    for (std::int64_t i = 0; i < s.count; ++i) sum += static_cast<double>(x[i]);
    return std::abs(sum);
  }));
  m.push_back(changed_norms("frozen groups left out",
                            [](const Group& s, const float*, double y) { return s.trains ? y : 0.0; }));
  m.push_back(edited<GroupNorms>("gaps included", [](GroupNorms& op) {
    for (std::size_t k = 1; k < op.groups.size(); ++k) {
      op.groups[k - 1].count = op.groups[k].begin - op.groups[k - 1].begin;
    }
  }));
  m.push_back(edited<GroupNorms>("last element left out", [](GroupNorms& op) {
    for (ParameterGroup& group : op.groups) group.count = std::max<std::int64_t>(group.count - 1, 0);
  }));
  m.push_back(mutation<GroupNorms>("all elements counted instead of the non-finite ones",
                                   [](GroupNorms op, Backend& reference) {
                                     reference.run(op);
                                     for (std::size_t k = 0; k < op.groups.size(); ++k) {
                                       op.y.as<float>()[2 * k + 1] = static_cast<float>(op.groups[k].count);
                                     }
                                   }));
}

}  // namespace

std::vector<Mutation> normalization_mutations() {
  std::vector<Mutation> mutations;
  add_batch_norm_forward(mutations);
  add_batch_norm_backward(mutations);
  add_fold_batch_norm(mutations);
  add_response_norm<LocalResponseNormForward>(mutations);
  add_response_norm<LocalResponseNormBackward>(mutations);
  add_target_mutations<LocalResponseNormBackward>(mutations);
  add_loss(mutations);
  add_batch_norm_backward_inference(mutations);
  add_sgd(mutations);
  add_update<SgdStep>(mutations);
  add_adam(mutations);
  add_clip_coefficient(mutations);
  add_ema(mutations);
  add_group_norms(mutations);
  return mutations;
}

}  // namespace minception
