/// Interface of operations: errors of validate, output extents, multiply-accumulate counts.

#include "kernels/backend.h"
#include "tests/cases/case.h"
#include "tests/kernels/swish.h"

#include "tests/catch.h"

#include <cmath>
#include <limits>

namespace minception {
namespace {

using namespace cases;

std::string rejection(const Operation& operation) {
  try {
    validate(operation);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

/// The operation of a case, changed by `edit`.
template <class Op, class Edit>
std::string rejection_of(Edit edit) {
  for (const Case& test_case : all_cases()) {
    if (!std::holds_alternative<Op>(test_case.operation)) continue;
    Op op = std::get<Op>(test_case.operation);
    edit(op);
    return rejection(op);
  }
  return "no case found";
}

}  // namespace

TEST_CASE("every case is valid and has a unique label") {
  std::vector<std::string> labels;
  for (const Case& test_case : all_cases()) {
    INFO(test_case.label());
    CHECK(rejection(test_case.operation) == "accepted");
    CHECK(std::find(labels.begin(), labels.end(), test_case.label()) == labels.end());
    labels.push_back(test_case.label());
  }
}

TEST_CASE("validate rejects every operation without operands") {
  // The default of every alternative is an operation without operands.
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (([&] {
       const Operation empty{std::in_place_index<I>};
       INFO(name_of(empty));
       CHECK(rejection(empty).find(std::string(name_of(empty)) + ": ") == 0);
     }()),
     ...);
  }
  (std::make_index_sequence<std::variant_size_v<Operation>>{});
}

TEST_CASE("validate rejects a missing operand unless it is optional") {
  // Optional: bias, dbias, argmax (forward), relu_output, dlogits, v (sgd_step), factor (steps), prepacked.
  // Cases have a position only if they need one.
  for (const Case& test_case : all_cases()) {
    std::size_t operands = 0;
    for_each_operand(test_case.operation, [&](std::string_view, const Tensor&, Access) { ++operands; });
    for (std::size_t k = 0; k < operands; ++k) {
      Operation operation = test_case.operation;
      std::string removed;
      std::size_t index = 0;
      for_each_operand(operation, [&](std::string_view role, Tensor& tensor, Access) {
        if (index++ != k) return;
        removed = role;
        tensor = {};
      });
      const bool optional = removed == "bias" || removed == "dbias" || removed == "relu_output" ||
                            removed == "dlogits" || (removed == "v" && std::holds_alternative<SgdStep>(operation)) ||
                            (removed == "factor" && !std::holds_alternative<ClipCoefficient>(operation)) ||
                            (removed == "argmax" && std::holds_alternative<MaxPool2dForward>(operation));
      INFO(test_case.label() << " without " << removed);
      CHECK((rejection(operation) == "accepted") == optional);
    }
  }
}

TEST_CASE("validate: errors of custom operations") {
  const Tensor x = dense({2, 3, 4, 5}), w = dense(Shape{3});
  const auto rejected = [&](auto edit) {
    Custom op = swish_backward(x, w, x, w, {x});
    edit(op);
    return rejection(op);
  };
  CHECK(rejected([](Custom&) {}) == "accepted");
  CHECK(rejected([](Custom& op) { op.operation = nullptr; }) == "custom: the operation is missing");
  CHECK(rejected([](Custom& op) { op.inputs[1].tensor = {}; }) == "swish_backward: the operand w is missing");
  CHECK(rejected([](Custom& op) { op.inputs[1].role = "x"; }) == "swish_backward: two operands have the role x");
  CHECK(rejected([&](Custom& op) {
          op.outputs = {{"dx", x}};
        }) == "swish_backward: dx is in a list of operands: it belongs to `target`");
  CHECK_THROWS_WITH(Elements<const float>(Tensor()), Catch::Contains("Elements of an undefined tensor"));
  CHECK_THROWS_WITH(GradElements<float>(GradTarget{}), Catch::Contains("dx not in `target`?"));
  CHECK_THROWS_WITH(Elements<float>(Tensor(Shape{3}, DType::f32)), Catch::Contains("a tensor [3] without memory"));
  CHECK(rejected([](Custom& op) { op.inputs.pop_back(); }) == "swish_backward: no operand 'dy'; it has x, w, dw, dx");
  CHECK(rejected([](Custom& op) { op.target = {}; }) == "swish_backward: no operand 'dx'; it has x, w, dy, dw");
  CHECK(rejected([](Custom& op) {
          op.inputs[2].tensor = dense({2, 3, 4, 4});
        }) == "swish_backward: x is [2,3,4,5] but dy is [2,3,4,4]");
  CHECK(rejected([](Custom& op) { op.target.dx.dtype = DType::f64; }) == "swish_backward: dy is f32 but dx is f64");
  CHECK(rejected([](Custom& op) {
          op.target.relu_output = dense({2, 3, 4, 4});
        }) == "swish_backward: dx is [2,3,4,5] but relu_output is [2,3,4,4]");
  CHECK(rejected([](Custom& op) { op.gradients[0].tensor = dense(Shape{4}); }) ==
        "swish_backward: dw must be [3], not [4]");
}

TEST_CASE("custom operations: planning names an unsupported backend, and a run checks its workspace") {
  struct CudaOnly : SwishForward {
    bool supports(std::string_view backend) const override { return backend == "cuda" || backend == "vendor"; }
  };
  const Tensor x = dense({2, 3, 4, 5}), w = dense(Shape{3});
  Custom op = swish_forward(x, w, x);
  op.operation = std::make_shared<CudaOnly>();
  const auto reference = make_reference_backend();
  const char* message =
      "swish_forward: not implemented for the reference backend; it is implemented for cuda and vendor";
  CHECK_THROWS_WITH(reference->plan(op), message);
  CHECK_THROWS_WITH(reference->run(op), message);

  const Custom backward = swish_backward(x, w, x, w, {x});
  CHECK(reference->plan(backward).workspace == 3 * 8 * sizeof(float));
  CHECK_THROWS_WITH(reference->run(backward),
                    "swish_backward: the workspace holds 0 bytes but 96 are needed; plan the operation for this batch "
                    "size first");
}

TEST_CASE("validate: errors of conv2d") {
  using Forward = Conv2dForward;
  CHECK(rejection_of<Forward>([](Forward& op) {
          op.w = dense({64, 2, 7, 7});
        }) == "conv2d_forward: the input [2,1,32,32] has 1 channels, the weights [64,2,7,7] expect 2");
  CHECK(rejection_of<Forward>([](Forward& op) {
          op.y = dense({2, 64, 15, 16});
        }) == "conv2d_forward: the output must be [2,64,16,16], not [2,64,15,16]");
  CHECK(rejection_of<Forward>([](Forward& op) {
          op.attributes.stride = {0, 1};
        }) == "conv2d_forward: stride 0x1 or padding 3x3 is not possible");
  CHECK(rejection_of<Forward>([](Forward& op) {
          op.attributes.padding = {-1, 0};
        }) == "conv2d_forward: stride 2x2 or padding -1x0 is not possible");
  CHECK(rejection_of<Forward>([](Forward& op) {
          op.w = dense({64, 1, 39, 7});
        }) == "conv2d_forward: input [2,1,32,32] and weights [64,1,39,7] leave no output");
  CHECK(rejection_of<Forward>([](Forward& op) { op.bias = dense(Shape{63}); }) ==
        "conv2d_forward: bias must be f32 [64], not f32 [63]");
  CHECK(rejection_of<Forward>([](Forward& op) { op.y.dtype = DType::f64; }) ==
        "conv2d_forward: the input is f32 but the output is f64");
  CHECK(rejection_of<Forward>([](Forward& op) { op.w.dtype = DType::f64; }) ==
        "conv2d_forward: weights must be dense f32 (O, I, KH, KW), not f64 [64,1,7,7]");
  CHECK(rejection_of<Forward>([](Forward& op) { op.x.pixel_stride = 0; }) ==
        "conv2d_forward: the input has a pixel stride of 0 for 1 channels");
  CHECK(rejection_of<Forward>([](Forward& op) { op.prepacked = dense(Shape{8}); }) ==
        "conv2d_forward: prepacked must be flat u8");
  CHECK(rejection_of<Conv2dBackwardData>([](Conv2dBackwardData& op) { op.target.relu_output = op.dy; }) ==
        "conv2d_backward_data: dx is [2,1,32,32] but relu_output is [2,64,16,16]");
  CHECK(rejection_of<Conv2dBackwardWeights>([](Conv2dBackwardWeights& op) { op.dbias = dense(Shape{1}); }) ==
        "conv2d_backward_weights: dbias must be f32 [64], not f32 [1]");
}

TEST_CASE("validate: in bf16 the weights are f32") {
  Conv2dForward op;
  op.x = dense({1, 8, 4, 4}, DType::bf16);
  op.y = dense({1, 16, 4, 4}, DType::bf16);
  op.w = dense({16, 8, 1, 1}, DType::f32);
  CHECK(rejection(op) == "accepted");
  op.w.dtype = DType::bf16;
  CHECK(rejection(op) == "conv2d_forward: weights must be dense f32 (O, I, KH, KW), not bf16 [16,8,1,1]");
}

TEST_CASE("validate: errors of conv2d_fused_1x1") {
  using Forward = Conv2dFused1x1Forward;
  CHECK(rejection_of<Forward>([](Forward& op) { op.y.pop_back(); }) ==
        "conv2d_fused_1x1_forward: the members have 160 channels together but the weights have 176");
  CHECK(rejection_of<Forward>([](Forward& op) { op.y.clear(); }) ==
        "conv2d_fused_1x1_forward: the members are missing");
  CHECK(rejection_of<Forward>([](Forward& op) {
          op.w = dense({176, 192, 3, 3});
        }) == "conv2d_fused_1x1_forward: weights [176,192,3,3] do not fit an input [2,192,4,4]");
  CHECK(rejection_of<Forward>([](Forward& op) {
          op.y[0] = dense({2, 64, 4, 3});
        }) == "conv2d_fused_1x1_forward: a member is [2,64,4,3] but the input is [2,192,4,4]");
  CHECK(rejection_of<Conv2dFused1x1BackwardData>([](auto& op) { op.dy.clear(); }) ==
        "conv2d_fused_1x1_backward_data: dy is missing");
}

TEST_CASE("validate: errors of linear") {
  CHECK(rejection_of<LinearForward>([](LinearForward& op) {
          op.w = dense({10, 1000});
        }) == "linear_forward: input [4,1024], weights [10,1000] and output [4,10] do not fit");
  CHECK(rejection_of<LinearForward>([](LinearForward& op) {
          op.x = slice({4, 1024}, 1, 0);
        }) == "linear_forward: input and output must be dense (N, features), not [4,1024] and [4,10]");
}

TEST_CASE("validate: errors of pools") {
  using Max = MaxPool2dForward;
  CHECK(rejection_of<Max>([](Max& op) {
          op.attributes.padding = {2, 1};
        }) == "max_pool2d_forward: padding 2x1 is more than half of the kernel 3x3");
  CHECK(rejection_of<Max>([](Max& op) {
          op.attributes.kernel = {0, 3};
        }) == "max_pool2d_forward: kernel 0x3, stride 2x2 or padding 1x1 is not possible");
  CHECK(rejection_of<Max>([](Max& op) {
          op.y = op.argmax = dense({2, 64, 9, 8});
        }) == "max_pool2d_forward: y must be [2,64,8,8], not [2,64,9,8]");
  CHECK(rejection_of<Max>([](Max& op) { op.argmax.dtype = DType::i32; }) ==
        "max_pool2d_forward: argmax must be dense u8 [2,64,8,8], not [2,64,8,8]");
  CHECK(rejection_of<Max>([](Max& op) {
          op.attributes = {{17, 16}, {1, 1}, {0, 0}};
          op.x = dense({1, 1, 17, 16});
          op.y = dense({1, 1, 1, 1});
          op.argmax = dense({1, 1, 1, 1}, DType::u8);
        }) == "max_pool2d_forward: a kernel of 17x16 has more than 256 positions");
  CHECK(rejection_of<GlobalAvgPoolForward>([](auto& op) {
          op.y = dense({2, 1024, 1, 2});
        }) == "global_avg_pool_forward: y must be one pixel per image, not [2,1024,1,2]");
  CHECK(rejection_of<AdaptiveAvgPool2dForward>([](auto& op) {
          op.y = dense({2, 1023, 1, 1});
        }) == "adaptive_avg_pool2d_forward: x is [2,1024,3,3] but y is [2,1023,1,1]");
}

TEST_CASE("validate: errors of concat and split and flatten and add and relu") {
  CHECK(rejection_of<ConcatForward>([](ConcatForward& op) { op.x.pop_back(); }) ==
        "concat_forward: the inputs have 224 channels together but y has 256");
  CHECK(rejection_of<ConcatForward>([](ConcatForward& op) { op.x.clear(); }) == "concat_forward: x is missing");
  CHECK(rejection_of<Split>([](Split& op) { op.targets.pop_back(); }) ==
        "split: the parts have 224 channels together but dy has 256");
  CHECK(rejection_of<FlattenForward>([](FlattenForward& op) {
          op.y = dense({2, 2047});
        }) == "flatten_forward: the output of an input [2,128,4,4] must be dense [2,2048], not [2,2047]");
  CHECK(rejection_of<AddForward>([](AddForward& op) {
          op.b = dense({2, 320, 4, 3});
        }) == "add_forward: a is [2,320,4,4] but b is [2,320,4,3]");
  CHECK(rejection_of<ReluForward>([](ReluForward& op) {
          op.y = dense({2, 256, 4, 5});
        }) == "relu_forward: x is [2,256,4,4] but y is [2,256,4,5]");
  CHECK(rejection_of<ReluForward>([](ReluForward& op) {
          op.x = op.y = dense({2, 256, 4, 4}, DType::i32);
        }) == "relu_forward: x must be a floating type, not i32");
  CHECK(rejection_of<ReluForward>([](ReluForward& op) { op.x = op.y = dense(Shape{256}); }) ==
        "relu_forward: x must be (N, C, H, W), not [256]");
}

TEST_CASE("validate: errors of normalisation and dropout and loss and sgd_step") {
  using Training = BatchNormForwardTraining;
  CHECK(rejection_of<Training>([](Training& op) { op.attributes.epsilon = 0.0; }) ==
        "batch_norm_forward_training: epsilon 0 or momentum 0.1 is not possible");
  CHECK(rejection_of<Training>([](Training& op) { op.attributes.momentum = 1.5; }) ==
        "batch_norm_forward_training: epsilon 1e-05 or momentum 1.5 is not possible");
  CHECK(rejection_of<Training>([](Training& op) { op.gamma = dense(Shape{63}); }) ==
        "batch_norm_forward_training: gamma must be f32 [64], not f32 [63]");
  CHECK(rejection_of<LocalResponseNormForward>([](auto& op) { op.attributes.size = 0; }) ==
        "local_response_norm_forward: the window must hold at least one channel, not 0");
  CHECK(rejection_of<DropoutForward>([](DropoutForward& op) { op.attributes.p = 1.0; }) ==
        "dropout_forward: the probability must be in [0, 1), not 1");
  CHECK(rejection_of<DropoutForward>([](DropoutForward& op) { op.position = dense(Shape{2}); }) ==
        "dropout_forward: position must be i64 [2]");

  using Loss = SoftmaxCrossEntropy;
  CHECK(rejection_of<Loss>([](Loss& op) { op.divisor = 0.0; }) ==
        "softmax_cross_entropy: the divisor must be positive, not 0");
  CHECK(rejection_of<Loss>([](Loss& op) { op.label_smoothing = 1.5; }) ==
        "softmax_cross_entropy: label smoothing must be between 0 and 1, not 1.5");
  CHECK(rejection_of<Loss>([](Loss& op) { op.labels = dense(Shape{15}, DType::i32); }) ==
        "softmax_cross_entropy: labels must be i32 [16], not [15]");
  CHECK(rejection_of<Loss>([](Loss& op) {
          op.logits = slice({16, 10}, 0, 1);
        }) == "softmax_cross_entropy: logits must be dense (N, K), not [16,10]");

  CHECK(rejection_of<SgdStep>([](SgdStep& op) {
          op.groups = {{0, 600}, {500, 100}};
        }) == "sgd_step: groups must be ordered and disjoint");
  CHECK(rejection_of<SgdStep>([](SgdStep& op) {
          op.groups = {{500, 501}};
        }) == "sgd_step: a group ends at 1001 but the buffer ends at 1000");
  CHECK(rejection_of<SgdStep>([](SgdStep& op) { op.v = dense(Shape{999}); }) ==
        "sgd_step: v [999] and w [1000] differ");
  CHECK(rejection_of<SgdStep>([](SgdStep& op) { op.schedule = dense(Shape{3}); }) ==
        "sgd_step: schedule must be f32 [2]");
  CHECK(rejection_of<SgdStep>([](SgdStep& op) { op.factor = dense(Shape{2}); }) ==
        "sgd_step: factor must be f32 [1], not f32 [2]");
}

TEST_CASE("validate: errors of adam_step and clip_coefficient and ema_update") {
  CHECK(rejection_of<AdamStep>([](AdamStep& op) { op.step = dense(Shape{1}, DType::i32); }) ==
        "adam_step: step must be i64 [1]");
  CHECK(rejection_of<AdamStep>([](AdamStep& op) { op.schedule = dense(Shape{1}); }) ==
        "adam_step: schedule must be f32 [2]");
  CHECK(rejection_of<AdamStep>([](AdamStep& op) { op.m = dense(Shape{999}); }) ==
        "adam_step: m [999] and w [1000] differ");
  CHECK(rejection_of<AdamStep>([](AdamStep& op) { op.v.dtype = DType::f64; }) ==
        "adam_step: v [1000] and w [1000] differ");
  CHECK(rejection_of<AdamStep>([](AdamStep& op) { op.beta2 = 1.0; }) == "adam_step: beta2 must be in [0, 1), not 1");
  CHECK(rejection_of<AdamStep>([](AdamStep& op) { op.epsilon = -1.0; }) ==
        "adam_step: epsilon must be 0 or more, not -1");
  CHECK(rejection_of<AdamStep>([](AdamStep& op) {
          op.groups = {{500, 501}};
        }) == "adam_step: a group ends at 1001 but the buffer ends at 1000");
  CHECK(rejection_of<ClipCoefficient>([](ClipCoefficient& op) { op.max_norm = 0.0; }) ==
        "clip_coefficient: max_norm must be positive, not 0");
  CHECK(rejection_of<ClipCoefficient>([](ClipCoefficient& op) { op.factor = dense(Shape{1}, DType::f64); }) ==
        "clip_coefficient: factor must be f32 [1], not f64 [1]");
  CHECK(rejection_of<ClipCoefficient>([](ClipCoefficient& op) {
          op.g = dense({10, 100});
        }) == "clip_coefficient: g must be one flat f32 or f64 buffer, not f32 [10,100]");
  CHECK(rejection_of<EmaUpdate>([](EmaUpdate& op) { op.decay = 1.5; }) ==
        "ema_update: the decay must be between 0 and 1, not 1.5");
  CHECK(rejection_of<EmaUpdate>([](EmaUpdate& op) { op.average = dense(Shape{2}); }) ==
        "ema_update: average [2] and w [1] differ");
  CHECK(rejection_of<BatchNormBackwardInference>([](BatchNormBackwardInference& op) { op.gamma = dense(Shape{3}); }) ==
        "batch_norm_backward_inference: gamma must be f32 [64], not f32 [3]");
}

TEST_CASE("validate rejects images and weights without elements") {
  CHECK(rejection_of<LoadBatch>([](LoadBatch& op) {
          op.images = dense({9, 1, 0, 28}, DType::u8);
        }) == "load_batch: images is empty: [9,1,0,28]");
  CHECK(rejection_of<BatchNormForwardTraining>([](auto& op) {
          op.x = op.y = dense({0, 64, 4, 4});
        }) == "batch_norm_forward_training: x is empty: [0,64,4,4]");
  CHECK(rejection_of<Conv2dForward>([](Conv2dForward& op) {
          op.w = dense({64, 1, 0, 0});
          op.y = dense({2, 64, 20, 20});
        }) == "conv2d_forward: weights [64,1,0,0] are empty");
  CHECK(rejection_of<Conv2dBackwardWeights>([](Conv2dBackwardWeights& op) {
          op.x = dense({2, 0, 32, 32});
          op.dw = dense({64, 0, 7, 7});
        }) == "conv2d_backward_weights: the input is empty: [2,0,32,32]");
  CHECK(rejection_of<LinearForward>([](LinearForward& op) {
          op.x = dense({4, 0});
          op.w = dense({10, 0});
        }) == "linear_forward: the input is empty: [4,0]");
  CHECK(rejection_of<Conv2dFused1x1Forward>([](auto& op) {
          op.y.push_back(dense({2, 0, 4, 4}));
        }) == "conv2d_fused_1x1_forward: a member is empty: [2,0,4,4]");
  CHECK(rejection_of<DropoutForward>([](DropoutForward& op) {
          op.x = op.y = dense({0, 4});
        }) == "dropout_forward: x is empty: [0,4]");

  // Every image operand is rejected if its batch is 0.
  for (const Case& test_case : all_cases()) {
    std::size_t operands = 0;
    for_each_operand(test_case.operation, [&](std::string_view, const Tensor&, Access) { ++operands; });
    for (std::size_t k = 0; k < operands; ++k) {
      Operation operation = test_case.operation;
      std::string emptied;
      std::size_t index = 0;
      for_each_operand(operation, [&](std::string_view role, Tensor& tensor, Access) {
        if (index++ != k || !tensor.is_image()) return;
        emptied = role;
        tensor.shape = tensor.shape.rank() == 2 ? Shape{0, tensor.shape[1]}
                                                : Shape{0, tensor.shape[1], tensor.shape[2], tensor.shape[3]};
      });
      INFO(test_case.label() << " with an empty " << emptied);
      CHECK((emptied.empty() || rejection(operation) != "accepted"));
    }
  }
}

TEST_CASE("validate rejects settings that are not finite") {
  const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
  CHECK(rejection_of<AdamStep>([=](AdamStep& op) { op.beta2 = nan; }) == "adam_step: beta2 must be in [0, 1), not nan");
  CHECK(rejection_of<AdamStep>([=](AdamStep& op) { op.epsilon = nan; }) ==
        "adam_step: epsilon must be 0 or more, not nan");
  CHECK(rejection_of<AdamStep>([=](AdamStep& op) { op.epsilon = infinity; }) ==
        "adam_step: epsilon must be 0 or more, not inf");
  CHECK(rejection_of<SgdStep>([=](SgdStep& op) { op.groups[0].weight_decay = nan; }) ==
        "sgd_step: learning rate scale 1 and weight decay nan of a group must be 0 or more");
  CHECK(rejection_of<AdamStep>([=](AdamStep& op) { op.groups[0].learning_rate_scale = -1.0; }) ==
        "adam_step: learning rate scale -1 and weight decay 0 of a group must be 0 or more");
  CHECK(rejection_of<EmaUpdate>([=](EmaUpdate& op) { op.decay = nan; }) ==
        "ema_update: the decay must be between 0 and 1, not nan");
  CHECK(rejection_of<ClipCoefficient>([=](ClipCoefficient& op) { op.max_norm = nan; }) ==
        "clip_coefficient: max_norm must be positive, not nan");
  CHECK(rejection_of<DropoutForward>([=](DropoutForward& op) { op.attributes.p = nan; }) ==
        "dropout_forward: the probability must be in [0, 1), not nan");
  CHECK(rejection_of<BatchNormForwardTraining>([=](auto& op) { op.attributes.epsilon = infinity; }) ==
        "batch_norm_forward_training: epsilon inf or momentum 0.1 is not possible");
  CHECK(rejection_of<LocalResponseNormForward>([=](auto& op) { op.attributes.k = 0.0; }) ==
        "local_response_norm_forward: k 0 must be above 0, alpha 0.0001 0 or more, beta 0.75 finite");
  CHECK(rejection_of<AddForward>([=](AddForward& op) { op.scale = nan; }) ==
        "add_forward: the scale must be finite, not nan");
  CHECK(rejection_of<SoftmaxCrossEntropy>([=](SoftmaxCrossEntropy& op) { op.divisor = nan; }) ==
        "softmax_cross_entropy: the divisor must be positive, not nan");
  CHECK(rejection_of<LoadBatch>([=](LoadBatch& op) { op.scale = {std::nanf("")}; }) ==
        "load_batch: scale and shift must be finite, not nan");
  CHECK(rejection_of<FoldBatchNorm>([=](FoldBatchNorm& op) { op.epsilon = nan; }) ==
        "fold_batch_norm: an epsilon of nan must be above 0");
}

TEST_CASE("validate: errors of load_batch") {
  CHECK(rejection_of<LoadBatch>([](LoadBatch& op) { op.images.dtype = DType::f32; }) ==
        "load_batch: images must be dense u8");
  CHECK(rejection_of<LoadBatch>([](LoadBatch& op) {
          op.scale = {1.0f, 2.0f};
        }) == "load_batch: scale and shift must have 1 or 1 values, not 2");
  CHECK(rejection_of<LoadBatch>([](LoadBatch& op) {
          op.y = dense({4, 3, 28, 28});
        }) == "load_batch: y has 3 channels, images have 1");
  CHECK(rejection_of<LoadBatch>([](LoadBatch& op) { op.indices = dense(Shape{3}, DType::i32); }) ==
        "load_batch: indices must be i32 [4], not [3]");
}

TEST_CASE("validate: errors of augmentation") {
  CHECK(rejection_of<LoadBatch>([](LoadBatch& op) { op.augmentation.flip = true; }) ==
        "load_batch: the operand position is missing");
  CHECK(rejection_of<LoadBatch>([](LoadBatch& op) { op.augmentation.padding.w = 1; }) ==
        "load_batch: the operand position is missing");
  CHECK(rejection_of<LoadBatch>([](LoadBatch& op) { op.position = dense(Shape{3}, DType::i64); }) ==
        "load_batch: position must be i64 [2]");
  CHECK(rejection_of<LoadBatch>([](LoadBatch& op) { op.position = dense(Shape{2}, DType::i64); }) == "accepted");
  CHECK(rejection_of<LoadBatch>([](LoadBatch& op) {
          op.augmentation.padding = {4, -1};
        }) == "load_batch: a padding of 4x-1 does not fit images of 28x28");
  CHECK(rejection_of<LoadBatch>([](LoadBatch& op) {
          op.augmentation.padding = {28, 0};
        }) == "load_batch: a padding of 28x0 does not fit images of 28x28");
  for (const auto& [least, says] : {std::pair{0.0, "load_batch: augmentation: scale must be in (0, 1], not 0"},
                                    std::pair{1.5, "load_batch: augmentation: scale must be in (0, 1], not 1.5"},
                                    std::pair{0.5, "load_batch: the operand position is missing"}}) {
    const double area = least;
    CHECK(rejection_of<LoadBatch>([&](LoadBatch& op) { op.augmentation.scale = area; }) == says);
  }
  CHECK(rejection_of<LoadBatch>([](LoadBatch& op) { op.augmentation.ratio = 0.5; }) ==
        "load_batch: augmentation: ratio must be in [1, 1000], not 0.5");
  CHECK(rejection_of<LoadBatch>([](LoadBatch& op) {
          op.augmentation.padding = {2, 0};
          op.augmentation.ratio = 2.0;
        }) == "load_batch: augmentation: random resized crop and padding cannot be combined");
  CHECK(rejection_of<LoadBatch>([](LoadBatch& op) { op.augmentation.contrast = 1.5; }) ==
        "load_batch: the range of contrast must be in [0, 1], not 1.5");
  CHECK(rejection_of<LoadBatch>([](LoadBatch& op) { op.augmentation.brightness = -1.0; }) ==
        "load_batch: the range of brightness must be in [0, 1], not -1");
  CHECK(rejection_of<LoadBatch>([](LoadBatch& op) { op.augmentation.saturation = 0.5; }) ==
        "load_batch: saturation needs images with 3 channels, not 1");
}

TEST_CASE("validate: errors of fill and cast and group_norms") {
  CHECK(rejection_of<Fill>([](Fill& op) { op.y.dtype = DType::i32; }) == "fill: y must be a floating type, not i32");
  CHECK(rejection_of<Fill>([](Fill& op) { op.y.pixel_stride = 3; }) ==
        "fill: y has a pixel stride of 3 for 256 channels");
  CHECK(rejection_of<Cast>([](Cast& op) {
          op.y = dense({2, 256, 4, 5}, DType::bf16);
        }) == "cast: x is [2,256,4,4] but y is [2,256,4,5]");
  CHECK(rejection_of<Cast>([](Cast& op) { op.x.dtype = DType::u8; }) == "cast: x must be a floating type, not u8");
  CHECK(rejection_of<Cast>([](Cast& op) { op.y.dtype = DType::f16; }) == "cast: y must be a floating type, not f16");
  for (const DType from : {DType::f32, DType::bf16, DType::f64}) {
    for (const DType to : {DType::f32, DType::bf16, DType::f64}) {
      CHECK(rejection_of<Cast>([=](Cast& op) {
              op.x.dtype = from;
              op.y.dtype = to;
            }) == "accepted");
    }
  }
  CHECK(rejection_of<GroupNorms>([](GroupNorms& op) {
          op.y = dense({2, 2});
        }) == "group_norms: y must be dense f32 [1,2], not f32 [2,2]");
  CHECK(rejection_of<GroupNorms>([](GroupNorms& op) { op.y.dtype = DType::f64; }) ==
        "group_norms: y must be dense f32 [1,2], not f64 [1,2]");
  CHECK(rejection_of<GroupNorms>([](GroupNorms& op) {
          op.x = dense({1000, 1});
        }) == "group_norms: x must be one flat f32 or f64 buffer, not f32 [1000,1]");
  CHECK(rejection_of<GroupNorms>([](GroupNorms& op) { op.x.dtype = DType::bf16; }) ==
        "group_norms: x must be one flat f32 or f64 buffer, not bf16 [1000]");
  CHECK(rejection_of<GroupNorms>([](GroupNorms& op) { op.groups[0].begin = 1; }) ==
        "group_norms: a group ends at 1001 but the buffer ends at 1000");
}

TEST_CASE("output extents are those of PyTorch") {
  CHECK(convolved_extent(32, 7, 2, 3) == 16);
  CHECK(convolved_extent(224, 11, 4, 2) == 55);
  CHECK(convolved_extent(5, 5, 1, 0) == 1);
  CHECK(convolved_extent(4, 5, 1, 0) == 0);
  CHECK(convolved_extent(1, 1, 3, 0) == 1);

  CHECK(pooled_extent(112, 3, 2, 0, true) == 56);
  CHECK(pooled_extent(112, 3, 2, 0, false) == 55);
  CHECK(pooled_extent(112, 3, 2, 1, false) == 56);
  CHECK(pooled_extent(14, 2, 2, 0, true) == 7);
  CHECK(pooled_extent(7, 2, 2, 0, true) == 4);
  CHECK(pooled_extent(7, 2, 2, 0, false) == 3);
  CHECK(pooled_extent(2, 3, 2, 0, true) == 1);  // rounds -1/2 up to 0
  CHECK(pooled_extent(2, 3, 2, 0, false) == 0);
  CHECK(pooled_extent(5, 1, 3, 0, true) == 2);  // a window that would start at 6 is dropped
  CHECK(pooled_extent(4, 2, 3, 1, true) == 2);
  CHECK(pooled_extent(3, 2, 2, 1, true) == 2);  // would start at 4: beyond input and leading padding
  CHECK(pooled_extent(1, 3, 2, 0, true) == 0);
  CHECK(pooled_extent(2, 3, 1, 0, true) == 0);
}

TEST_CASE("multiply_accumulates of convolutions and linear") {
  Conv2dForward conv;
  conv.attributes = {{2, 2}, {3, 3}, false};
  conv.x = dense({2, 3, 32, 32});
  conv.w = dense({64, 3, 7, 7});
  conv.y = dense({2, 64, 16, 16});
  CHECK(multiply_accumulates(conv) == 2 * 16 * 16 * 64 * 3 * 49);
  Conv2dBackwardData data;
  data.dy = conv.y;
  data.w = conv.w;
  data.target.dx = conv.x;
  CHECK(multiply_accumulates(data) == multiply_accumulates(conv));
  Conv2dFused1x1Forward group;
  group.x = dense({2, 192, 4, 4});
  group.w = dense({176, 192, 1, 1});
  group.y = {dense({2, 64, 4, 4}), dense({2, 112, 4, 4})};
  CHECK(multiply_accumulates(group) == 2 * 16 * 176 * 192);
  LinearForward linear;
  linear.x = dense({4, 1024});
  linear.w = dense({10, 1024});
  linear.y = dense({4, 10});
  CHECK(multiply_accumulates(linear) == 4 * 10 * 1024);
  CHECK(multiply_accumulates(ReluForward{}) == 0);
}

}  // namespace minception
