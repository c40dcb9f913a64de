#include "c_api/minception_c.h"
#include "core/error.h"
#include "models/classifier.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <string_view>

using namespace minception;

struct minception_classifier {
  std::unique_ptr<Backend> backend;
  Classifier classifier;
  std::mutex mutex;

  minception_classifier(const char* weights, std::unique_ptr<Backend> made)
      : backend(std::move(made)), classifier(weights, *backend, 1) {}
};

namespace {

thread_local std::string last_error;

/// An Error of the caller, with the status for it.
struct CallError : Error {
  minception_status status;
  CallError(minception_status s, const std::string& what) : Error(what), status(s) {}
};

minception_status failed(minception_status status, const char* what) noexcept {
  try {
    last_error = what;
  } catch (...) {
    last_error.clear();
  }
  return status;
}

/// Calls `action`. Returns the status of its exception and keeps the message.
template <class Action>
minception_status guarded(const Action& action) noexcept {
  try {
    action();
    return MINCEPTION_OK;
  } catch (const CallError& error) {
    return failed(error.status, error.what());
  } catch (const std::bad_alloc&) {
    return failed(MINCEPTION_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& error) {
    return failed(MINCEPTION_FAILED, error.what());
  } catch (...) {
    return failed(MINCEPTION_FAILED, "unknown exception");
  }
}

void require_argument(bool condition, const char* function, const std::string& problem) {
  if (!condition) throw CallError(MINCEPTION_INVALID_ARGUMENT, concat(function, ": ", problem));
}

std::unique_ptr<Backend> backend_for(std::string_view device) {
  if (device == "auto") device = why_no_cuda().empty() && !cuda_is_emulated() ? "cuda" : "cpu";
  constexpr std::string_view kDevices[] = {"cpu", "cuda", "reference"};
  require_argument(std::find(std::begin(kDevices), std::end(kDevices), device) != std::end(kDevices),
                   "minception_classifier_load",
                   concat("device \"", device, "\": use \"auto\", \"cpu\", \"cuda\" or \"reference\""));
  return make_backend(device);
}

/// Predicts the image that `image(classifier)` returns, after the checks that all prediction functions share.
template <class Image>
minception_status predict(const char* function, minception_classifier* handle, const void* input, double* probabilities,
                          std::size_t capacity, const Image& image) noexcept {
  return guarded([&] {
    require_argument(handle != nullptr, function, "the classifier is NULL");
    require_argument(input != nullptr, function, "the image is NULL");
    require_argument(probabilities != nullptr, function, "the buffer is NULL");
    const std::size_t classes = handle->classifier.class_names().size();
    if (capacity < classes) {
      throw CallError(MINCEPTION_BUFFER_TOO_SMALL, concat(function, ": the buffer has ", capacity,
                                                          " elements; the model has ", classes, " classes"));
    }
    const DecodedImage decoded = image(handle->classifier);
    const std::lock_guard lock(handle->mutex);
    const Prediction prediction = handle->classifier.predict({&decoded, 1})[0];
    require(std::all_of(prediction.logits.begin(), prediction.logits.end(), [](double v) { return std::isfinite(v); }),
            function, ": the logits are not finite: the weights overflow");
    std::copy(prediction.probabilities.begin(), prediction.probabilities.end(), probabilities);
  });
}

}  // namespace

const char* minception_version() { return MINCEPTION_VERSION; }
int minception_version_number() { return MINCEPTION_VERSION_NUMBER; }
const char* minception_last_error() { return last_error.c_str(); }

minception_status minception_classifier_load(const char* weights_file, const char* device,
                                             minception_classifier** classifier) {
  return guarded([&] {
    const char* function = "minception_classifier_load";
    require_argument(weights_file != nullptr, function, "the file name is NULL");
    require_argument(device != nullptr, function, "the device is NULL");
    require_argument(classifier != nullptr, function, "the pointer for the classifier is NULL");
    *classifier = new minception_classifier(weights_file, backend_for(device));
  });
}

void minception_classifier_free(minception_classifier* classifier) { delete classifier; }

std::size_t minception_classifier_classes(const minception_classifier* classifier) {
  return classifier == nullptr ? 0 : classifier->classifier.class_names().size();
}

const char* minception_classifier_class_name(const minception_classifier* classifier, std::size_t class_index) {
  if (class_index >= minception_classifier_classes(classifier)) return nullptr;
  return classifier->classifier.class_names()[class_index].c_str();
}

minception_status minception_predict_file(minception_classifier* classifier, const char* image_file,
                                          double* probabilities, std::size_t capacity) {
  return predict(__func__, classifier, image_file, probabilities, capacity,
                 [&](const Classifier& c) { return c.read(image_file); });
}

minception_status minception_predict_encoded(minception_classifier* classifier, const void* bytes, std::size_t size,
                                             double* probabilities, std::size_t capacity) {
  return predict(__func__, classifier, bytes, probabilities, capacity, [&](const Classifier& c) {
    return c.read({static_cast<const std::uint8_t*>(bytes), size}, "image in memory");
  });
}

minception_status minception_predict_pixels(minception_classifier* classifier, const std::uint8_t* pixels,
                                            std::size_t height, std::size_t width, std::size_t channels,
                                            double* probabilities, std::size_t capacity) {
  const char* function = __func__;
  return predict(function, classifier, pixels, probabilities, capacity, [&](const Classifier&) {
    constexpr std::size_t kMostPixels = std::size_t{1} << 28;  // as for image files
    require_argument(height >= 1 && width >= 1 && width <= kMostPixels / height, function,
                     concat("an image of ", width, 'x', height, ": from 1 to ", kMostPixels, " pixels are allowed"));
    require_argument(channels == 1 || channels == 3, function, concat(channels, " channels: use 1 or 3"));
    const Shape shape = {static_cast<std::int64_t>(channels), static_cast<std::int64_t>(height),
                         static_cast<std::int64_t>(width)};
    return DecodedImage{shape, {pixels, pixels + height * width * channels}};
  });
}
