/// Our side of the comparisons with ONNX runtimes. Each command runs one computation and writes the results to a file.
///
///   exchange_tool models
///       Prints the names of the models.
///   exchange_tool weights MODEL CxHxW CLASSES CxhxW OUT
///       A weights file with random weights, biases and statistics. MODEL is a name of the registry, "custom" (all layers
///       that the registry lacks) or "unsupported" (an activation of one's own). The second size is that of the training
///       images before the resize.
///   exchange_tool logits WEIGHTS DEVICE IN OUT
///       IN holds `images`: f32 (N, C, H, W) for Network::set_input, or u8 in the size of the training images. OUT gets
///       `logits`.

#include "core/error.h"
#include "core/random.h"
#include "core/safetensors.h"
#include "layers/activation.h"
#include "layers/avg_pool2d.h"
#include "layers/basic_conv2d.h"
#include "layers/concat.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/gelu.h"
#include "layers/linear.h"
#include "layers/local_response_norm.h"
#include "layers/max_pool2d.h"
#include "layers/relu.h"
#include "layers/residual.h"
#include "models/graph.h"
#include "models/registry.h"
#include "models/weights.h"
#include "models/weights_file.h"

#include <cstdio>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

using namespace minception;

namespace {

struct LeakyReLU {
  static constexpr const char* kName = "leaky_relu";
  template <class T>
  T value(T x) const {
    return x > 0 ? x : T(0.01) * x;
  }
  template <class T>
  T slope(T x) const {
    return x > 0 ? T(1) : T(0.01);
  }
};

/// Pools with ceil_mode and both divisors, adaptive pools with equal and unequal windows, nested containers.
Model custom(const Shape& input, std::int64_t classes) {
  Sequential pooled = {{"reduce", Conv2d(5, 1)},
                       {"pool", AvgPool2d(3, {.stride = 1, .padding = 1, .count_include_pad = false})},
                       {"drop", Dropout(0.3)}};
  Concat inner = {{"row", Conv2d(3, {1, 3}, {.padding = {0, 1}, .relu = true})}, {"column", Conv2d(4, 1)}};
  Sequential layers = {
      {"stem", Conv2d(12, 3, {.stride = 2, .padding = 1, .bias = false})},
      {"stem_bn", BatchNorm2d()},
      {"stem_relu", ReLU()},
      {"max_pool", MaxPool2d(3, {.stride = 2, .ceil_mode = true})},
      {"block", Residual(Sequential{{"conv", Conv2d(12, 3, {.padding = 1})}, {"act", GELU()}}, 0.5, true)},
      {"down", Residual({{"conv", Conv2d(10, 3, {.padding = 1})}, {"act", GELU()}},
                        {Conv2d(10, 1, {.bias = false}), BatchNorm2d()}, 0.7, true)},
      {"norm", LocalResponseNorm({.size = 5, .alpha = 0.7, .beta = 0.6, .k = 1.5})},
      {"parts", Concat{{"identity", Dropout(0.2)}, {"pooled", std::move(pooled)}, {"inner", std::move(inner)}}},
      {"gelu", GELU()},
      {"avg_pool", AvgPool2d(3, {.stride = 2, .padding = 1, .ceil_mode = true})},
      {"avg_pool2", AvgPool2d(2, {.stride = 2, .padding = 1, .ceil_mode = true, .count_include_pad = false})},
      {"bn", BatchNorm2d(BatchNorm2d::Options{.relu = true})},
      {"unequal", AdaptiveAvgPool2d({5, 4})},
      {"flatten", Flatten()},
      {"hidden", Linear(17)},
      {"hidden_act", GELU()},
      {"drop", Dropout(0.5)},
      {"fc", Linear(classes)}};
  return {"custom", std::move(layers), input, classes};
}

Model unsupported(const Shape& input, std::int64_t classes) {
  register_layer<Activation<LeakyReLU>>("LeakyReLU");
  Sequential layers = {
      {"conv", Conv2d(4, 3)}, {"leak", Activation<LeakyReLU>()}, {"pool", GlobalAvgPool()}, {"fc", Linear(classes)}};
  return {"unsupported", std::move(layers), input, classes};
}

void weights(const std::string& name, const Shape& input, std::int64_t classes, const Shape& image,
             const std::string& out) {
  Model model = name == "custom"        ? custom(input, classes)
                : name == "unsupported" ? unsupported(input, classes)
                                        : make_model({.name = name, .input = input, .classes = classes});
  const auto backend = make_backend("reference");
  NetworkOptions options = {.max_batch = 1, .training = false, .dataset_image = image};
  options.scale = {0.02f, 0.015f, 0.025f};
  options.shift = {-2.0f, -1.5f, -2.5f};
  options.scale.resize(static_cast<std::size_t>(input[0]));
  options.shift.resize(options.scale.size());
  Network network(std::move(model), *backend, options);
  network.initialize(Initialization::kaiming_normal, 7);
  std::map<std::string, FileTensor> state = network.state();
  std::uint64_t stream = 0;
  for (const Parameter& parameter : network.parameters().all()) {
    std::vector<double> values = to_doubles(state.at(parameter.name));
    const Random random{7, ++stream << 32};
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double u = random.uniform(i);
      switch (parameter.role) {
        case ParameterRole::weight:
          break;
        case ParameterRole::bias:
        case ParameterRole::norm_bias:
        case ParameterRole::running_mean:
          values[i] = 0.2 * (u - 0.5);
          break;
        case ParameterRole::norm_weight:
          values[i] = 0.7 + u;
          break;
        case ParameterRole::running_var:
          values[i] = 0.5 + u;
          break;
      }
    }
    state[parameter.name] = to_file_tensor(values, parameter.shape, DType::f32);
  }
  std::vector<std::string> class_names;
  for (std::int64_t c = 0; c < classes; ++c) class_names.push_back(concat("class \"", c, "\" ä"));
  write_safetensors(out, {std::move(state), weights_metadata(network, class_names)});
}

void logits(const std::string& file, const std::string& device, const char* in, const char* out) {
  const WeightsFile read = read_weights_file(file);
  const FileTensor images = read_safetensors(in).tensors.at("images");
  const std::int64_t batch = images.shape[0];
  const bool bytes = images.dtype == DType::u8;
  const auto backend = make_backend(device);
  NetworkOptions options = {.max_batch = batch, .training = false, .scale = read.scale, .shift = read.shift};
  if (bytes) options.dataset_image = read.image;
  Network network(make_model(read.config), *backend, options);
  load_weights(network, read, file);
  ResidentDataset dataset;  // outlives the run
  if (bytes) {
    const std::vector<std::byte> memory = file_to_channels_last(images.bytes, images.shape, DType::u8);
    const std::vector<std::int32_t> labels(static_cast<std::size_t>(batch), 0);
    dataset = make_resident(*backend, read.image, {reinterpret_cast<const std::uint8_t*>(memory.data()), memory.size()},
                            labels);
    network.set_dataset(Mode::inference, dataset);
    std::vector<std::int32_t> indices(labels.size());
    std::iota(indices.begin(), indices.end(), 0);
    network.set_indices(indices);
  } else {
    std::vector<float> pixels(images.bytes.size() / sizeof(float));
    std::memcpy(pixels.data(), images.bytes.data(), images.bytes.size());
    network.set_input(Mode::inference, pixels, {});
  }
  network.infer(batch);
  write_safetensors(
      out,
      {{{"logits", to_file_tensor(network.logits(Mode::inference, batch), {batch, read.config.classes}, DType::f32)}},
       {}});
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  try {
    if (words.size() == 1 && words[0] == "models") {
      for (const std::string& name : model_names()) std::printf("%s\n", name.c_str());
    } else if (words.size() == 6 && words[0] == "weights") {
      weights(words[1], parse_shape(words[2]), std::stol(words[3]), parse_shape(words[4]), words[5]);
    } else if (words.size() == 5 && words[0] == "logits") {
      logits(words[1], words[2], argv[4], argv[5]);
    } else {
      fail("usage: exchange_tool models|weights|logits ...");
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "exchange_tool: %s\n", error.what());
    return 1;
  }
}
