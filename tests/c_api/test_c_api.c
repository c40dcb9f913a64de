/* test_c_api FOLDER DEVICE: the C API gives the probabilities of Classifier, and reports each kind of error. make_files
 * writes FOLDER. */

#include "c_api/minception_c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures = 0;

#define CHECK(condition) check(condition, #condition, __LINE__)
static void check(int holds, const char* condition, int line) {
  if (holds) return;
  ++failures;
  printf("test_c_api.c:%d: %s is false; the last error is: %s\n", line, condition, minception_last_error());
}

/* Checks the status of a failed call and a part of its message. */
#define CHECK_FAILS(call, expected, part) check_fails(call, expected, part, #call, __LINE__)
static void check_fails(minception_status status, minception_status expected, const char* part, const char* call,
                        int line) {
  if (status == expected && strstr(minception_last_error(), part) != NULL) return;
  ++failures;
  printf("test_c_api.c:%d: %s gives status %d and \"%s\"; expected %d and \"%s\"\n", line, call, (int)status,
         minception_last_error(), (int)expected, part);
}

/* Path of a file in the folder; two results are valid at a time. */
static const char* folder;
static const char* path_of(const char* name) {
  static char paths[2][4096];
  static int next = 0;
  next = !next;
  snprintf(paths[next], sizeof paths[next], "%s/%s", folder, name);
  return paths[next];
}

/* Contents of a file, to be freed; ends the program if it cannot be read. */
static unsigned char* contents(const char* name, size_t* size) {
  unsigned char* bytes = malloc(1 << 20);
  FILE* file = fopen(path_of(name), "rb");
  if (bytes == NULL || file == NULL) {
    printf("%s cannot be read\n", path_of(name));
    exit(1);
  }
  *size = fread(bytes, 1, 1 << 20, file);
  fclose(file);
  return bytes;
}

enum { CLASSES = 4, HEIGHT = 25, WIDTH = 31 };
static double expected[CLASSES];

static int as_expected(const double* probabilities) {
  int same = 1;
  for (int i = 0; i < CLASSES; ++i) same = same && probabilities[i] == expected[i];
  return same;
}

static void test_predictions(minception_classifier* classifier) {
  const char* files[] = {"image.ppm", "image.png"};
  for (int i = 0; i < 2; ++i) {
    FILE* file = fopen(path_of(files[i]), "rb");
    if (file == NULL) continue; /* a build without libpng */
    fclose(file);
    double from_file[CLASSES] = {0}, from_memory[CLASSES] = {0};
    CHECK(minception_predict_file(classifier, path_of(files[i]), from_file, CLASSES) == MINCEPTION_OK);
    CHECK(as_expected(from_file));

    size_t size = 0;
    unsigned char* bytes = contents(files[i], &size);
    CHECK(minception_predict_encoded(classifier, bytes, size, from_memory, CLASSES) == MINCEPTION_OK);
    CHECK(as_expected(from_memory));
    /* A failed call leaves the buffer unchanged. */
    CHECK_FAILS(minception_predict_encoded(classifier, bytes, size / 2, from_memory, CLASSES), MINCEPTION_FAILED,
                "image in memory: ");
    CHECK_FAILS(minception_predict_encoded(classifier, bytes, 0, from_memory, CLASSES), MINCEPTION_FAILED, "empty");
    CHECK(as_expected(from_memory));
    free(bytes);
  }

  size_t size = 0;
  unsigned char* pixels = contents("pixels", &size);
  double probabilities[CLASSES + 1] = {0};
  probabilities[CLASSES] = 7.0;
  CHECK(size == HEIGHT * WIDTH * 3);
  CHECK(minception_predict_pixels(classifier, pixels, HEIGHT, WIDTH, 3, probabilities, CLASSES + 1) == MINCEPTION_OK);
  CHECK(as_expected(probabilities));
  CHECK(probabilities[CLASSES] == 7.0);

  double grey[CLASSES] = {0};
  CHECK(minception_predict_pixels(classifier, pixels, HEIGHT, WIDTH, 1, grey, CLASSES) == MINCEPTION_OK);
  CHECK(!as_expected(grey));
  CHECK(grey[0] + grey[1] + grey[2] + grey[3] > 0.999999 && grey[0] + grey[1] + grey[2] + grey[3] < 1.000001);

  CHECK_FAILS(minception_predict_pixels(classifier, pixels, HEIGHT, WIDTH, 2, grey, CLASSES),
              MINCEPTION_INVALID_ARGUMENT, "2 channels: use 1 or 3");
  CHECK_FAILS(minception_predict_pixels(classifier, pixels, 0, WIDTH, 3, grey, CLASSES), MINCEPTION_INVALID_ARGUMENT,
              "an image of 31x0");
  CHECK_FAILS(minception_predict_pixels(classifier, pixels, (size_t)-1, WIDTH, 3, grey, CLASSES),
              MINCEPTION_INVALID_ARGUMENT, "pixels are allowed");
  free(pixels);
}

static void test_errors(minception_classifier* classifier) {
  double p[CLASSES] = {0};
  const unsigned char text[] = "not an image";
  CHECK_FAILS(minception_predict_file(NULL, "image.ppm", p, CLASSES), MINCEPTION_INVALID_ARGUMENT,
              "minception_predict_file: the classifier is NULL");
  CHECK_FAILS(minception_predict_file(classifier, NULL, p, CLASSES), MINCEPTION_INVALID_ARGUMENT, "the image is NULL");
  CHECK_FAILS(minception_predict_file(classifier, "image.ppm", NULL, CLASSES), MINCEPTION_INVALID_ARGUMENT,
              "the buffer is NULL");
  CHECK_FAILS(minception_predict_encoded(NULL, text, sizeof text, p, CLASSES), MINCEPTION_INVALID_ARGUMENT,
              "the classifier is NULL");
  CHECK_FAILS(minception_predict_pixels(NULL, text, 1, 1, 1, p, CLASSES), MINCEPTION_INVALID_ARGUMENT,
              "the classifier is NULL");
  CHECK_FAILS(minception_predict_file(classifier, path_of("image.ppm"), p, CLASSES - 1), MINCEPTION_BUFFER_TOO_SMALL,
              "the buffer has 3 elements; the model has 4 classes");
  CHECK_FAILS(minception_predict_file(classifier, path_of("absent.png"), p, CLASSES), MINCEPTION_FAILED,
              "absent.png: cannot be opened: No such file or directory");
  CHECK_FAILS(minception_predict_encoded(classifier, text, sizeof text, p, CLASSES), MINCEPTION_FAILED,
              "not an image of a known format");

  minception_classifier* none = NULL;
  CHECK_FAILS(minception_classifier_load(NULL, "cpu", &none), MINCEPTION_INVALID_ARGUMENT, "the file name is NULL");
  CHECK_FAILS(minception_classifier_load("x", NULL, &none), MINCEPTION_INVALID_ARGUMENT, "the device is NULL");
  CHECK_FAILS(minception_classifier_load("x", "cpu", NULL), MINCEPTION_INVALID_ARGUMENT, "the pointer");
  CHECK_FAILS(minception_classifier_load("x", "tpu", &none), MINCEPTION_INVALID_ARGUMENT, "device \"tpu\": use");
  CHECK_FAILS(minception_classifier_load(path_of("absent.safetensors"), "reference", &none), MINCEPTION_FAILED,
              "absent.safetensors");
  CHECK_FAILS(minception_classifier_load(path_of("image.ppm"), "reference", &none), MINCEPTION_FAILED, "image.ppm");
  CHECK(none == NULL);
  CHECK(minception_classifier_classes(NULL) == 0);
  CHECK(minception_classifier_class_name(NULL, 0) == NULL);
  CHECK(minception_classifier_class_name(classifier, CLASSES) == NULL);
  minception_classifier_free(NULL);

  /* A successful call keeps the last message. */
  CHECK(minception_predict_file(classifier, path_of("image.ppm"), p, CLASSES) == MINCEPTION_OK);
  CHECK(strstr(minception_last_error(), "image.ppm") != NULL);
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  folder = argv[1];
  CHECK(strcmp(minception_last_error(), "") == 0);
  int major = 0, minor = 0, patch = 0;
  CHECK(sscanf(minception_version(), "%d.%d.%d", &major, &minor, &patch) == 3);
  CHECK(minception_version_number() == 10000 * major + 100 * minor + patch);

  FILE* file = fopen(path_of("probabilities"), "r");
  for (int i = 0; i < CLASSES; ++i) CHECK(file != NULL && fscanf(file, "%lf", &expected[i]) == 1);
  if (file != NULL) fclose(file);

  minception_classifier* classifier = NULL;
  CHECK(minception_classifier_load(path_of("model.safetensors"), argv[2], &classifier) == MINCEPTION_OK);
  if (classifier == NULL) return 1;
  CHECK(minception_classifier_classes(classifier) == CLASSES);
  CHECK(strcmp(minception_classifier_class_name(classifier, 0), "cat") == 0);
  CHECK(strcmp(minception_classifier_class_name(classifier, 2), "Kuh \xc3\xbc") == 0);
  test_predictions(classifier);
  test_errors(classifier);
  minception_classifier_free(classifier);
  printf(failures == 0 ? "all checks of the C API passed\n" : "%d checks failed\n", failures);
  return failures != 0;
}
