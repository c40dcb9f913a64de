#pragma once
/// C API: class probabilities of images from a weights file.
///
///   minception_classifier* classifier = NULL;
///   double probabilities[10];
///   if (minception_classifier_load("model.safetensors", "auto", &classifier) != MINCEPTION_OK ||
///       minception_predict_file(classifier, "cat.jpg", probabilities, 10) != MINCEPTION_OK) {
///     fprintf(stderr, "%s\n", minception_last_error());
///   }
///   minception_classifier_free(classifier);
///
/// Ownership: the caller owns its buffers; a function reads and writes them only during the call. The library owns the
/// strings that it returns.
/// Threads: every function may be called from any thread. Predictions with one classifier run one after another; use one
/// classifier per thread to run them in parallel. minception_classifier_free must not overlap another use of the
/// classifier.
/// Errors: no function throws or ends the process. A function that fails leaves its outputs unchanged.

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum minception_status {
  MINCEPTION_OK = 0,
  MINCEPTION_INVALID_ARGUMENT = 1,  ///< NULL, an unknown device, or impossible extents
  MINCEPTION_BUFFER_TOO_SMALL = 2,  ///< fewer elements than minception_classifier_classes
  MINCEPTION_FAILED = 3,  ///< a file, an image, the weights or the device; minception_last_error has the cause
  MINCEPTION_OUT_OF_MEMORY = 4
} minception_status;

/// A loaded model on its device.
typedef struct minception_classifier minception_classifier;

/// Version of the library, "1.2.3" and 10203.
const char* minception_version(void);
int minception_version_number(void);

/// One line about the last failed call of this thread; "" if none failed. Valid until the next failure in this thread.
const char* minception_last_error(void);

/// Loads a weights file of `minception-train`. Devices: "cpu", "cuda", "reference" (slow), and "auto" (cuda if a GPU is
/// available, otherwise cpu). On success, release *classifier by minception_classifier_free.
minception_status minception_classifier_load(const char* weights_file, const char* device,
                                             minception_classifier** classifier);

/// Releases a classifier. NULL is allowed.
void minception_classifier_free(minception_classifier* classifier);

/// Number of classes; 0 if the classifier is NULL.
size_t minception_classifier_classes(const minception_classifier* classifier);

/// Name of a class, in UTF-8; NULL if the classifier is NULL or there is no such class. Valid as long as the
/// classifier.
const char* minception_classifier_class_name(const minception_classifier* classifier, size_t class_index);

/// Writes the probability of each class to the first minception_classifier_classes elements of `probabilities`, which has
/// `capacity` elements. The image is resized to the size that the model was trained with.
/// file:    an image file (PNG, JPEG, WebP, TIFF, GIF, BMP, PGM, PPM).
/// encoded: the bytes of such a file.
/// pixels:  height x width x channels bytes, row by row; 1 channel is grey, 3 are red, green and blue.
minception_status minception_predict_file(minception_classifier* classifier, const char* image_file,
                                          double* probabilities, size_t capacity);
minception_status minception_predict_encoded(minception_classifier* classifier, const void* bytes, size_t size,
                                             double* probabilities, size_t capacity);
minception_status minception_predict_pixels(minception_classifier* classifier, const uint8_t* pixels, size_t height,
                                            size_t width, size_t channels, double* probabilities, size_t capacity);

#ifdef __cplusplus
}
#endif
