/// Bare convolutions, built by the same code as those of the cpu backend (kernels/cpu/onednn.h).

#include "benchmarks/onednn_peer.h"
#include "core/buffer.h"
#include "core/error.h"
#include "kernels/cpu/onednn.h"

#include <algorithm>
#include <optional>

namespace minception {
namespace {

/// Common form of the operations that multiply. Fused 1x1 convolutions are one convolution with all weights.
struct Product {
  cpu::Pass pass;
  Conv2dAttributes attributes;
  Tensor x, w, bias;
  std::vector<Tensor> y;
};

class BareConvolution final : public OneDnnPeer {
 public:
  /// `inputs`: values of x, w, bias and the members of y, dense; empty if the operand is computed.
  BareConvolution(const Product& product, DType storage, const std::vector<std::vector<float>>& inputs, int threads)
      : onednn_(threads), product_(product), storage_(storage) {
    const auto& [pass, a, x, w, bias, y] = product;
    const bool forward = pass == cpu::Pass::forward;
    convolution_ = onednn_.convolution({pass, storage, forward && bias.defined(), forward && a.relu, x.n(), x.c(),
                                        x.h(), x.w(), w.n(), y[0].h(), y[0].w(), w.h(), w.w(), a.stride.h, a.stride.w,
                                        a.padding.h, a.padding.w});
    require(convolution_ != nullptr, "oneDNN has only reference loops for this shape");
    const auto joined_count = x.n() * w.n() * y[0].h() * y[0].w();
    x_ = store(inputs[0], x.elements(), storage);
    y_ = store(join(inputs), joined_count, storage);
    bias_ = store(inputs[2], w.n(), DType::f32);
    plain_w_ = store(inputs[1], w.elements(), DType::f32);
    if (convolution_->prepacked_bytes() > 0) {
      prepacked_w_ = allocate_host(convolution_->prepacked_bytes());
      if (pass != cpu::Pass::backward_weights) convolution_->pack(f32(plain_w_), prepacked_w_.data());
    }
    scratch_ = allocate_host(convolution_->scratch_bytes());
  }

  void run() override {
    const bool biased = product_.pass == cpu::Pass::forward && product_.bias.defined();
    convolution_->run(x_.data(), convolution_->prepacked_bytes() > 0 ? prepacked_w_.data() : plain_w_.data(),
                      biased ? bias_.data() : nullptr, y_.data(), scratch_.data());
  }

  PeerResults results() const override {
    if (product_.pass == cpu::Pass::backward_data) return {{"dx", load(x_, product_.x.elements(), storage_)}};
    if (product_.pass == cpu::Pass::backward_weights) {
      Buffer plain = allocate_host(plain_w_.bytes());
      const bool prepacked = convolution_->prepacked_bytes() > 0;
      if (prepacked) convolution_->unpack(prepacked_w_.data(), f32(plain));
      return {{"dw", load(prepacked ? plain : plain_w_, product_.w.elements(), DType::f32)}};
    }
    const std::int64_t channels = product_.w.n();
    const std::vector<float> all =
        load(y_, product_.x.n() * channels * product_.y[0].h() * product_.y[0].w(), storage_);
    PeerResults parts;
    std::int64_t begin = 0;
    for (const Tensor& member : product_.y) {
      std::vector<float> part;
      part.reserve(static_cast<std::size_t>(member.elements()));
      for (std::int64_t pixel = 0; pixel < member.pixels(); ++pixel) {
        const auto first = all.begin() + static_cast<std::ptrdiff_t>(pixel * channels + begin);
        part.insert(part.end(), first, first + member.c());
      }
      begin += member.c();
      parts.emplace_back("y", std::move(part));
    }
    return parts;
  }

  std::string implementation() const override {
    const std::string line = onednn_.implementations().front();
    return line.substr(line.rfind(": ") + 2);
  }

 private:
  static float* f32(const Buffer& buffer) { return static_cast<float*>(buffer.data()); }

  static Buffer store(const std::vector<float>& values, std::int64_t count, DType dtype) {
    Buffer buffer = allocate_host(static_cast<std::size_t>(count) * size_of(dtype));
    if (dtype == DType::bf16) {
      std::transform(values.begin(), values.end(), static_cast<bf16*>(buffer.data()), [](float v) { return bf16(v); });
    } else {
      std::copy(values.begin(), values.end(), f32(buffer));
    }
    return buffer;
  }
  static std::vector<float> load(const Buffer& buffer, std::int64_t count, DType dtype) {
    std::vector<float> values(static_cast<std::size_t>(count));
    const auto* narrow = static_cast<const bf16*>(buffer.data());
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = dtype == DType::bf16 ? static_cast<float>(narrow[i]) : f32(buffer)[i];
    }
    return values;
  }

  /// Concatenates the channels of the members of y into one tensor.
  std::vector<float> join(const std::vector<std::vector<float>>& inputs) const {
    if (inputs[3].empty()) return {};
    std::vector<float> all;
    for (std::int64_t pixel = 0; pixel < product_.y[0].pixels(); ++pixel) {
      for (std::size_t j = 0; j < product_.y.size(); ++j) {
        const std::int64_t c = product_.y[j].c();
        const auto first = inputs[3 + j].begin() + static_cast<std::ptrdiff_t>(pixel * c);
        all.insert(all.end(), first, first + c);
      }
    }
    return all;
  }

  cpu::OneDnn onednn_;
  Product product_;
  DType storage_;
  cpu::Convolution* convolution_ = nullptr;
  Buffer x_, plain_w_, prepacked_w_, bias_, y_, scratch_;
};

/// Converts an operation to a Product; nullopt for other operations.
struct ToProduct {
  using Answer = std::optional<Product>;
  Answer operator()(const Conv2dForward& op) const {
    return Product{cpu::Pass::forward, op.attributes, op.x, op.w, op.bias, {op.y}};
  }
  Answer operator()(const Conv2dBackwardData& op) const {
    return Product{cpu::Pass::backward_data, op.attributes, op.target.dx, op.w, {}, {op.dy}};
  }
  Answer operator()(const Conv2dBackwardWeights& op) const {
    return Product{cpu::Pass::backward_weights, op.attributes, op.x, op.dw, {}, {op.dy}};
  }
  Answer operator()(const Conv2dFused1x1Forward& op) const {
    return Product{cpu::Pass::forward, {.relu = op.relu}, op.x, op.w, op.bias, op.y};
  }
  Answer operator()(const Conv2dFused1x1BackwardData& op) const {
    return Product{cpu::Pass::backward_data, {}, op.target.dx, op.w, {}, op.dy};
  }
  Answer operator()(const Conv2dFused1x1BackwardWeights& op) const {
    return Product{cpu::Pass::backward_weights, {}, op.x, op.dw, {}, op.dy};
  }
  template <class Other>
  Answer operator()(const Other&) const {
    return std::nullopt;
  }
};

}  // namespace

std::unique_ptr<OneDnnPeer> make_onednn_convolution(const Operation& operation, DType storage,
                                                    const OperandValues& values, int threads) {
  const std::optional<Product> product = std::visit(ToProduct(), operation);
  if (!product) return nullptr;
  // Values of x, w, bias, and the members of y, where they are read.
  std::vector<std::vector<float>> inputs(3 + product->y.size());
  std::size_t k = 0, member = 0;
  for_each_operand(operation, [&](std::string_view role, const Tensor& tensor, Access access) {
    const std::size_t operand = k++;
    if (role == "prepacked" || access == Access::write) return;
    const std::size_t place = role == "x" ? 0 : role == "w" ? 1 : role == "bias" ? 2 : 3 + member++;
    for (std::int64_t i = 0; i < tensor.elements(); ++i) {
      inputs[place].push_back(static_cast<float>(values(operand, static_cast<std::size_t>(i))));
    }
  });
  return std::make_unique<BareConvolution>(*product, storage, inputs, threads);
}

}  // namespace minception
