#include "training/report/inside.h"
#include "core/error.h"
#include "training/report/text.h"

namespace minception::report {
namespace {

std::string img(const std::vector<std::uint8_t>& png, const std::string& alt, const char* attributes = "") {
  return "<img" + std::string(attributes) + " alt=\"" + escaped(alt) + "\" src=\"data:image/png;base64," + base64(png) +
         "\">";
}

std::string card(const std::string& title, const std::string& note, const std::string& content) {
  return "<figure class=\"plot\"><figcaption>" + escaped(title) + "<small>" + escaped(note) + "</small></figcaption>" +
         content + "</figure>\n";
}

/// The image, and over it what speaks for its class.
std::string example(const EvaluationRecord& record, const InsidePictures& inside) {
  const auto name = [&](std::int32_t label) { return record.class_names.at(static_cast<std::size_t>(label)); };
  const std::string where = inside.file.empty() ? "sample " + grouped(inside.index) : inside.file;
  std::string content = "<div class=\"pair\">" + img(inside.image, where);
  if (!inside.map.empty()) {
    content += "<div class=\"looked\">" + img(inside.image, where) +
               img(inside.map, "map of " + name(inside.predicted), " class=\"over\"") + "</div>";
  }
  return card(
      name(inside.label),
      (inside.predicted == inside.label ? "recognised with " : "taken for " + name(inside.predicted) + " with ") +
          percent(inside.probability, 1),
      content + "</div>");
}

}  // namespace

std::string inside_of(const EvaluationRecord& record, std::size_t most_bytes) {
  if (!record.inside) return "";
  const InsidePictures& inside = *record.inside;
  std::string cards = example(record, inside);
  if (!inside.filters_png.empty()) {
    const std::vector<std::int64_t>& shape = inside.filters;
    cards += card("Filters of " + inside.first_layer,
                  concat(shape[0], " of ", shape[2], "x", shape[3], shape[1] == 3 ? " in colour" : "", "; grey is 0"),
                  img(inside.filters_png, "filters"));
  }
  for (const LayerPicture& layer : inside.layers) {
    const std::string most_active =
        layer.shown < layer.channels ? concat(", the ", layer.shown, " of most contrast") : "";
    cards += card(layer.layer, concat(layer.channels, " channels of ", layer.height, "x", layer.width, most_active),
                  img(layer.png, "activations of " + layer.layer));
  }
  if (cards.size() > most_bytes) return "";
  return "<p class=\"lead\">What the network computes for one image of " + escaped(record.data) +
         (inside.map.empty() ? "" : "; next to it, bright, what speaks for its class") +
         ". Below are the activations of the last layer or block of each size: dark is the lowest value of a channel, "
         "bright its highest.</p>\n<div class=\"plots inside\">\n" +
         cards + "</div>\n";
}

}  // namespace minception::report
