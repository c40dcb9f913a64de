#include "layers/dropout.h"
#include "core/random.h"
#include "layers/control.h"

namespace minception {

Dropout::Dropout(double p, std::uint64_t seed) : attributes_{.p = p, .seed = seed} {
  require(p >= 0.0 && p < 1.0, "a Dropout with p ", p, ": the rate must be in [0, 1)");
}

void Dropout::register_parameters(ParameterTable& table, const std::string& name) {
  Layer::register_parameters(table, name);
  // Streams from 2^31 up are reserved for other uses, such as the sample order.
  attributes_.stream = static_cast<std::uint32_t>(name_hash(name)) & 0x7fffffffu;
}

Tensor Dropout::forward(Plan& plan, const Tensor& x, const Tensor& destination) {
  const bool drops = plan.mode() == Mode::training;
  if (!drops && !destination.defined()) return x;
  const Tensor y = output(plan, x, destination);
  if (drops) {
    plan.add(name(), DropoutForward{.attributes = attributes_, .position = position_tensor(plan), .x = x, .y = y});
  } else {
    plan.add(name(), ConcatForward{.x = {x}, .y = y});  // copies x into the destination
  }
  return y;
}

void Dropout::backward(Plan& plan, const Tensor& dy, const GradTarget& target) {
  if (!target.dx.defined()) return;
  plan.add(name(),
           DropoutBackward{.attributes = attributes_, .position = position_tensor(plan), .dy = dy, .target = target});
}

}  // namespace minception
