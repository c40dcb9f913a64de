#pragma once
/// What the pictures of the studies share: the elements of an SVG file that stands alone.

#include <minception/core/error.h>
#include <minception/training/report/text.h>

#include <algorithm>
#include <string>

namespace minception::svg {

using report::coordinate;

/// The colours of the report's light style (training/report/style.h): an SVG file that stands alone has no style sheet.
inline constexpr const char* kStyle =
    R"(text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif;fill:#1b1e22}
.title{font-size:18px;font-weight:600}.panel{font-size:14px;font-weight:600}.muted{fill:#5b626b}.label{font-size:11px;paint-order:stroke;stroke:#fff;stroke-width:3px}
.grid{stroke:#ececE7}.frame{stroke:#deded8;fill:none}
)";

constexpr double kLetter = 6.1;  ///< of labels, in pixels: a wide guess of a letter's width
constexpr double kHead = 68.0;   ///< the height of title and note above the panels

struct Spot {
  double x = 0.0, y = 0.0;
};

struct Box {
  double x = 0.0, y = 0.0, width = 0.0, height = 0.0;
  bool meets(const Box& other) const {
    return x < other.x + other.width && other.x < x + width && y < other.y + other.height && other.y < y + height;
  }
};

/// Of a label; counts the bytes that begin a character.
inline double text_width(const std::string& text) {
  return kLetter * static_cast<double>(std::count_if(text.begin(), text.end(), [](char byte) {
           return (static_cast<unsigned char>(byte) >> 6) != 2;
         }));
}

inline std::string line(const std::string& style, Spot from, Spot to) {
  return concat("<line class=\"", style, "\" x1=\"", coordinate(from.x), "\" y1=\"", coordinate(from.y), "\" x2=\"",
                coordinate(to.x), "\" y2=\"", coordinate(to.y), "\"/>\n");
}

/// `anchor`: start, middle or end; `more`: further attributes.
inline std::string text(const std::string& style, Spot at, const char* anchor, const std::string& content,
                        const std::string& more = "") {
  return concat("<text class=\"", style, "\" x=\"", coordinate(at.x), "\" y=\"", coordinate(at.y), "\" text-anchor=\"",
                anchor, "\"", more, ">", report::escaped(content), "</text>\n");
}

/// For `more`: turned by so many degrees, clockwise.
inline std::string turned(double degrees, Spot around) {
  return concat(" transform=\"rotate(", coordinate(degrees), " ", coordinate(around.x), " ", coordinate(around.y),
                ")\"");
}

/// The frame of a panel's area.
inline std::string frame(const Box& area) {
  return concat("<rect class=\"frame\" x=\"", coordinate(area.x), "\" y=\"", coordinate(area.y), "\" width=\"",
                coordinate(area.width), "\" height=\"", coordinate(area.height), "\"/>\n");
}

/// A whole file on white: `content` below title and note.
inline std::string file(double width, double height, const std::string& style, const std::string& title,
                        const std::string& note, const std::string& content) {
  return concat("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"", coordinate(width), "\" height=\"",
                coordinate(height), "\" viewBox=\"0 0 ", coordinate(width), " ", coordinate(height),
                "\" role=\"img\" aria-label=\"", report::escaped(title), "\">\n<style>\n", kStyle, style,
                "</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
                text("title", {16.0, 32.0}, "start", title), text("muted", {16.0, 54.0}, "start", note), content,
                "</svg>\n");
}

}  // namespace minception::svg
