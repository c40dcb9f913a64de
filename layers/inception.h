#pragma once
#include <minception/layers/basic_conv2d.h>
#include <minception/layers/max_pool2d.h>
#include <minception/layers/sequential.h>

#include <array>
#include <optional>

namespace minception {

/// Output channels of an Inception block, as in the columns of table 1 of Szegedy et al. 2015.
struct InceptionChannels {
  std::int64_t in = 0;
  std::int64_t branch1 = 0;         ///< 1x1
  std::int64_t branch2_reduce = 0;  ///< 1x1 before the 3x3
  std::int64_t branch2 = 0;         ///< 3x3
  std::int64_t branch3_reduce = 0;  ///< 1x1 before the 5x5
  std::int64_t branch3 = 0;         ///< 5x5
  std::int64_t branch4 = 0;         ///< 1x1 after the 3x3 max-pool; 0: no such branch

  std::int64_t out() const { return branch1 + branch2 + branch3 + branch4; }
};

/// What follows the 1x1 convolutions of the second and third branch. Their output channels are branch2 and branch3 in
/// all variants; where a branch has several convolutions, those before its last end have the channels that are named.
enum class InceptionKind : std::uint8_t {
  paper,       ///< a 3x3; a 5x5 (or 3x3) (Szegedy et al. 2015, figure 2b)
  two_3x3,     ///< a 3x3; two 3x3 with branch3 channels in place of the 5x5 (Szegedy et al. 2016, figure 5)
  factorised,  ///< 1xn, nx1; nx1, 1xn, nx1, 1xn, inside with the reduced channels (Szegedy et al. 2016, figure 6)
  /// 1x3 beside 3x1; a 3x3 with branch3 channels, then 1x3 beside 3x1 (Szegedy et al. 2016, figure 7). The two side by
  /// side have half of the branch's channels each.
  expanded,
};

/// The Inception block (Szegedy et al. 2015, figure 2b) and its later variants, every convolution a BasicConv2d.
///   forward    y = [branch1(x), branch2.1(branch2.0(x)), branch3.1(branch3.0(x)), branch4.1(max_pool(x))]
///   backward   the branches in reverse order. The pool's gradient is written to dx first; the three 1x1 convolutions
///              that read x then add theirs in one GEMM, whose epilogue applies the mask of the layer below. Without
///              a pool branch that GEMM alone makes dx.
/// Those three run as one operation (conv2d_1x1_group): their weights lie one after the other in memory. Every branch
/// writes straight into its channels of y.
class Inception final : public Layer {
 public:
  struct Options {
    InceptionChannels channels;
    bool batch_norm = false;
    double epsilon = 1e-5;
    std::int64_t branch3_kernel = 5;  ///< of kind `paper`: 5 as in the paper, 3 as in torchvision
    InceptionKind kind = InceptionKind::paper;
    std::int64_t factor = 7;  ///< n of kind `factorised`, odd
  };

  /// Throws Error for channels below 1 (branch4 apart), and if the kind does not go with channels, kernel or factor.
  explicit Inception(const Options& options);

  void declare(ParameterTable& table, const std::string& name) override;
  Shape output_shape(const Shape& input) const override;
  bool ends_in_relu() const override { return true; }
  Tensor forward(Plan& plan, const Tensor& x, const Tensor& destination = {}) override;
  void backward(Plan& plan, const Tensor& dy, const GradTarget& target) override;

 private:
  static constexpr std::size_t kMembers = 3;  // branch1, branch2.0 and branch3.0
  std::array<std::int64_t, kMembers> member_channels() const;

  Options options_;
  std::array<std::optional<BatchNorm2d>, kMembers> bn_;
  Sequential branch2_;  // what follows the member
  Sequential branch3_;
  MaxPool2d pool_;
  std::optional<BasicConv2d> branch4_;
  ParameterId weights_ = 0;  // of the three members, in one block
  ParameterId biases_ = 0;

  Tensor x_, pooled_;
  std::array<Tensor, kMembers> outputs_;  // of the members, after the ReLU
  Shape preactivation_;                   // with BatchNorm: the members' convolutions side by side
};

}  // namespace minception
