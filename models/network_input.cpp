/// Images from the caller's memory as the input of a network.

#include "core/error.h"
#include "models/network.h"
#include "models/weights.h"

namespace minception {
namespace {

/// Writes the images as (N, H, W, C), times the model's input_scale plus its input_shift.
template <class T>
void store(std::span<const ImageView> images, const Model& model, T* to) {
  const Shape& image = model.config.input;
  const std::int64_t channels = image[0], height = image[1], width = image[2];
  for (const ImageView& view : images) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const bool scaled = !model.input_scale.empty();
      const double scale = scaled ? model.input_scale[static_cast<std::size_t>(c)] : 1.0;
      const double shift = scaled ? model.input_shift[static_cast<std::size_t>(c)] : 0.0;
      for (std::int64_t h = 0; h < height; ++h) {
        const float* row = view.data + c * view.stride_c + h * view.stride_h;
        T* target = to + h * width * channels + c;
        for (std::int64_t w = 0; w < width; ++w) {
          const float value = row[w * view.stride_w];
          target[w * channels] = scaled ? static_cast<T>(static_cast<double>(value) * scale + shift) : T{value};
        }
      }
    }
    to += image.elements();
  }
}

}  // namespace

void Network::set_input(Mode mode, std::span<const float> images, std::span<const std::int32_t> labels) {
  const Shape& image = model_.config.input;
  const auto size = static_cast<std::size_t>(image.elements());
  require(images.size() % size == 0, images.size(), " values are not a batch of images of ", image);
  std::vector<ImageView> views;
  for (; !images.empty(); images = images.subspan(size)) {
    views.push_back({.data = images.data(), .stride_c = image[1] * image[2], .stride_h = image[2], .stride_w = 1});
  }
  set_input(mode, views, labels);
}

void Network::set_input(Mode mode, std::span<const ImageView> images, std::span<const std::int32_t> labels) {
  require(!options_.dataset_image, "this network was made for data sets, not for set_input");
  check_has_memory();
  const auto batch = static_cast<std::int64_t>(images.size());
  require(batch >= 1 && batch <= options_.max_batch, "a batch of ", batch, " images: from 1 to ", options_.max_batch,
          " are possible");
  require(labels.empty() || static_cast<std::int64_t>(labels.size()) == batch, labels.size(), " labels for ", batch,
          " images");
  for (const std::int32_t label : labels) {
    require(label >= 0 && label < model_.config.classes, "the label ", label, " is not a class of ", model_.config.name,
            ", 0 to ", model_.config.classes - 1);
  }
  has_input_[static_cast<int>(mode)] = true;
  const Plan& plan = plan_of(mode);
  const Tensor x = plan.bind(mode == Mode::training ? training_input_ : inference_input_, batch);
  if (backend_.device().kind == DeviceKind::cpu && x.dtype == DType::f32) {
    backend_.synchronize();
    store(images, model_, static_cast<float*>(x.data));
  } else if (x.dtype == DType::f32) {
    std::vector<float> memory(static_cast<std::size_t>(x.elements()));
    store(images, model_, memory.data());
    backend_.copy_to_device(x.data, memory.data(), x.bytes());
  } else {
    std::vector<double> memory(static_cast<std::size_t>(x.elements()));
    store(images, model_, memory.data());
    const FileTensor converted = to_file_tensor(memory, x.shape, x.dtype);
    backend_.copy_to_device(x.data, converted.bytes.data(), x.bytes());
  }
  std::vector<std::int32_t> answers(labels.begin(), labels.end());
  answers.resize(static_cast<std::size_t>(batch), 0);
  const Tensor y = plan.bind(mode == Mode::training ? training_labels_ : inference_labels_, batch);
  backend_.copy_to_device(y.data, answers.data(), answers.size() * sizeof(std::int32_t));
}

}  // namespace minception
