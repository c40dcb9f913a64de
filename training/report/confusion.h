#pragma once
/// What the last test found: which classes are taken for which, and the mistakes that the network was surest of.

#include <minception/training/evaluation_record.h>

#include <cstddef>
#include <string>

namespace minception::report {

/// The matrix (a row per true class), recall and precision per class, and the most frequent confusions. Up to
/// 30 classes are a table; more are a picture, with a table of the classes below it.
std::string confusion_matrix(const EvaluationRecord& record);

/// A grid of the mistakes, surest first, as many as fit into `most_bytes` of page.
std::string mistakes(const EvaluationRecord& record, std::size_t most_bytes);

}  // namespace minception::report
