#pragma once
#include "layers/basic_conv2d.h"
#include "layers/max_pool2d.h"
#include "layers/sequential.h"

#include <array>
#include <optional>

namespace minception {

/// Channels of an Inception block: input, then outputs as in the columns of table 1 of Szegedy et al. 2015.
struct InceptionChannels {
  std::int64_t in = 0;              ///< 0: those of the input; another value must be equal to them
  std::int64_t branch1 = 0;         ///< 1x1
  std::int64_t branch2_reduce = 0;  ///< 1x1 before the 3x3
  std::int64_t branch2 = 0;         ///< 3x3
  std::int64_t branch3_reduce = 0;  ///< 1x1 before the 5x5
  std::int64_t branch3 = 0;         ///< 5x5
  std::int64_t branch4 = 0;         ///< 1x1 after the 3x3 max-pool; 0: branch absent

  std::int64_t out() const { return branch1 + branch2 + branch3 + branch4; }
};

/// Convolutions after the 1x1 of the second and third branch. The branches output branch2 and branch3 channels in all
/// variants; the comments give the channels of convolutions in between.
enum class InceptionKind : std::uint8_t {
  paper,       ///< 3x3; 5x5 (or 3x3) (Szegedy et al. 2015, figure 2b)
  two_3x3,     ///< 3x3; two 3x3 with branch3 channels in place of the 5x5 (Szegedy et al. 2016, figure 5)
  factorised,  ///< 1xn, nx1; nx1, 1xn, nx1, 1xn; reduced channels in between (Szegedy et al. 2016, figure 6)
  /// 1x3 and 3x1 in parallel; 3x3 with branch3 channels, then 1x3 and 3x1 in parallel (Szegedy et al. 2016, figure 7).
  /// Each of the two parallel convolutions has half of the branch's channels.
  expanded,
};

std::string_view name_of(InceptionKind kind);
/// Throws Error, listing the names, for an unknown name.
void parse_name(std::string_view name, InceptionKind& kind);

/// The Inception block (Szegedy et al. 2015, figure 2b) and its later variants. Every convolution is a BasicConv2d.
///   forward    y = [branch1(x), branch2.1(branch2.0(x)), branch3.1(branch3.0(x)), branch4.1(max_pool(x))]
///   backward   the branches in reverse order. The pool writes its gradient to dx first; the fused 1x1 convolutions
///              then add theirs in one GEMM, whose epilogue applies the ReLU mask of the layer below. Without a pool
///              branch that GEMM alone writes dx.
/// The three 1x1 convolutions that read x run as one operation (Conv2dFused1x1Forward); their weights are contiguous in
/// memory. Every branch writes directly into its channels of y.
class Inception final : public Layer {
 public:
  struct Options {
    InceptionChannels channels;
    bool batch_norm = false;
    double epsilon = 1e-5;
    std::int64_t branch3_kernel = 5;  ///< kind `paper`: 5 as in the paper, 3 as in torchvision
    InceptionKind kind = InceptionKind::paper;
    std::int64_t factor = 7;  ///< kind `factorised`: n, odd

    template <class Self, class F>
    static void each_setting(Self& self, F&& f) {
      f("in", self.channels.in, from_input);
      f("branch1", self.channels.branch1);
      f("branch2_reduce", self.channels.branch2_reduce);
      f("branch2", self.channels.branch2);
      f("branch3_reduce", self.channels.branch3_reduce);
      f("branch3", self.channels.branch3);
      f("branch4", self.channels.branch4);
      f("batch_norm", self.batch_norm);
      f("epsilon", self.epsilon);
      f("branch3_kernel", self.branch3_kernel);
      f("kind", self.kind);
      f("factor", self.factor);
    }
  };

  /// Throws Error for channels below 1 (branch4: below 0), for an even kernel or factor, and for kind `expanded` with a
  /// branch of fewer than 2 channels.
  explicit Inception(const Options& options);
  const Options& options() const { return options_; }

  void infer(const std::string& name, const Shape& input) override;
  void register_parameters(ParameterTable& table, const std::string& name) override;
  Shape output_shape(const Shape& input) const override;
  bool ends_in_relu() const override { return true; }
  Tensor forward(Plan& plan, const Tensor& x, const Tensor& destination = {}) override;
  void backward(Plan& plan, const Tensor& dy, const GradTarget& target) override;

 private:
  static constexpr std::size_t kMembers = 3;  // fused 1x1 convolutions: branch1, branch2.0, branch3.0
  std::array<std::int64_t, kMembers> member_channels() const;

  Options options_;
  std::int64_t in_channels_ = 0;
  std::array<std::optional<BatchNorm2d>, kMembers> bn_;
  Sequential branch2_;  // after the member, as branch3_
  Sequential branch3_;
  MaxPool2d pool_;
  std::optional<BasicConv2d> branch4_;
  ParameterId weights_ = 0;  // first of the three members' weights, in one block
  ParameterId biases_ = 0;

  Tensor x_, pooled_;
  std::array<Tensor, kMembers> outputs_;  // of the members, after the ReLU
  Shape preactivation_;                   // with BatchNorm: concatenated outputs of the members' convolutions
};

}  // namespace minception
