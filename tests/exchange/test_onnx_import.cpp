/// Files that import_onnx must refuse, and the nesting that it finds. Logits are compared in test_import.py.

#include "core/random.h"
#include "core/safetensors.h"
#include "exchange/graph_writer.h"
#include "exchange/onnx_export.h"
#include "exchange/onnx_import.h"
#include "layers/avg_pool2d.h"
#include "layers/basic_conv2d.h"
#include "layers/concat.h"
#include "layers/flatten.h"
#include "layers/gelu.h"
#include "layers/linear.h"
#include "layers/max_pool2d.h"
#include "layers/residual.h"
#include "models/graph.h"
#include "models/weights.h"
#include "tests/catch.h"
#include "tests/core/temporary_folder.h"
#include "tests/exchange/small_network.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

using namespace minception;
using namespace minception::exchange;
using namespace minception::testing;

TEST_CASE("import_onnx reads a network, names and weights") {
  REQUIRE(changed([](onnx::ModelProto&) {}).empty());
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "model.onnx";
  const std::string bytes = small().SerializeAsString();
  write_file_atomically(path, std::as_bytes(std::span(bytes)));
  const WeightsFile weights = import_onnx(path);
  CHECK(weights.config.name == "small");
  CHECK(weights.config.input == Shape({2, 6, 6}));
  CHECK(weights.config.classes == 3);
  CHECK(weights.class_names == std::vector<std::string>{"0", "1", "2"});
  CHECK(weights.scale == std::vector<float>{1.0f / 255.0f});
  REQUIRE(weights.tensors.size() == 3);
  CHECK(weights.tensors.at("conv.weight") == filled({4, 2, 3, 3}));
  CHECK(weights.tensors.at("fc.weight") == filled({3, 4}));
  const auto graph = nlohmann::json::parse(weights.config.graph);
  std::vector<std::string> types;
  for (const auto& layer : graph["layers"]) types.push_back(layer["type"]);
  CHECK(types == std::vector<std::string>{"Conv2d", "ReLU", "GlobalAvgPool", "Linear"});
}

TEST_CASE("import_onnx refuses broken files in one line") {
  const std::string whole = small().SerializeAsString();
  CHECK(import_bytes("") == "is not an ONNX file, or it is incomplete");
  CHECK(import_bytes("PK\x03\x04 something else entirely") == "is not an ONNX file, or it is incomplete");
  CHECK(import_bytes(whole.substr(0, whole.size() / 2)) == "is not an ONNX file, or it is incomplete");
  CHECK_THROWS_WITH(import_onnx("/nonexistent/x.onnx"),
                    Catch::Equals("/nonexistent/x.onnx: cannot be found: No such file or directory; check the path"));
  CHECK_THROWS_WITH(import_onnx("/"), Catch::StartsWith("/: is not a file that can be read"));
  CHECK(changed([](onnx::ModelProto& m) { m.clear_graph(); }) == "has no ONNX graph");
  CHECK(changed([](onnx::ModelProto& m) { m.mutable_opset_import(0)->set_version(5); }) ==
        "uses version 5 of the ONNX operators; 6 or later is needed");
}

TEST_CASE("import_onnx refuses tensors that do not fit") {
  const auto weight = [](onnx::ModelProto& m) -> onnx::TensorProto& {
    return *m.mutable_graph()->mutable_initializer(0);
  };
  CHECK(changed([&](onnx::ModelProto& m) { weight(m).set_dims(0, 5); }) ==
        "node conv (Conv): tensor conv.weight: has 72 values, but its shape is [5,2,3,3]");
  CHECK(changed([&](onnx::ModelProto& m) {
          for (int axis = 0; axis < 4; ++axis) weight(m).set_dims(axis, INT64_MAX);
        }) == "node conv (Conv): tensor conv.weight: its shape is negative or larger than any file");
  CHECK(changed([&](onnx::ModelProto& m) { weight(m).set_dims(0, -4); }) ==
        "node conv (Conv): tensor conv.weight: its shape is negative or larger than any file");
  CHECK(changed([&](onnx::ModelProto& m) { weight(m).set_data_location(onnx::TensorProto::EXTERNAL); }) ==
        "node conv (Conv): tensor conv.weight: its values are in another file; save the network as one file, without "
        "external data");
  CHECK(
      changed([&](onnx::ModelProto& m) { weight(m).set_data_type(onnx::TensorProto::STRING); }) ==
      "node conv (Conv): tensor conv.weight: has the data type 8; supported are f32, f64, f16, bf16, i32, i64 and u8");
  CHECK(changed([&](onnx::ModelProto& m) { m.mutable_graph()->mutable_initializer()->DeleteSubrange(0, 1); }) ==
        "node conv (Conv): reads conv.weight, which is neither an initializer nor written by an earlier node");
  CHECK(changed([&](onnx::ModelProto& m) {
          const float nan = std::numeric_limits<float>::quiet_NaN();
          weight(m).mutable_raw_data()->replace(0, 4, reinterpret_cast<const char*>(&nan), 4);
        }).find("conv.weight") != std::string::npos);
  CHECK(changed([&](onnx::ModelProto& m) {
          *m.mutable_graph()->mutable_initializer(1)->mutable_dims()->Mutable(0) = 2;
          m.mutable_graph()->mutable_initializer(1)->mutable_raw_data()->resize(8);
        }) == "node conv (Conv): its bias is [2], not (4)");
}

TEST_CASE("import_onnx refuses graphs that are not networks of our layers") {
  CHECK(changed([](onnx::ModelProto& m) { node(m, "relu").set_input(0, "flatten"); }) ==
        "node relu (Relu): reads flatten, which is neither an initializer nor written by an earlier node");
  CHECK(changed([](onnx::ModelProto& m) {
          node(m, "relu").set_op_type("Tanh");
        }).starts_with("node relu (Tanh): this operator is not supported; supported are Add, AveragePool, "));
  CHECK(changed([](onnx::ModelProto& m) { node(m, "relu").set_domain("com.example"); }) ==
        "node relu (Relu): operators of the domain com.example are not supported");
  CHECK(changed([](onnx::ModelProto& m) {
          node(m, "relu").set_name("a\nb\x1b[31m");
          m.mutable_graph()->mutable_node(1)->set_op_type("X");
        }).starts_with("node a?b?[31m (X): this operator is not supported"));
  CHECK(changed([](onnx::ModelProto& m) { node(m, "relu").clear_input(); }) == "node relu (Relu): input 0 is missing");
  CHECK(changed([](onnx::ModelProto& m) {
          node(m, "relu").set_output(0, "conv.bias");
          node(m, "pool").set_input(0, "conv.bias");
        }) == "node relu (Relu): writes conv.bias, which already has a value");
  CHECK(changed([](onnx::ModelProto& m) { m.mutable_graph()->mutable_output(0)->set_name("other"); }) ==
        "no node writes the output other");
  CHECK(changed([](onnx::ModelProto& m) { *m.mutable_graph()->add_output() = m.graph().output(0); }) ==
        "has the outputs logits, logits; exactly one is needed, the logits of all classes");
  CHECK(changed([](onnx::ModelProto& m) { m.mutable_graph()->clear_input(); }) == "has no input");
  CHECK(changed([](onnx::ModelProto& m) {
          auto& shape = *m.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
          shape.mutable_dim(2)->set_dim_value(INT64_MAX);
        }) == "the input x has an extent of 9223372036854775807");
  CHECK(changed([](onnx::ModelProto& m) {
          auto& shape = *m.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
          for (int axis : {2, 3}) shape.mutable_dim(axis)->set_dim_value(100'000);
        }) == "the input x has images of [2,100000,100000]: more than 2^28 values");
  CHECK(changed([](onnx::ModelProto& m) {
          auto& shape = *m.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
          shape.mutable_dim(2)->set_dim_param("height");
        }) == "the input x does not fix height and width: give the size of the images");
  CHECK(changed([](onnx::ModelProto& m) {
          onnx::AttributeProto& pads = attribute(m, "conv", "dilations");
          pads.set_type(onnx::AttributeProto::INTS);
          for (int i = 0; i < 2; ++i) pads.add_ints(2);
        }) == "node conv (Conv): dilations other than 1 are not supported");
  CHECK(changed([](onnx::ModelProto& m) { node(m, "conv").mutable_attribute(0)->set_ints(0, INT64_MAX); }) ==
        "node conv (Conv): the attribute pads has the value 9223372036854775807");
  CHECK(
      changed([](onnx::ModelProto& m) { node(m, "conv").mutable_attribute(0)->set_ints(0, 2); }) ==
      "node conv (Conv): its padding of 2 and 1 before the image and 1 and 1 after it differ, which is not supported");
  CHECK(changed([](onnx::ModelProto& m) {
          node(m, "conv").mutable_attribute(0)->set_type(onnx::AttributeProto::INT);
        }) == "node conv (Conv): the attribute pads has the wrong type");
  CHECK(changed([](onnx::ModelProto& m) { attribute(m, "conv", "unheard\n").set_type(onnx::AttributeProto::INT); }) ==
        "node conv (Conv): the attribute unheard? is not supported");
}

TEST_CASE("import_onnx refuses a graph that is deep or large") {
  onnx::ModelProto model = small();
  onnx::NodeProto& relu = node(model, "relu");
  std::string value = "conv";
  for (int level = 0; level < 60; ++level) {  // Add(x, Add(Add(...), Relu)): nested, not one after the other
    onnx::NodeProto& unit = *model.mutable_graph()->add_node();
    unit.set_op_type("Relu");
    unit.add_input(value);
    unit.add_output(concat("r", level));
    value = concat("r", level);
  }
  for (int level = 59; level-- > 0;) {
    onnx::NodeProto& join = *model.mutable_graph()->add_node();
    join.set_op_type("Add");
    join.add_input(concat("r", level));
    join.add_input(value);
    join.add_output(concat("a", level));
    value = concat("a", level);
  }
  relu.set_input(0, value);
  onnx::GraphProto& graph = *model.mutable_graph();
  for (int moved = 1; moved <= 4; ++moved) {  // the rest of the network follows
    *graph.add_node() = graph.node(1);
    graph.mutable_node()->DeleteSubrange(1, 1);
  }
  CHECK(import_bytes(model.SerializeAsString()).ends_with(" (Add): more than 30 nested branches"));
  CHECK(changed([](onnx::ModelProto& m) {
          while (m.graph().node_size() <= 20'000) m.mutable_graph()->add_node();
        }) == "has 20001 nodes; at most 20000 are supported");
  // Empty messages, which take two bytes each in the file, and nested ones.
  const std::string two_million = [] {
    std::string nodes;
    for (int i = 0; i < 2'000'000; ++i) nodes += std::string("\x0a\x00", 2);
    const std::size_t size = nodes.size();
    std::string length;
    for (std::size_t rest = size; rest > 0; rest >>= 7)
      length += static_cast<char>((rest & 127) | (rest > 127 ? 128 : 0));
    return "\x3a" + length + nodes;
  }();
  CHECK(import_bytes(two_million) == "has more nodes and names than any network; only tensors may be large");
}

TEST_CASE("import_onnx survives random changes of a file") {
  const auto backend = make_backend("reference");
  Concat branches = {{"a", Conv2d(2, 1, {.relu = true})}, {"b", AvgPool2d(3, {.stride = 1, .padding = 1})}};
  Network network(Model("mutated",
                        {{"conv", Conv2d(3, 3, {.padding = 1, .bias = false})},
                         {"bn", BatchNorm2d()},
                         {"pool", MaxPool2d(3, {.stride = 2, .ceil_mode = true})},
                         {"parts", std::move(branches)},
                         {"res", Residual(Sequential{{"conv", Conv2d(5, 1)}, {"act", GELU()}}, 0.5, true)},
                         {"down", Residual({{"conv", Conv2d(4, 1)}, {"act", GELU()}}, {Conv2d(4, 1)}, 0.5, true)},
                         {"unequal", AdaptiveAvgPool2d({3, 2})},
                         {"flatten", Flatten()},
                         {"fc", Linear(3)}},
                        {2, 8, 10}, 3),
                  *backend, {.max_batch = 1, .training = false});
  network.initialize(Initialization::kaiming_normal, 1);
  const onnx::ModelProto model = to_onnx(network, network.averaged_state(), {"a", "b", "c"}, {});
  const std::string whole = model.SerializeAsString();
  REQUIRE(import_bytes(whole).empty());

  int accepted = 0, refused = 0;
  const auto take = [&](const std::string& bytes, int seed) {
    const std::string said = import_bytes(bytes);
    INFO("seed " << seed << ": " << said);
    CHECK(said.find("another form") == std::string::npos);
    ++(said.empty() ? accepted : refused);
  };
  for (int seed = 0; seed < 400; ++seed) {
    const Random random{static_cast<std::uint64_t>(seed), 1};
    std::string bytes = whole;
    for (std::uint64_t i = 0; i <= random.bits(0) % 4; ++i) {
      const std::size_t at = random.bits(10 + 3 * i) % bytes.size();
      const auto value = static_cast<char>(random.bits(11 + 3 * i));
      switch (random.bits(12 + 3 * i) % 4) {
        case 0:
          bytes[at] = value;
          break;
        case 1:
          bytes.erase(at, 1 + static_cast<unsigned char>(value) % 8);
          break;
        case 2:
          bytes.insert(at, bytes.substr(bytes.size() / 2, static_cast<unsigned char>(value)));
          break;
        default:
          bytes[at] = static_cast<char>(bytes[at] ^ (1 << (value & 7)));
      }
      if (bytes.empty()) bytes = "x";
    }
    take(bytes, seed);
  }
  CHECK(refused > 100);

  // Changes that keep the file's format: other edges, operators, numbers and shapes.
  const int before = refused;
  const char* operators[] = {"ConstantOfShape", "Unsqueeze", "Reshape", "Sum", "Mul", "Softmax", "Slice", "Gather"};
  const char* numbers[] = {"-9223372036854775808", "-1", "0", "1", "2", "3", "1000000", "9223372036854775807"};
  for (int seed = 0; seed < 600; ++seed) {
    const Random random{static_cast<std::uint64_t>(seed), 2};
    onnx::ModelProto copy = model;
    if (random.bits(1) % 2 == 0) copy.clear_metadata_props();
    onnx::GraphProto& graph = *copy.mutable_graph();
    onnx::NodeProto& one = *graph.mutable_node(static_cast<int>(random.bits(2) % graph.node_size()));
    const onnx::NodeProto& other = graph.node(static_cast<int>(random.bits(3) % graph.node_size()));
    const std::int64_t number = std::stoll(numbers[random.bits(4) % std::size(numbers)]);
    switch (random.bits(5) % 7) {
      case 0:
        one.set_input(0, other.output(0));
        break;
      case 1:
        one.set_op_type(random.bits(6) % 2 == 0 ? other.op_type() : operators[random.bits(7) % std::size(operators)]);
        break;
      case 2:
        one.set_input(one.input_size() - 1, other.input(other.input_size() - 1));
        break;
      case 3:
        if (one.attribute_size() > 0) {
          onnx::AttributeProto& any = *one.mutable_attribute(static_cast<int>(random.bits(6) % one.attribute_size()));
          if (any.ints_size() > 0) any.set_ints(static_cast<int>(random.bits(7) % any.ints_size()), number);
          any.set_i(number);
        }
        break;
      case 4: {
        onnx::TensorProto& tensor =
            *graph.mutable_initializer(static_cast<int>(random.bits(6) % graph.initializer_size()));
        if (tensor.dims_size() > 0) tensor.set_dims(static_cast<int>(random.bits(7) % tensor.dims_size()), number);
        break;
      }
      case 5:
        graph.mutable_node()->SwapElements(static_cast<int>(random.bits(6) % graph.node_size()),
                                           static_cast<int>(random.bits(7) % graph.node_size()));
        break;
      default:
        graph.mutable_input(0)
            ->mutable_type()
            ->mutable_tensor_type()
            ->mutable_shape()
            ->mutable_dim(static_cast<int>(random.bits(6) % 4))
            ->set_dim_value(number);
    }
    take(copy.SerializeAsString(), 1000 + seed);
  }
  CHECK(refused - before > 100);
  CHECK(accepted > 20);
}
