/// Our side of the comparisons with PyTorch and TensorBoard. Each command runs one computation and writes the results
/// to a file.
///
///   peer_tool step MODEL DEVICE DTYPE IN OUT
///       One forward and backward pass, and one inference, in f32 or f64, without dropout. IN holds `images`
///       (N, C, H, W), `labels`, the state as `state.NAME` in f32, and optionally `classes` with one value per class
///       (default: from fc.bias). OUT gets logits, loss, `grad.NAME`, statistics and inference logits.
///   peer_tool resize DEVICE HEIGHT WIDTH IN OUT
///       IN holds `images` (N, C, h, w) u8; OUT gets them resized.
///   peer_tool image FILE CHANNELS HEIGHT WIDTH RESIZE R,G,B OUT
///       OUT gets `pixels` (H, W, C) u8 from load_image; with HEIGHT 0 in full size, from read_image.
///   peer_tool train MODEL DEVICE DTYPE SIZE BATCH LR MOMENTUM LOWEST DECAY OPTIMIZER CLIP EMA ACCUMULATE IN OUT
///       One epoch over IN's `images` (M, C, h, w) u8 and `labels` in order, resized to SIZE. OPTIMIZER is sgd
///       (constant schedule or, with MOMENTUM > 0, one cycle and Nesterov), adam or adamw (constant; MOMENTUM is
///       beta1). CLIP is the max norm of gradients and EMA the decay of averages; 0: off. OUT gets the loss and the
///       state, or its averages if there are any.
///   peer_tool schedule KIND STEPS LR MOMENTUM WARMUP_STEPS INTERVAL FACTOR LOWEST_LR LOWEST_MOMENTUM RISE
///       Prints learning rate and momentum of every step.
///   peer_tool dataset NAME PATH OUT
///       OUT gets the data set: `train.pixels` (N, H, W, C) u8, `train.labels` i32, the same for `test`, and
///       `class_names` in the metadata, one per line.
///   peer_tool events FOLDER
///       Writes TensorBoard events with the same scalars: FOLDER/appended by EventFile, FOLDER/rewritten by
///       rewrite_events.

#include "core/error.h"
#include "core/safetensors.h"
#include "data/image_file.h"
#include "data/registry.h"
#include "models/network.h"
#include "models/registry.h"
#include "models/weights.h"
#include "training/batch_source.h"
#include "training/schedule.h"
#include "training/tensorboard.h"
#include "training/trainer.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

using namespace minception;

namespace {

template <class T>
std::vector<T> elements(const FileTensor& tensor) {
  require(tensor.dtype == dtype_of<T>::value, "a tensor of ", name_of(tensor.dtype),
          " does not have the requested dtype");
  std::vector<T> values(tensor.bytes.size() / sizeof(T));
  std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return values;
}

std::map<std::string, FileTensor> state_in(const Safetensors& content, DType compute) {
  std::map<std::string, FileTensor> state;
  for (const auto& [name, tensor] : content.tensors) {
    if (name.starts_with("state.")) {
      state[name.substr(6)] = to_file_tensor(to_doubles(tensor), tensor.shape, compute);
    }
  }
  return state;
}

void step(const std::string& model, const std::string& device, DType compute, const char* in, const char* out) {
  const Safetensors given = read_safetensors(in);
  const FileTensor& images = given.tensors.at("images");
  const auto labels = elements<std::int32_t>(given.tensors.at("labels"));
  const Shape& shape = images.shape;
  const std::map<std::string, FileTensor> state = state_in(given, compute);
  const auto counted = given.tensors.find("classes");
  const std::int64_t classes = counted != given.tensors.end() ? counted->second.shape[0] : state.at("fc.bias").shape[0];
  const auto backend = make_backend(device);
  Network network(
      make_model({.name = model, .input = {shape[1], shape[2], shape[3]}, .classes = classes, .dropout = 0.0}),
      *backend, {.max_batch = shape[0], .compute = compute});
  network.load_state(state);

  Safetensors result;
  const auto pixels = elements<float>(images);
  network.set_input(Mode::inference, pixels, labels);
  network.infer(shape[0]);
  result.tensors["inference_logits"] =
      to_file_tensor(network.logits(Mode::inference, shape[0]), {shape[0], classes}, DType::f64);
  network.reset_metrics();
  network.set_input(Mode::training, pixels, labels);
  network.train_step(shape[0], {.update = false});
  result.tensors["logits"] = to_file_tensor(network.logits(Mode::training, shape[0]), {shape[0], classes}, DType::f64);
  const double loss = network.metrics().loss / static_cast<double>(shape[0]);
  result.tensors["loss"] = to_file_tensor(std::vector<double>{loss}, {}, DType::f64);
  for (auto& [name, gradient] : network.gradients()) result.tensors["grad." + name] = gradient;
  for (auto& [name, value] : network.state()) result.tensors["state." + name] = value;
  write_safetensors(out, result);
}

void train(const std::vector<std::string>& words, const char* in, const char* out) {
  const DType compute = parse_dtype(words[3]).value();
  const std::int64_t size = std::stol(words[4]), batch = std::stol(words[5]);
  const double lr = std::stod(words[6]), momentum = std::stod(words[7]), decay = std::stod(words[9]);
  const bool sgd = words[10] == "sgd", cycles = sgd && momentum > 0.0;
  NetworkOptions options = {.max_batch = batch,
                            .compute = compute,
                            .optimizer = Sgd{.lr = lr, .momentum = momentum, .nesterov = cycles, .weight_decay = decay},
                            .max_norm = std::stod(words[11]),
                            .ema_decay = std::stod(words[12])};
  if (words[10] == "adam") options.optimizer = Adam{.lr = lr, .beta1 = momentum, .weight_decay = decay};
  if (words[10] == "adamw") options.optimizer = AdamW{.lr = lr, .beta1 = momentum, .weight_decay = decay};
  const Safetensors given = read_safetensors(in);
  const FileTensor& images = given.tensors.at("images");
  const Shape source = {images.shape[1], images.shape[2], images.shape[3]};
  const auto backend = make_backend(words[2]);
  options.dataset_image = source;
  Network network(make_model({.name = words[1], .input = {source[0], size, size}}), *backend, options);
  network.load_state(state_in(given, compute));

  const std::vector<std::byte> memory = file_to_channels_last(images.bytes, images.shape, DType::u8);
  const std::span<const std::uint8_t> pixels(reinterpret_cast<const std::uint8_t*>(memory.data()), memory.size());
  const auto labels = elements<std::int32_t>(given.tensors.at("labels"));
  const ResidentDataset dataset = make_resident(*backend, source, pixels, labels);
  ResidentBatchSource feed(dataset);
  Trainer trainer(network, feed,
                  {.epochs = 1,
                   .batch_size = batch,
                   .accumulate = std::stol(words[13]),
                   .shuffle = false,
                   .schedule = {.kind = cycles ? ScheduleKind::one_cycle : ScheduleKind::constant,
                                .base_momentum = std::stod(words[8]),
                                .pct_start = 0.2}});
  trainer.train_epoch();
  Safetensors result;
  result.tensors["loss"] = to_file_tensor(std::vector<double>{trainer.finish_epoch().train_loss}, {}, DType::f64);
  for (auto& [name, value] : network.averaged_state()) result.tensors["state." + name] = value;
  write_safetensors(out, result);
}

void resize(const std::string& device, std::int64_t height, std::int64_t width, const char* in, const char* out) {
  const FileTensor images = read_safetensors(in).tensors.at("images");
  const Shape& shape = images.shape;
  const auto backend = make_backend(device);
  const std::vector<std::byte> memory = file_to_channels_last(images.bytes, shape, DType::u8);
  std::vector<std::int32_t> indices(static_cast<std::size_t>(shape[0]));
  std::iota(indices.begin(), indices.end(), 0);
  std::vector<std::int32_t> labels(indices.size(), 0), batch_labels(indices.size(), 0);
  const Shape resized = {shape[0], shape[1], height, width};
  std::vector<float> y(static_cast<std::size_t>(resized.elements()));
  backend->run(LoadBatch{.images = Tensor(shape, DType::u8, const_cast<std::byte*>(memory.data())),
                         .labels = Tensor(Shape{shape[0]}, DType::i32, labels.data()),
                         .indices = Tensor(Shape{shape[0]}, DType::i32, indices.data()),
                         .y = Tensor(resized, DType::f32, y.data()),
                         .y_labels = Tensor(Shape{shape[0]}, DType::i32, batch_labels.data())});
  Safetensors result;
  result.tensors["images"] = {DType::f32, resized,
                              channels_last_to_file(std::as_bytes(std::span(y)), resized, DType::f32)};
  write_safetensors(out, result);
}

void dataset(const std::string& name, const char* path, const char* out) {
  const Dataset dataset = load_dataset(name, path);
  Safetensors result;
  for (const auto& [prefix, part] : {std::pair{"train.", &dataset.train}, std::pair{"test.", &dataset.test}}) {
    const auto bytes_of = [](const auto& values) {
      const auto bytes = std::as_bytes(std::span(values));
      return std::vector<std::byte>(bytes.begin(), bytes.end());
    };
    const Shape shape = {part->size(), part->image[1], part->image[2], part->image[0]};
    result.tensors[std::string(prefix) + "pixels"] = {DType::u8, shape, bytes_of(part->pixels)};
    result.tensors[std::string(prefix) + "labels"] = {DType::i32, Shape{part->size()}, bytes_of(part->labels)};
  }
  for (const std::string& class_name : dataset.train.class_names) result.metadata["class_names"] += class_name + "\n";
  write_safetensors(out, result);
}

void schedule(const std::vector<std::string>& words) {
  const auto number = [&](std::size_t i) { return std::stod(words[i]); };
  const std::int64_t steps = std::stol(words[2]);
  const Schedule schedule = {.kind = parse_schedule(words[1]),
                             .warmup_steps = std::stol(words[5]),
                             .step_size = std::stol(words[6]),
                             .gamma = number(7),
                             .eta_min = number(8),
                             .base_momentum = number(9),
                             .pct_start = number(10)};
  for (std::int64_t i = 0; i < steps; ++i) {
    const ScheduleValues values = schedule.at(i, steps, Sgd{.lr = number(3), .momentum = number(4)});
    std::printf("%.17g %.17g\n", values.learning_rate, values.momentum);
  }
}

/// test_tensorboard.py expects these values.
void events(const std::filesystem::path& folder) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  Metrics metrics;
  for (std::int64_t i = 1; i <= 3; ++i) {
    const double x = static_cast<double>(i);
    // The last step number exceeds 32 bits.
    metrics.steps.push_back({.epoch = 1,
                             .step = i == 3 ? 5'000'000'000 : 100 * i,
                             .learning_rate = 0.1 / x,
                             .momentum = 0.95 - 0.01 * x,
                             .loss = i == 2 ? kNaN : 2.3 / x,
                             .accuracy = 0.1 * x,
                             .examples_per_second = 1234.5 * x,
                             .gradient_norm = 10.0 * x,
                             .gradient_norms = {{"conv1", x}, {"inception3a", 0.5 * x}, {"aux1", 1e300}}});
  }
  for (std::int64_t i = 1; i <= 2; ++i) {
    const double x = static_cast<double>(i);
    metrics.epochs.push_back({.epoch = i,
                              .step = 469 * i,
                              .train_loss = 2.0 / x,
                              .train_accuracy = 0.3 * x,
                              .eval_loss = 1.5 / x,
                              .eval_accuracy = 0.35 * x,
                              .eval_top5 = 0.45 * x});
  }
  EventFile file(folder / "appended");
  for (const StepMetrics& step : metrics.steps) file.add(step);
  for (const EpochMetrics& epoch : metrics.epochs) file.add(epoch);

  EventFile(folder / "rewritten").scalar("gone", 1, 1.0);
  rewrite_events(folder / "rewritten", metrics);
}

void image(const std::vector<std::string>& words, const char* out) {
  ImageOptions options = {.resize = parse_resize(words[5])};
  int colour[3] = {};
  require(std::sscanf(words[6].c_str(), "%d,%d,%d", &colour[0], &colour[1], &colour[2]) == 3, words[6]);
  for (std::size_t c = 0; c < 3; ++c) options.background[c] = static_cast<std::uint8_t>(colour[c]);
  const std::int64_t height = std::stol(words[3]);
  const DecodedImage image = height == 0
                                 ? read_image(words[1], options)
                                 : load_image(words[1], std::stol(words[2]), height, std::stol(words[4]), options);
  FileTensor tensor{DType::u8, Shape{image.shape[1], image.shape[2], image.shape[0]}, {}};
  tensor.bytes.assign(reinterpret_cast<const std::byte*>(image.pixels.data()),
                      reinterpret_cast<const std::byte*>(image.pixels.data() + image.pixels.size()));
  write_safetensors(out, {{{"pixels", tensor}}, {}});
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  try {
    if (words.size() == 6 && words[0] == "step") {
      step(words[1], words[2], parse_dtype(words[3]).value(), argv[5], argv[6]);
    } else if (words.size() == 16 && words[0] == "train") {
      train(words, argv[15], argv[16]);
    } else if (words.size() == 6 && words[0] == "resize") {
      resize(words[1], std::stol(words[2]), std::stol(words[3]), argv[5], argv[6]);
    } else if (words.size() == 8 && words[0] == "image") {
      image(words, argv[8]);
    } else if (words.size() == 4 && words[0] == "dataset") {
      dataset(words[1], argv[3], argv[4]);
    } else if (words.size() == 11 && words[0] == "schedule") {
      schedule(words);
    } else if (words.size() == 2 && words[0] == "events") {
      events(words[1]);
    } else {
      fail("usage: peer_tool step|train|resize|image|dataset|schedule|events ...");
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "peer_tool: %s\n", error.what());
    return 1;
  }
}
