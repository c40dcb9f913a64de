/// Invalid models and invalid use of a network give a one-line Error and never crash.

#include "layers/concat.h"
#include "models/summary.h"
#include "tests/core/temporary_folder.h"
#include "tests/models/networks.h"

#include "tests/catch.h"

#include <cmath>
#include <functional>

using namespace minception;
using namespace minception::testing;

namespace {

/// The error message of a network with small_googlenet after this change.
std::string refusal(const std::function<void(Model&)>& change, const NetworkOptions& options = {.max_batch = 2}) {
  const auto backend = make_reference_backend();
  Model model = small_googlenet(false, true);
  change(model);
  const std::string message = message_of([&] { Network(std::move(model), *backend, options); });
  CHECK(message.find('\n') == std::string::npos);
  return message;
}

std::unique_ptr<Sequential> head(std::int64_t classes) {
  auto layers = std::make_unique<Sequential>();
  layers->add<GlobalAvgPool>("avgpool");
  layers->add<Linear>("fc", Linear::Options{.in_features = 67, .out_features = classes});
  return layers;
}

Network small_network(Backend& backend, const NetworkOptions& options) {
  return Network(small_googlenet(true, true), backend, options);
}

}  // namespace

TEST_CASE("a model without a required part is rejected") {
  CHECK(refusal([](Model&) {}).empty());
  CHECK(refusal([](Model& m) { m.body = nullptr; }) == "small has no body: add layers that end in logits");
  CHECK(refusal([](Model& m) { m.body = std::make_unique<Sequential>(); }) ==
        "small has no body: add layers that end in logits");
  CHECK(refusal([](Model& m) { m.auxiliary[0].layers = nullptr; }) ==
        "the head aux1 has no layers: add layers that end in logits");
  CHECK(refusal([](Model& m) { m.auxiliary[0].layers = std::make_unique<Sequential>(); }) ==
        "the head aux1 has no layers: add layers that end in logits");
  CHECK(refusal([](Model& m) { m.auxiliary[0].name = ""; }) == "a head of small has no name");
  CHECK(refusal([](Model& m) { m = Model{}; }) == "googlenet has no body: add layers that end in logits");
}

TEST_CASE("outputs that are not the logits of the classes are rejected") {
  CHECK(refusal([](Model& m) { m.config.classes = 5; }) ==
        "the head aux1 yields [1,4] for one image: the logits of 5 classes are [1,5]");
  CHECK(refusal([](Model& m) { m.auxiliary[0].layers = head(3); }) ==
        "the head aux1 yields [1,3] for one image: the logits of 4 classes are [1,4]");
  CHECK(refusal([](Model& m) {
          m.auxiliary.clear();
          m.config.classes = 10;
        }) == "the body of small yields [1,4] for one image: the logits of 10 classes are [1,10]");
  CHECK(refusal([](Model& m) {
          m.auxiliary.clear();
          m.body = std::make_unique<Sequential>();
          m.stages.clear();
          m.body->add<Conv2d>("conv", Conv2d::Options{.in_channels = 2, .out_channels = 4});
        }) == "the body of small yields [1,4,12,10] for one image: the logits of 4 classes are [1,4]");
  for (const std::int64_t classes : {0, -3}) {
    CHECK(refusal([&](Model& m) { m.config.classes = classes; }) ==
          concat("small has ", classes, " classes: at least 1 is needed"));
  }
}

TEST_CASE("heads and stages and transforms that refer to missing parts are rejected") {
  CHECK_THAT(refusal([](Model& m) { m.auxiliary[0].after = 6; }), Catch::Contains("reads layer 6"));
  CHECK_THAT(refusal([](Model& m) { m.auxiliary[0].after = 1'000'000; }), Catch::Contains("reads layer 1000000"));
  CHECK(refusal([](Model& m) { m.auxiliary[0].name = "inception3a.branch2"; }).empty());
  CHECK_THAT(refusal([](Model& m) {
               m.auxiliary.push_back({"aux1", 3, head(4), 0.3});
             }),
             Catch::Contains("two heads of small are named aux1"));
  CHECK(refusal([](Model& m) { m.auxiliary[0].name = "pool1"; }) ==
        "a head of small and layer 1 of its body are both named pool1");
  CHECK_THAT(refusal([](Model& m) { m.config.name = ""; }), Catch::StartsWith("a model has no name"));
  CHECK_THAT(refusal([](Model& m) {
               m.input_scale = {1.0, std::nan("")};
               m.input_shift = {0.0, 0.0};
             }),
             Catch::Contains("has the scale nan and the shift 0 for channel 1"));
  for (const double weight : {-1.0, std::nan("")}) {
    CHECK_THAT(refusal([&](Model& m) { m.auxiliary[0].loss_weight = weight; }), Catch::Contains("loss weight"));
  }
  CHECK_THAT(refusal([](Model& m) { m.stages[0].end = 20; }),
             Catch::Contains("the stage all of small is layers 0 to 20"));
  CHECK_THAT(refusal([](Model& m) { m.stages[0] = {"odd", 3, 2}; }), Catch::Contains("the stage odd"));
  CHECK_THAT(refusal([](Model& m) { m.input_scale = {1.0}; }), Catch::Contains("input transform"));
  CHECK_THAT(refusal([](Model& m) { m.config.input = {2, 12}; }), Catch::Contains("(channels, height, width)"));
  CHECK_THAT(refusal([](Model& m) { m.config.input = {2, 0, 10}; }), Catch::Contains("(channels, height, width)"));
  CHECK_THAT(refusal([](Model& m) {
               m.config.input = {3, 12, 10};
             }),
             Catch::Contains("conv1.conv: in_channels is 2, but the input [N, 3, 12, 10] has 3 channels"));
  CHECK_THAT(refusal([](Model&) {}, {.max_batch = 0}), Catch::Contains("at least 1 is needed"));
  CHECK_THAT(refusal([](Model&) {}, {.max_batch = std::int64_t{1} << 60}), Catch::Contains("larger than any memory"));
  CHECK_THAT(refusal([](Model&) {}, {.max_batch = 2, .scale = {}}), Catch::Contains(""));
}

TEST_CASE("invalid layer options are rejected by the constructor") {
  const auto refused = [](const std::function<void()>& make) {
    const std::string message = message_of(make);
    CHECK(message.find('\n') == std::string::npos);
    return message;
  };
  const auto conv = [&](const Conv2d::Options& options) { return refused([&] { Conv2d{options}; }); };
  CHECK(conv({}) ==
        "a convolution from 0 to 0 channels: the output needs at least 1, the input 1 or more, or 0 for those of the "
        "layer's input");
  CHECK_THAT(conv({.in_channels = 3, .out_channels = -1}), Catch::Contains("from 3 to -1 channels"));
  CHECK_THAT(conv({.in_channels = 3, .out_channels = 4, .stride = {0, 1}}), Catch::Contains("stride 0x1"));
  CHECK_THAT(conv({.in_channels = 3, .out_channels = 4, .kernel = {0, 3}}), Catch::Contains("kernel 0x3"));
  CHECK_THAT(conv({.in_channels = 3, .out_channels = 4, .padding = {-1, 0}}), Catch::Contains("padding -1x0"));
  for (const Pool2dAttributes& windows :
       {Pool2dAttributes{.kernel = {2, 2}, .stride = {2, 0}}, Pool2dAttributes{.kernel = {0, 2}, .stride = {1, 1}},
        Pool2dAttributes{.kernel = {2, 2}, .stride = {1, 1}, .padding = {0, -1}}}) {
    CHECK_THAT(refused([&] { MaxPool2d{windows}; }), Catch::Contains("must be at least 1"));
    CHECK_THAT(refused([&] { AvgPool2d{windows}; }), Catch::Contains("must be at least 1"));
  }
  CHECK_THAT(refused([] { AdaptiveAvgPool2d(Extent2d{0, 2}); }), Catch::Contains("0x2 pixels"));
  CHECK_THAT(refused([] { Linear({.in_features = 4}); }), Catch::Contains("from 4 to 0 features"));
  CHECK_THAT(refused([] { BatchNorm2d({.channels = -1}); }), Catch::Contains("-1 channels"));
  CHECK_THAT(refused([] { BatchNorm2d({.channels = 2, .epsilon = -1.0}); }), Catch::Contains("epsilon -1"));
  const double nan = std::nan("");
  for (const double epsilon : {0.0, nan, -1.0}) {
    CHECK_THAT(refused([&] { BatchNorm2d({.epsilon = epsilon}); }), Catch::StartsWith("a BatchNorm with epsilon "));
    CHECK_THAT(refused([&] { BasicConv2d({.out_channels = 2, .batch_norm = true, .epsilon = epsilon}); }),
               Catch::StartsWith("a BatchNorm with epsilon "));
  }
  for (const double momentum : {-0.1, nan, 1.1}) {
    CHECK_THAT(refused([&] { BatchNorm2d({.momentum = momentum}); }), Catch::StartsWith("a BatchNorm with momentum "));
  }
  CHECK_THAT(refused([] { BatchNorm2d(0); }), Catch::Contains("a BatchNorm of 0 channels"));
  CHECK_THAT(refused([] { LocalResponseNorm({.size = 0}); }), Catch::Contains("with size 0"));
  CHECK_THAT(refused([&] { LocalResponseNorm({.alpha = nan}); }), Catch::Contains("with alpha nan"));
  CHECK_THAT(refused([] { LocalResponseNorm({.beta = -1.0}); }), Catch::Contains("with beta -1"));
  CHECK_THAT(refused([] { LocalResponseNorm({.k = 0.0}); }), Catch::Contains("with k 0"));
  CHECK_THAT(refused([&] { Residual({ReLU()}, nan); }), Catch::Contains("with scale nan"));
  CHECK_THAT(refused([] { Residual({ReLU()}).project("", std::make_unique<ReLU>()); }),
             Catch::Contains("the projection of a residual connection has no name"));
  CHECK_THAT(refused([] { Residual({ReLU()}).project("residual", std::make_unique<ReLU>()); }),
             Catch::Contains("the branch and the projection of a residual connection are both named 'residual'"));
  CHECK_THAT(refused([] { Residual({ReLU()}).project("p", nullptr); }),
             Catch::Contains("the projection 'p' of a residual connection is null"));
  CHECK_THAT(refused([] { MaxPool2d(2, 2, 2); }), Catch::Contains("at most half of the window"));
  CHECK_THAT(refused([] { MaxPool2d(PoolWindow{}); }), Catch::Contains("window of 0x0"));
  CHECK_THAT(refused([] { Conv2d(4, 3, {.out_channels = 5}); }), Catch::Contains("leave them out"));
  CHECK_THAT(refused([] { Conv2d(0, 4, 3); }), Catch::Contains("from 0 channels"));
  CHECK_THAT(refused([] { Linear(4, 2, {.in_features = 4}); }), Catch::Contains("give in_features once"));
  for (const double p : {-0.1, 1.0, nan}) CHECK_THAT(refused([&] { Dropout(p, 1); }), Catch::Contains("rate"));
  const auto block = [&](const InceptionChannels& channels, InceptionKind kind = InceptionKind::paper) {
    return refused([&] { Inception({.channels = channels, .kind = kind}); });
  };
  CHECK(block({8, 1, 1, 1, 1, 1, 0}).empty());
  CHECK_THAT(block({}), Catch::Contains("in 0, branch1 0"));
  CHECK_THAT(block({8, 4, 0, 4, 4, 4, 4}), Catch::Contains("branch2 0 and 4"));
  CHECK_THAT(block({8, 4, 4, 4, 4, -4, 4}), Catch::Contains("branch3 4 and -4"));
  CHECK_THAT(block({8, 4, 4, 4, 4, 4, -1}), Catch::Contains("branch4 -1"));
  CHECK_THAT(block({8, 4, 4, 1, 4, 4, 4}, InceptionKind::expanded), Catch::Contains("at least 2 channels"));
  CHECK_THAT(refused([] {
               Inception({.channels = {8, 4, 4, 4, 4, 4, 4}, .branch3_kernel = 4});
             }),
             Catch::Contains("must be odd"));
  CHECK_THAT(refused([] { Residual("inner", nullptr); }), Catch::Contains("'inner' of a residual connection is null"));
  CHECK_THAT(refused([] { Concat().add("left", std::unique_ptr<Layer>()); }), Catch::Contains("'left' of a Concat"));
  CHECK_THAT(refused([] { Sequential().add("first", std::unique_ptr<Layer>()); }),
             Catch::Contains("'first' of a Sequential"));
  CHECK_THAT(refused([] { Sequential()[0]; }), Catch::Contains("layer 0 of a Sequential of 0 does not exist"));
  CHECK_THAT(refused([] { (void)Sequential().name_of(3); }), Catch::Contains("layer 3"));
  CHECK_THAT(refusal([](Model& m) { m.body->add("wide", Linear(std::int64_t{1} << 61)); }),
             Catch::Contains("wide: its output [1,2305843009213693952] is larger than any memory"));
  CHECK_THAT(refusal([](Model& m) {
               m.body->add<Linear>("huge", Linear::Options{.in_features = 4, .out_features = std::int64_t{1} << 47});
             }),
             Catch::Contains("huge.weight of shape [140737488355328,4] is larger than any memory"));
}

TEST_CASE("branches of a Residual with other shapes are rejected with both shapes") {
  const auto refused = [](Residual block) {
    const auto backend = make_reference_backend();
    Sequential layers;
    layers.add("block", std::move(block)).add(GlobalAvgPool());
    Model model("own", std::move(layers), {3, 8, 8}, 6);
    return message_of([&] { Network(std::move(model), *backend, {.plan_only = true}); });
  };
  CHECK(refused(Residual({Conv2d(6, 3, {.padding = 1})})) ==
        "block: the residual branch yields [N, 6, 8, 8] but the input is [N, 3, 8, 8]; they must match, or the block "
        "needs "
        "a projection");
  CHECK(refused(Residual({Conv2d(6, 3, {.stride = 2, .padding = 1})}, {Conv2d(6, 1)})) ==
        "block: the residual branch yields [N, 6, 4, 4] but the projection [N, 6, 8, 8]; they must match");
  CHECK(refused(Residual({Conv2d(6, 3, {.stride = 2, .padding = 1})}, {Conv2d(6, 1, {.stride = 2})})) == "");
  Residual unnamed("", std::make_unique<Sequential>(Sequential{{"down", Conv2d(6, 1)}}));
  unnamed.project("down", std::make_unique<Conv2d>(6, 1));
  CHECK_THAT(refused(std::move(unnamed)), Catch::StartsWith("two parameters are named block.down.weight"));
}

TEST_CASE("branches of a Concat that cannot be concatenated are rejected") {
  const auto refused = [](Concat branches, std::int64_t classes = 6) {
    const auto backend = make_reference_backend();
    Sequential layers;
    layers.add("net", std::move(branches));
    Model model("own", std::move(layers), {3, 8, 8}, classes);
    return message_of([&] { Network(std::move(model), *backend, {.plan_only = true}); });
  };
  const auto features = [] { return Sequential({Flatten(), {"fc", Linear(3)}}); };
  CHECK(
      refused({{"left", features()}, {"right", features()}}) ==
      "net.left.fc: its output must be dense, so it cannot be the end of a branch of Concat; put it after the Concat");
  CHECK(refused({Flatten(), Flatten()}, 384) ==
        "net.0: its output must be dense, so it cannot be the end of a branch of Concat; put it after the Concat");
  CHECK(refused({{"a", GlobalAvgPool()}, {"b", AdaptiveAvgPool2d(1)}}) ==
        "net: the branches a and b yield [N, 3] and [N, 3, 1, 1]: they may differ in the channels only");
  CHECK(refused({GlobalAvgPool(), {"c", Sequential({Conv2d(3, 1), GlobalAvgPool()})}}) == "");
}

TEST_CASE("two layers of one name are rejected") {
  CHECK(message_of([] {
          Sequential({{"drop", Dropout(0.5)}, ReLU(), {"drop", Dropout(0.5)}});
        }) ==
        "the layers 0 and 2 of a Sequential are both named 'drop'; layers without a name are named by their "
        "position, from 0");
  CHECK_THAT(message_of([] { Sequential({{"1", ReLU()}, ReLU()}); }), Catch::Contains("layers 0 and 1"));
  CHECK_THAT(message_of([] { Concat().add({"a", ReLU()}).add({"a", ReLU()}); }), Catch::Contains("of a Concat"));
}

TEST_CASE("constructors take the arguments of PyTorch in its order") {
  const Conv2d conv(3, 32, {3, 5}), padded(3, 32, 3, 2, 1), named(3, 32, 3, {.padding = 1, .bias = false});
  CHECK((conv.options().in_channels == 3 && conv.options().out_channels == 32));
  CHECK(conv.options().kernel == Extent2d(3, 5));
  CHECK((padded.options().stride == Extent2d(2) && padded.options().padding == Extent2d(1)));
  CHECK((named.options().in_channels == 3 && named.options().padding == Extent2d(1) && !named.options().bias));
  const Conv2d brief(32, 3);
  CHECK((brief.options().in_channels == 0 && brief.options().out_channels == 32));
  const Linear linear(256, 10), without_bias(10, {.bias = false});
  CHECK((linear.options().in_features == 256 && linear.options().out_features == 10));
  CHECK((without_bias.options().in_features == 0 && without_bias.options().out_features == 10));
  CHECK_FALSE(without_bias.options().bias);
  CHECK(BatchNorm2d(32).options().channels == 32);
  const MaxPool2d pool(3, 2, 1), by_name({.kernel = 3, .stride = 2, .padding = 1}), only_kernel({.kernel = {2, 3}});
  for (const MaxPool2d* same : {&pool, &by_name}) {
    CHECK((same->options().kernel == Extent2d(3) && same->options().stride == Extent2d(2)));
    CHECK(same->options().padding == Extent2d(1));
  }
  CHECK(only_kernel.options().stride == Extent2d(2, 3));
  CHECK(AvgPool2d(4, 2).options().stride == Extent2d(2));
  CHECK(MaxPool2d(3, {2, 1}).options().stride == Extent2d(2, 1));
  static_assert(!std::is_constructible_v<Linear, int, bool>);  // not a number of features
  Sequential net;
  net.add(Conv2d(3, 8, 3)).add({"act", ReLU()}).add(Flatten());
  CHECK((net.name_of(0) == "0" && net.name_of(1) == "act" && net.name_of(2) == "2"));
}

TEST_CASE("the summary shows the types of layers without a name") {
  const auto backend = make_reference_backend();
  const Network network(Model("own", {Conv2d(4, 3), {"pool", GlobalAvgPool()}, Linear(2)}, {3, 8, 8}, 2), *backend,
                        {.plan_only = true});
  CHECK_THAT(layer_table(network),
             Catch::Contains("\n  0 Conv2d ") && Catch::Contains("\n  pool  ") && Catch::Contains("\n  2 Linear "));
}

TEST_CASE("layers that are empty or used out of order are rejected") {
  const auto backend = make_reference_backend();
  ParameterTable table;
  Sequential empty;
  empty.register_parameters(table, "empty");
  Concat none;
  none.register_parameters(table, "none");
  Sequential later;
  later.add<ReLU>("relu");
  later.register_parameters(table, "later");
  Plan plan(*backend, table, Mode::training, DType::f32, 1);
  const Tensor x = plan.activation("x", {1, 2, 3, 3});
  CHECK_THROWS_WITH(empty.forward(plan, x), "empty: a Sequential without layers");
  CHECK_THROWS_WITH(none.forward(plan, x), "none: a Concat without branches");
  CHECK_THROWS_WITH(later.backward(plan, x, {.dx = x}), "later: backward was planned before forward");
  CHECK_THROWS_WITH(none.backward(plan, x, {.dx = x}), "none: backward was planned before forward");
}

TEST_CASE("a plan_only or inference network rejects unsupported calls") {
  const auto backend = make_reference_backend();
  Network planned = small_network(*backend, {.max_batch = 2, .plan_only = true});
  const std::vector<float> images(240, 0.5f);
  const std::vector<std::int32_t> labels = {1}, indices = {0};
  const std::vector<std::function<void()>> uses = {[&] { planned.set_control(1, 0, 0.1f, 0.9f); },
                                                   [&] { planned.set_indices(indices); },
                                                   [&] { planned.set_input(Mode::training, images, labels); },
                                                   [&] { (void)planned.metrics(); },
                                                   [&] { planned.reset_metrics(); },
                                                   [&] { planned.set_metrics(std::vector<LossMetrics>(2)); },
                                                   [&] { (void)planned.logits(Mode::inference, 1); },
                                                   [&] { planned.train_step(1); },
                                                   [&] { planned.infer(1); },
                                                   [&] { planned.run_timed(Mode::training, 1); },
                                                   [&] { planned.initialize(Initialization::xavier_uniform, 1); }};
  for (const auto& use : uses) CHECK_THAT(message_of(use), Catch::Contains("it has no memory"));
  CHECK(planned.state().empty());

  Network inferring = small_network(*backend, {.max_batch = 2, .training = false});
  const auto always = [](const Step&, const Operation&) { return true; };
  CHECK_THROWS_WITH(inferring.train_step(1), Catch::Contains("made for inference only"));
  CHECK_THROWS_WITH(inferring.run_watched(Phase::forward, 1, always), Catch::Contains("made for inference only"));
  CHECK_THROWS_WITH(inferring.metrics(2), "head 2 of small does not exist: it has 2");
  CHECK_THROWS_WITH(inferring.infer(1), Catch::Contains("the network has no input"));
}

TEST_CASE("labels outside the classes and missing samples are rejected") {
  const auto backend = make_reference_backend();
  Network direct = small_network(*backend, {.max_batch = 2});
  const std::vector<float> images(2 * 240, 0.5f);
  for (const std::int32_t label : {-1, 4, 1'000'000}) {
    CHECK_THROWS_WITH(direct.set_input(Mode::training, images, std::vector<std::int32_t>{0, label}),
                      concat("the label ", label, " is not a class of small, 0 to 3"));
  }
  Network network = small_network(*backend, {.max_batch = 2, .dataset_image = Shape{2, 4, 4}});
  network.initialize(Initialization::xavier_uniform, 1);
  const std::vector<std::uint8_t> pixels(3 * 32, 1);
  CHECK_THROWS_WITH(make_resident(*backend, {2, 4, 4}, pixels, std::vector<std::int32_t>{0, -1, 2}),
                    Catch::Contains("the label -1"));
  const ResidentDataset other = make_resident(*backend, {2, 4, 4}, pixels, std::vector<std::int32_t>{0, 7, 2});
  CHECK_THROWS_WITH(network.set_dataset(Mode::training, other),
                    "the data set has the label 7 but small has the classes 0 to 3");
  const ResidentDataset dataset = make_resident(*backend, {2, 4, 4}, pixels, std::vector<std::int32_t>{0, 3, 2});
  network.set_dataset(Mode::training, dataset);
  network.set_dataset(Mode::inference, dataset);
  CHECK_THROWS_WITH(network.set_indices(std::vector<std::int32_t>{0, -1}), Catch::Contains("sample -1 does not exist"));
  network.set_indices(std::vector<std::int32_t>{2, 3});
  CHECK_THROWS_WITH(network.train_step(2), "sample 3 does not exist: the data set has 3");
  CHECK_THROWS_WITH(network.infer(2), "sample 3 does not exist: the data set has 3");
  network.set_indices(std::vector<std::int32_t>{2, 0});
  CHECK_NOTHROW(network.train_step(2));
}

TEST_CASE("a BatchNorm over one value per channel is rejected in training") {
  const auto backend = make_reference_backend();
  const auto make = [](bool batch_norm, std::int64_t size) {
    Model model = small_googlenet(batch_norm);
    model.config.input = {2, size, size};
    return model;
  };
  const std::vector<float> images(2 * 2 * 16, 0.5f);
  const std::vector<std::int32_t> labels = {0, 1};
  Network network(make(true, 4), *backend, {.max_batch = 2});  // 4x4, 2x2, 1x1
  network.initialize(Initialization::xavier_uniform, 1);
  network.set_input(Mode::training, images, labels);
  CHECK_NOTHROW(network.train_step(2));
  for (const bool record : {true, false}) {
    Network one(make(true, 4), *backend, {.max_batch = 2, .graph_capture = record});
    one.initialize(Initialization::xavier_uniform, 1);
    one.set_input(Mode::training, std::span(images).first(32), std::span(labels).first(1));
    const auto before = one.state();
    CHECK_THROWS_WITH(one.train_step(1),
                      "inception3b.branch1.bn: expected more than 1 value per channel when training, got an input of "
                      "[1,17,1,1]; use a larger batch or image");
    CHECK(one.state() == before);
    one.set_input(Mode::inference, std::span(images).first(32), std::span(labels).first(1));
    CHECK_NOTHROW(one.infer(1));
  }
  // Larger images, no BatchNorm, or a frozen one: a batch of one is valid.
  Network larger(make(true, 5), *backend, {.max_batch = 2});
  CHECK_NOTHROW(larger.plan(Mode::training).check_batch_norms(1));
  Network without(make(false, 4), *backend, {.max_batch = 2});
  CHECK_NOTHROW(without.plan(Mode::training).check_batch_norms(1));
  Network frozen(make(true, 4), *backend, {.max_batch = 2, .freeze = {"conv", "inception"}});
  CHECK_NOTHROW(frozen.plan(Mode::training).check_batch_norms(1));
}

TEST_CASE("memory_table names the optimizer state") {
  const auto backend = make_reference_backend();
  const auto table = [&](const NetworkOptions& options) { return memory_table(small_network(*backend, options)); };
  CHECK_THAT(table({.max_batch = 2, .optimizer = Sgd{.momentum = 0.9}}), Catch::Contains("MiB  momentum\n"));
  const std::string adam = table({.max_batch = 2, .optimizer = AdamW{}});
  CHECK_THAT(adam, Catch::Contains("MiB  Adam's two moments\n") && !Catch::Contains("momentum"));
  CHECK_THAT(table({.max_batch = 2}), Catch::Contains("optimizer         0.0 MiB\n"));
}
