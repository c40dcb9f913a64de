/// Confusion matrices and mistakes as HTML.

#include "training/report/confusion.h"
#include "core/error.h"
#include "training/report/curve.h"
#include "training/report/text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace minception::report {
namespace {

constexpr std::size_t kTableClasses = 30;  // larger tables are unreadable
constexpr std::size_t kListed = 12;        // number of most frequent confusions listed
constexpr int kShades = 9;

class Matrix {
 public:
  explicit Matrix(const EvaluationRecord& record)
      : record_(record),
        classes_(static_cast<std::size_t>(record.evaluation.classes)),
        labelled_(classes_, 0),
        predicted_(classes_, 0) {
    for (std::size_t i = 0; i < classes_; ++i) {
      for (std::size_t j = 0; j < classes_; ++j) {
        labelled_[i] += count(i, j);
        predicted_[j] += count(i, j);
      }
    }
    for (std::size_t i = 0; i < classes_; ++i) {
      for (std::size_t j = 0; j < classes_; ++j) {
        if (i != j && count(i, j) > 0) largest_error_ = std::max(largest_error_, share(i, j));
      }
    }
  }

  std::size_t classes() const { return classes_; }
  std::int64_t count(std::size_t label, std::size_t predicted) const {
    return record_.evaluation.confusion[label * classes_ + predicted];
  }
  std::int64_t labelled(std::size_t label) const { return labelled_[label]; }
  /// Fraction of the samples with this label; NaN without samples.
  double share(std::size_t label, std::size_t predicted) const {
    return ratio(count(label, predicted), labelled_[label]);
  }
  double recall(std::size_t i) const { return share(i, i); }
  double precision(std::size_t i) const { return ratio(count(i, i), predicted_[i]); }
  std::string name(std::size_t i) const {
    return escaped(i < record_.class_names.size() ? record_.class_names[i] : "class " + std::to_string(i));
  }

  /// CSS class of a cell's shade. Correct cells and errors have separate scales; errors use a square root scale, so
  /// that ten errors are visible next to a thousand correct samples.
  std::string shade(std::size_t label, std::size_t predicted) const {
    if (count(label, predicted) == 0) return "";
    const bool right = label == predicted;
    const double depth = right ? recall(label) : std::sqrt(share(label, predicted) / largest_error_);
    const int shade = std::clamp(static_cast<int>(std::ceil(kShades * depth)), 1, kShades);
    return concat(right ? "h" : "e", shade);
  }

 private:
  static double ratio(std::int64_t part, std::int64_t whole) {
    return whole == 0 ? kNotANumber : static_cast<double>(part) / static_cast<double>(whole);
  }

  const EvaluationRecord& record_;
  std::size_t classes_;
  std::vector<std::int64_t> labelled_, predicted_;
  double largest_error_ = 0.0;
};

std::string table(const Matrix& matrix, double accuracy) {
  const std::size_t classes = matrix.classes();
  std::string html =
      "<div class=\"scroll\"><table class=\"confusion\">\n<thead><tr><th scope=\"col\" class=\"corner\">"
      "true \u2193<br>predicted \u2192</th>";
  for (std::size_t j = 0; j < classes; ++j) {
    html += "<th scope=\"col\" class=\"down\"><span>" + matrix.name(j) + "</span></th>";
  }
  html += "<th scope=\"col\" class=\"side\">recall</th></tr></thead>\n<tbody>\n";
  for (std::size_t i = 0; i < classes; ++i) {
    html += "<tr><th scope=\"row\">" + matrix.name(i) + "</th>";
    for (std::size_t j = 0; j < classes; ++j) {
      if (matrix.count(i, j) == 0) {
        html += "<td></td>";
        continue;
      }
      html += "<td class=\"" + matrix.shade(i, j) + "\" title=\"" + matrix.name(i) +
              (i == j ? ", correct: " : " predicted as " + matrix.name(j) + ": ") + grouped(matrix.count(i, j)) +
              " of " + grouped(matrix.labelled(i)) + " (" + percent(matrix.share(i, j), 1) + ")\">" +
              std::to_string(matrix.count(i, j)) + "</td>";
    }
    html += "<td class=\"side\">" + percent(matrix.recall(i), 1) + "</td></tr>\n";
  }
  html += "</tbody>\n<tfoot><tr><th scope=\"row\">precision</th>";
  for (std::size_t j = 0; j < classes; ++j) html += "<td>" + fixed(100.0 * matrix.precision(j), 1) + "</td>";
  return html + "<td class=\"side\"><b>" + percent(accuracy, 1) + "</b></td></tr></tfoot></table></div>\n";
}

/// One path of squares per shade, plus the counts as JSON for the script.
std::string picture(const Matrix& matrix) {
  const std::size_t classes = matrix.classes();
  std::vector<std::pair<std::string, std::string>> shades;
  std::string names, rows;
  for (std::size_t i = 0; i < classes; ++i) {
    std::string row;
    for (std::size_t j = 0; j < classes; ++j) {
      const std::string shade = matrix.shade(i, j);
      if (shade.empty()) continue;
      auto found = std::find_if(shades.begin(), shades.end(), [&](const auto& entry) { return entry.first == shade; });
      if (found == shades.end()) found = shades.insert(shades.end(), {shade, ""});
      found->second += concat("M", j, " ", i, "h1v1h-1z");
      row += concat(row.empty() ? "" : ",", j, ",", matrix.count(i, j));
    }
    rows += (i == 0 ? "[" : ",[") + row + "]";
    names += "<li>" + matrix.name(i) + "</li>";
  }
  std::string paths;
  for (const auto& [shade, d] : shades) paths += "<path class=\"" + shade + "\" d=\"" + d + "\"/>";
  const std::string size = std::to_string(classes);
  return "<figure class=\"matrix\"><svg viewBox=\"0 0 " + size + " " + size +
         "\" shape-rendering=\"crispEdges\" role=\"img\" aria-label=\"Confusion matrix of " + size +
         " classes; the tables next to it list the numbers\">" + paths +
         "</svg><figcaption>Rows: true class. Columns: predicted.</figcaption><ol hidden>" + names +
         "</ol><script type=\"application/json\">[" + rows + "]</script></figure>\n";
}

std::string frequent_confusions(const Matrix& matrix) {
  struct Pair {
    std::size_t label, predicted;
  };
  std::vector<Pair> pairs;
  for (std::size_t i = 0; i < matrix.classes(); ++i) {
    for (std::size_t j = 0; j < matrix.classes(); ++j) {
      if (i != j && matrix.count(i, j) > 0) pairs.push_back({i, j});
    }
  }
  if (pairs.empty()) return "<p>Every prediction was correct.</p>\n";
  std::stable_sort(pairs.begin(), pairs.end(), [&](const Pair& a, const Pair& b) {
    return matrix.count(a.label, a.predicted) > matrix.count(b.label, b.predicted);
  });
  pairs.resize(std::min(pairs.size(), kListed));
  std::string html =
      "<div class=\"scroll\"><table class=\"list\"><caption>Most frequent confusions</caption><thead><tr>"
      "<th scope=\"col\">true</th><th scope=\"col\">predicted as</th><th scope=\"col\" class=\"n\">samples</th>"
      "<th scope=\"col\" class=\"n\">of its class</th></tr></thead><tbody>\n";
  for (const auto& [label, predicted] : pairs) {
    html += "<tr><th scope=\"row\">" + matrix.name(label) + "</th><td>" + matrix.name(predicted) +
            "</td><td class=\"n\">" + grouped(matrix.count(label, predicted)) + "</td><td class=\"n\">" +
            percent(matrix.share(label, predicted), 1) + "</td></tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

std::string class_table(const Matrix& matrix) {
  std::vector<std::size_t> order(matrix.classes());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto key = [&](std::size_t i) { return std::isnan(matrix.recall(i)) ? 2.0 : matrix.recall(i); };
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
  std::string html =
      "<details><summary>Recall and precision of all classes, weakest first</summary><div class=\"scroll\">"
      "<table class=\"list\"><thead><tr><th scope=\"col\">class</th><th scope=\"col\" class=\"n\">samples</th>"
      "<th scope=\"col\" class=\"n\">recall</th><th scope=\"col\" class=\"n\">precision</th></tr></thead><tbody>\n";
  for (const std::size_t i : order) {
    html += "<tr><th scope=\"row\">" + matrix.name(i) + "</th><td class=\"n\">" + grouped(matrix.labelled(i)) +
            "</td><td class=\"n\">" + percent(matrix.recall(i), 1) + "</td><td class=\"n\">" +
            percent(matrix.precision(i), 1) + "</td></tr>\n";
  }
  return html + "</tbody></table></div></details>\n";
}

/// Small images are enlarged without interpolation; the width is in the first chunk of a PNG file.
bool is_small(const std::vector<std::uint8_t>& png) {
  constexpr std::size_t kWidthAt = 16;
  if (png.size() < kWidthAt + 4) return true;
  return std::accumulate(png.begin() + kWidthAt, png.begin() + kWidthAt + 4, std::uint32_t{0},
                         [](std::uint32_t sum, std::uint8_t byte) { return sum << 8 | byte; }) <= 64;
}

}  // namespace

std::string confusion_matrix(const EvaluationRecord& record) {
  const Evaluation& evaluation = record.evaluation;
  const auto classes = static_cast<std::size_t>(evaluation.classes);
  if (classes == 0 || evaluation.confusion.size() != classes * classes) return "";
  const Matrix matrix(record);
  const bool small = classes <= kTableClasses;
  return "<p class=\"lead\">" + grouped(evaluation.samples) + " samples of " + escaped(record.data) +
         (record.epoch > 0 ? ", tested after epoch " + grouped(record.epoch) : "") + ": " + percent(evaluation.top1) +
         " correct, loss " + decimal(evaluation.loss, 4) +
         ". Errors are shaded by their share of the true class, correct predictions on a separate scale.</p>\n"
         "<div class=\"beside\">\n" +
         (small ? table(matrix, evaluation.top1) : picture(matrix)) + frequent_confusions(matrix) + "</div>\n" +
         (small ? "" : class_table(matrix));
}

namespace {

/// The last two components of a path: class folder and file name.
std::string end_of_path(const std::string& path) {
  const std::size_t name = path.find_last_of('/');
  if (name == std::string::npos || name == 0) return path;
  return path.substr(path.find_last_of('/', name - 1) + 1);
}

}  // namespace

std::string mistakes(const EvaluationRecord& record, std::size_t most_bytes) {
  const auto& list = record.evaluation.mistakes;
  const auto name = [&](std::int32_t i) {
    const auto index = static_cast<std::size_t>(i);
    return escaped(index < record.class_names.size() ? record.class_names[index] : "class " + std::to_string(i));
  };
  std::string cards;
  std::size_t shown = 0;
  for (; shown < list.size() && cards.size() < most_bytes; ++shown) {
    const Mistake& mistake = list[shown];
    const std::string label = name(mistake.label), predicted = name(mistake.predicted);
    const std::string file = shown < record.mistake_files.size() ? record.mistake_files[shown] : "";
    const std::string index = file.empty() ? "sample " + grouped(mistake.index) : escaped(end_of_path(file));
    const bool has_image = shown < record.mistake_images.size() && !record.mistake_images[shown].empty();
    std::string image = "<div class=\"blank\">" + index + "</div>";
    if (has_image) {
      const std::vector<std::uint8_t>& png = record.mistake_images[shown];
      image = "<img" + std::string(is_small(png) ? " class=\"pixels\"" : "") + " alt=\"" + index + "\" title=\"" +
              index + "\" src=\"data:image/png;base64," + base64(png) + "\">";
      if (shown < record.mistake_maps.size()) {
        image = "<div class=\"looked\">" + image + "<img class=\"map\" alt=\"map of " + predicted +
                "\" src=\"data:image/png;base64," + base64(record.mistake_maps[shown]) + "\"></div>";
      }
    }
    cards +=
        "<figure>" + image + "<figcaption><b>" + label + "</b><span><i>" + predicted + "</i> " +
        percent(mistake.probability, 1) + "</span>" +
        (file.empty() ? "" : "<a href=\"" + file_url(file) + "\" title=\"" + escaped(file) + "\">" + index + "</a>") +
        "</figcaption></figure>\n";
  }
  if (shown == 0) return "";
  return "<p class=\"lead\">The " +
         (shown == 1 ? "most confident mistake"
                     : grouped(static_cast<std::int64_t>(shown)) + " most confident mistakes") +
         ". Each caption gives the true class and below it the predicted class with its probability.</p>\n" +
         (record.mistake_maps.empty()
              ? ""
              : "<label class=\"looks\"><input type=\"checkbox\"> Show what speaks for the predicted class (also "
                "under the pointer)</label>\n") +
         "<div class=\"mistakes\">\n" + cards + "</div>\n";
}

}  // namespace minception::report
