#pragma once
/// Results of the last evaluation: the confusion matrix and the most confident mistakes.

#include "training/evaluation_record.h"

#include <cstddef>
#include <string>

namespace minception::report {

/// The matrix (a row per true class), recall and precision per class, and the most frequent confusions. Up to 30
/// classes form a table; more form a picture with a table of the classes below it.
std::string confusion_matrix(const EvaluationRecord& record);

/// A grid of the mistakes, most confident first, limited to `most_bytes` of HTML.
std::string mistakes(const EvaluationRecord& record, std::size_t most_bytes);

}  // namespace minception::report
