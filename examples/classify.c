/* Classifies images from C: classify WEIGHTS IMAGE...
 *
 *   cc examples/classify.c $(pkg-config --cflags --libs minception) -o classify */

#include <minception/minception_c.h>

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char** argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: classify WEIGHTS IMAGE...\n");
    return 2;
  }
  minception_classifier* classifier = NULL;
  if (minception_classifier_load(argv[1], "auto", &classifier) != MINCEPTION_OK) {
    fprintf(stderr, "classify: %s\n", minception_last_error());
    return 1;
  }
  const size_t classes = minception_classifier_classes(classifier);
  double* probabilities = malloc(classes * sizeof *probabilities);
  int status = probabilities == NULL;
  for (int i = 2; i < argc && probabilities != NULL; ++i) {
    if (minception_predict_file(classifier, argv[i], probabilities, classes) != MINCEPTION_OK) {
      fprintf(stderr, "classify: %s\n", minception_last_error());
      status = 1;
      continue;
    }
    size_t best = 0;
    for (size_t c = 1; c < classes; ++c) best = probabilities[c] > probabilities[best] ? c : best;
    printf("%s  %.1f %%  %s\n", argv[i], 100.0 * probabilities[best],
           minception_classifier_class_name(classifier, best));
  }
  free(probabilities);
  minception_classifier_free(classifier);
  return status;
}
