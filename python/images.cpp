#include "python/images.h"
#include "core/error.h"
#include "python/arguments.h"

#include <cmath>

namespace minception::python {
namespace {

constexpr const char* kAccepted =
    "a path, the bytes of an image file, a PIL image, an array of uint8 (H, W), (H, W, 1 or 3) or (N, H, W, 1 or 3), "
    "an "
    "array of float32 (C, H, W) or (N, C, H, W), or a list of these";

bool is_floating(const Array& array) {
  const std::optional<DType> dtype = dtype_of(array);
  return dtype && (*dtype == DType::f32 || *dtype == DType::f64 || *dtype == DType::f16 || *dtype == DType::bf16);
}

bool is_finite(const ImageView& image, const Shape& shape) {
  for (std::int64_t c = 0; c < shape[0]; ++c) {
    for (std::int64_t h = 0; h < shape[1]; ++h) {
      const float* row = image.data + c * image.stride_c + h * image.stride_h;
      for (std::int64_t w = 0; w < shape[2]; ++w) {
        if (!std::isfinite(row[w * image.stride_w])) return false;
      }
    }
  }
  return true;
}

bool is_bytes(const Array& array) { return dtype_of(array) == DType::u8; }

std::span<const std::uint8_t> bytes_of(const nb::bytes& bytes) {
  return {static_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

/// True for PIL.Image.Image; does not import PIL.
bool is_pil_image(nb::handle value) {
  const nb::object pil = nb::module_::import_("sys").attr("modules").attr("get")("PIL.Image");
  return !pil.is_none() && nb::isinstance(value, pil.attr("Image"));
}

/// The pixels of a PIL image, rotated as its EXIF orientation says. Grey and RGB images keep their bytes; others are
/// converted as their PNG files would be.
DecodedImage from_pil(nb::object image, const Classifier& classifier) {
  image = nb::module_::import_("PIL.ImageOps").attr("exif_transpose")(image);
  const std::string mode = nb::cast<nb::str>(image.attr("mode")).c_str();
  const bool transparent = nb::cast<bool>(image.attr("info").attr("__contains__")("transparency"));
  if ((mode == "L" || mode == "RGB") && !transparent) {
    const auto width = nb::cast<std::int64_t>(image.attr("width")),
               height = nb::cast<std::int64_t>(image.attr("height"));
    const nb::bytes pixels(image.attr("tobytes")());
    const std::span<const std::uint8_t> bytes = bytes_of(pixels);
    return {{mode == "L" ? 1 : 3, height, width}, {bytes.begin(), bytes.end()}};
  }
  const bool has_png = mode == "1" || mode == "L" || mode == "LA" || mode == "I" || mode == "I;16" || mode == "P" ||
                       mode == "RGB" || mode == "RGBA";
  if (!has_png) image = image.attr("convert")(mode.ends_with("A") || mode.ends_with("a") ? "RGBA" : "RGB");
  const nb::object file = nb::module_::import_("io").attr("BytesIO")();
  image.attr("save")(file, "PNG", nb::arg("compress_level") = 1);
  return classifier.read(bytes_of(nb::bytes(file.attr("getvalue")())), "a PIL image");
}

void append(Inputs& inputs, nb::handle value, const Classifier& classifier, const std::string& what, bool in_list) {
  if (nb::isinstance<nb::bytes>(value)) {
    inputs.images.push_back(classifier.read(bytes_of(nb::borrow<nb::bytes>(value)), "bytes"));
  } else if (nb::isinstance<nb::bytearray>(value) || PyMemoryView_Check(value.ptr())) {
    inputs.images.push_back(classifier.read(bytes_of(nb::bytes(value)), "bytes"));
  } else if (nb::isinstance<nb::str>(value) || nb::hasattr(value, "__fspath__")) {
    inputs.images.push_back(classifier.read(Argument<std::filesystem::path>::from(value, what)));
  } else if (is_pil_image(value)) {
    inputs.images.push_back(from_pil(nb::borrow(value), classifier));
  } else if (const std::optional<Array> array = as_array(value); array && (is_bytes(*array) || is_floating(*array))) {
    inputs.torch = inputs.torch || is_torch(value);
    const bool batch = array->ndim() == 4;
    if (batch && in_list) raise_type_error(what + ": each element of a list is one image, not a batch (N, ...)");
    if (!in_list && batch) inputs.single = false;
    if (is_bytes(*array)) {
      for (DecodedImage& image : images_from(*array, true, what)) inputs.images.push_back(std::move(image));
    } else {
      append_values(inputs.values, *array, classifier.config().input, what);
    }
  } else if (array) {
    raise_type_error(concat(what, " is an array of ", dtype_name(*array), "; it must be ", kAccepted));
  } else {
    raise_wrong_type(what, kAccepted, value);
  }
}

}  // namespace

std::vector<DecodedImage> images_from(const Array& array, bool batches, const std::string& what) {
  const std::size_t rank = array.ndim();
  const bool grey = rank == 2;
  const std::size_t first = rank == 4 ? 1 : 0;  // axis of the height
  const bool valid =
      grey || ((rank == 3 || (rank == 4 && batches)) && (array.shape(rank - 1) == 1 || array.shape(rank - 1) == 3));
  require(valid, what, ": an array of uint8 of shape ", shape_of(array), ": images are (H, W), (H, W, 1 or 3)",
          batches ? " or (N, H, W, 1 or 3)" : "", "; channels come last");
  const Shape shape = {grey ? 1 : static_cast<std::int64_t>(array.shape(rank - 1)),
                       static_cast<std::int64_t>(array.shape(first)),
                       static_cast<std::int64_t>(array.shape(first + 1))};
  require(shape.elements() > 0, what, ": images of ", shape, " are empty");
  const bool in_place = is_row_major(array);
  const std::vector<std::byte> copy = in_place ? std::vector<std::byte>() : row_major(array);
  const auto* bytes = static_cast<const std::uint8_t*>(in_place ? array.data() : copy.data());
  std::vector<DecodedImage> images;
  for (std::size_t i = 0; i < array.nbytes(); i += static_cast<std::size_t>(shape.elements())) {
    images.push_back({shape, {bytes + i, bytes + i + shape.elements()}});
  }
  return images;
}

void append_values(FloatImages& images, const Array& array, const Shape& input, const std::string& what) {
  if (!is_floating(array)) {
    raise_type_error(concat(what, " is an array of ", dtype_name(array),
                            "; it must be float32, (C, H, W) or (N, C, H, W), "
                            "normalised as in training"));
  }
  const Shape shape = shape_of(array);
  const int first = shape.rank() - 3;
  const bool valid = (first == 0 || first == 1) && shape[first] == input[0] && shape[first + 1] == input[1] &&
                     shape[first + 2] == input[2];
  require(valid, what, ": an array of ", dtype_name(array), " of shape ", shape, ": the network takes ", input,
          " or a batch (N, ...) of these, normalised as in training");
  const std::int64_t count = first == 0 ? 1 : shape[0];
  const auto axis = static_cast<std::size_t>(first);
  const float* data = static_cast<const float*>(array.data());
  std::int64_t step = first == 0 ? 0 : array.stride(0);
  ImageView view = {
      .stride_c = array.stride(axis), .stride_h = array.stride(axis + 1), .stride_w = array.stride(axis + 2)};
  const bool aligned = reinterpret_cast<std::uintptr_t>(array.data()) % alignof(float) == 0;
  if (dtype_of(array) == DType::f32 && aligned) {
    images.arrays.push_back(array);
  } else {
    data = images.converted.emplace_back(values_as<float>(array)).data();
    step = input.elements();
    view = {.stride_c = input[1] * input[2], .stride_h = input[2], .stride_w = 1};
  }
  for (std::int64_t i = 0; i < count; ++i) {
    view.data = data + i * step;
    // Some kernels drop NaN, so that the result would look like any other.
    require(is_finite(view, input), what, count > 1 ? concat("[", i, "]") : "", ": has NaN or infinite values");
    images.views.push_back(view);
  }
}

Inputs read_inputs(nb::handle value, const Classifier& classifier, const std::string& what) {
  Inputs inputs;
  inputs.single = true;
  if (!nb::isinstance<nb::list>(value) && !nb::isinstance<nb::tuple>(value)) {
    append(inputs, value, classifier, what, false);
    return inputs;
  }
  inputs.single = false;
  std::size_t index = 0;
  for (const nb::handle each : value) append(inputs, each, classifier, concat(what, "[", index++, "]"), true);
  if (!inputs.images.empty() && !inputs.values.views.empty()) {
    raise_type_error(what + ": a list holds either images or arrays of floats, not both");
  }
  return inputs;
}

}  // namespace minception::python
