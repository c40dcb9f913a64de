#include "training/report/explanation.h"
#include "core/error.h"
#include "training/report/page.h"
#include "training/report/picture.h"
#include "training/report/text.h"

#include <algorithm>

namespace minception::report {
namespace {

constexpr std::int64_t kMostMaps = 48;  // of a layer
constexpr std::int64_t kSmall = 64;     // images up to this size are enlarged without interpolation

std::string img(const DecodedImage& image, const std::string& alt) {
  return "<img alt=\"" + escaped(alt) + "\" src=\"" + data_url(image) + "\">";
}

std::string figure(const DecodedImage& image, const std::string& alt, const std::string& caption) {
  return "<figure>" + img(image, alt) + "<figcaption>" + caption + "</figcaption></figure>\n";
}

/// The probabilities of the likeliest classes as bars.
std::string bars(const ExplainedPicture& picture, const std::vector<std::string>& class_names) {
  const std::vector<double>& p = picture.prediction.probabilities;
  std::string html = "<table class=\"list likely\"><tbody>\n";
  for (const std::size_t c : picture.prediction.ranked(5)) {
    html += "<tr><th scope=\"row\">" + escaped(class_names[c]) + "</th><td class=\"n\">" + percent(p[c], 1) +
            "</td><td><span style=\"width:" + coordinate(100.0 * p[c]) + "%\"></span></td></tr>\n";
  }
  return html + "</tbody></table>\n";
}

std::string explained(const ExplanationPage& page, const ExplainedPicture& picture) {
  float largest = 0.0f;  // one scale for the maps of a picture
  for (const std::size_t c : picture.shown) {
    const std::span<const float> map = picture.classes[static_cast<std::int64_t>(c)];
    largest = std::max(largest, *std::max_element(map.begin(), map.end()));
  }
  const std::string& found = picture.prediction.class_name;
  std::string title = escaped(picture.name);
  if (!picture.label.empty() && picture.label != found) {
    title = escaped(picture.label) + " taken for " + escaped(found) + ": " + title;
  }
  std::string html = "<section class=\"explained\"><h2>" + title + "</h2>\n<div class=\"maps\">\n";
  const auto size = [](std::int64_t height, std::int64_t width) { return concat(height, "x", width); };
  html += figure(enlarged(picture.image), picture.name,
                 "the picture, " + size(picture.image.shape[1], picture.image.shape[2]) + "; maps of " +
                     size(picture.classes.height, picture.classes.width));
  for (const std::size_t c : picture.shown) {
    const std::string& name = page.class_names[c];
    html += figure(heat_map(picture.image, picture.classes[static_cast<std::int64_t>(c)], picture.classes.height,
                            picture.classes.width, largest),
                   "map of " + name,
                   "<b>" + escaped(name) + "</b> " + percent(picture.prediction.probabilities[c], 1) + ", logit " +
                       decimal(picture.prediction.logits[c], 2));
  }
  html += bars(picture, page.class_names) + "</div>\n";
  if (!picture.neighbours.empty()) {
    html += "<h3>Nearest training images</h3>\n<div class=\"mistakes\">\n";
    for (const Neighbour& neighbour : picture.neighbours) {
      html += figure(enlarged(neighbour.image, 2 * kSmall), neighbour.name,
                     "<b>" + escaped(neighbour.class_name) + "</b><span>" + fixed(neighbour.similarity, 3) + " " +
                         escaped(neighbour.name) + "</span>");
    }
    html += "</div>\n";
  }
  if (picture.layer.count > 0) {
    html += "<h3>Layer " + escaped(page.layer) + ": " + grouped(picture.layer.count) + " channels of " +
            std::to_string(picture.layer.height) + "x" + std::to_string(picture.layer.width) +
            (picture.layer.count > kMostMaps ? ", the " + grouped(kMostMaps) + " of most contrast" : "") + "</h3>\n" +
            img(tiles(picture.layer, kMostMaps), "activations of " + page.layer);
  }
  return html + "</section>\n";
}

}  // namespace

std::string explanation_html(const ExplanationPage& page) {
  std::string body = "<header>\n<h1>What " + escaped(page.model) + " looks at</h1>\n<p class=\"byline\">" +
                     escaped(page.weights) + "</p>\n</header>\n<main>\n<p class=\"lead\">";
  body += page.exact
              ? "Bright places speak for the class: averaged over the picture, a map and the bias of its class are "
                "exactly its logit (class activation maps). "
              : "This network does not average feature maps of several positions at its end, so these maps are "
                "measured: a patch of the picture is replaced by its mean colour, and a place is bright where this "
                "lowers the logit of the class most. ";
  body += "The maps of a picture share one scale.</p>\n";
  for (const ExplainedPicture& picture : page.pictures) body += explained(page, picture);
  if (page.first.weights.shape.rank() == 4) {
    const Shape& shape = page.first.weights.shape;
    body += "<section class=\"explained\"><h2>First layer</h2>\n<p class=\"lead\">The " + grouped(shape[0]) +
            " filters of " + escaped(page.first.layer) + ", " + std::to_string(shape[2]) + "x" +
            std::to_string(shape[3]) + (shape[1] == 3 ? ", in colour" : "") +
            ": grey is 0, and each has a scale of its own.</p>\n" + img(filters(page.first.weights), "filters") +
            "</section>\n";
  }
  return report::page("What " + page.model + " looks at", body + "</main>\n<footer>Made by Minception.</footer>\n");
}

}  // namespace minception::report
