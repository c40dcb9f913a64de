/// Configuration and memory plan as HTML.

#include "training/report/configuration.h"
#include "training/report/curve.h"
#include "training/report/text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

namespace minception::report {
namespace {

struct Group {
  std::string_view name;
  std::vector<std::string_view> keys;
};

const std::vector<Group>& known_groups() {
  static const std::vector<Group> groups = {
      {"Model", {"model", "input", "classes", "parameters", "initialization", "init_file", "init", "auxiliary_weight"}},
      {"Data",
       {"data", "data_dir", "train_images", "validation_images", "test_images", "shuffle", "augmentation",
        "crop_padding", "flip"}},
      {"Training",
       {"epochs", "batch_size", "learning_rate", "schedule", "warmup", "momentum", "base_momentum", "nesterov",
        "weight_decay", "label_smoothing", "seed"}},
      {"Environment",
       {"device", "backend", "compute", "threads", "processor", "compiler", "version", "onednn", "driver",
        "peak_bytes"}}};
  return groups;
}

std::string_view prefix_of(std::string_view key) {
  const std::size_t dot = key.find('.');
  return dot == std::string_view::npos ? std::string_view() : key.substr(0, dot);
}

std::string group_of(std::string_view key) {
  if (const std::string_view prefix = prefix_of(key); !prefix.empty()) {
    return prefix == "options" ? "Options" : std::string(prefix);
  }
  for (const Group& group : known_groups()) {
    if (std::find(group.keys.begin(), group.keys.end(), key) != group.keys.end()) return std::string(group.name);
  }
  return "More";
}

/// Formats a value: counts with thousands separators, bytes with a unit.
std::string shown(const std::string& key, const std::string& value) {
  if (value.empty()) return "–";
  const bool is_count = value.size() > 4 && value.size() < 19 &&
                        std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!is_count || key.ends_with("seed")) return escaped(value);
  if (key.ends_with("_bytes")) return byte_size(std::stod(value)) + " (" + grouped(std::stoll(value)) + ")";
  return grouped(std::stoll(value));
}

std::string rows_of(const std::string& name, const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string html = "<table class=\"list\"><caption>" + escaped(name) + "</caption><tbody>\n";
  for (const auto& [key, value] : entries) {
    html += "<tr><th scope=\"row\">" + escaped(key) + "</th><td>" + shown(key, value) + "</td></tr>\n";
  }
  return html + "</tbody></table>\n";
}

struct Part {
  std::string colour;
  std::string name;
  double bytes;
  std::string what;
};

/// Memory of each kind in the order of the bar; the rest of the total is "other".
std::vector<Part> parts_of(const Run& run) {
  const auto bytes = [&](const char* key) { return run.number(std::string("memory.") + key); };
  const std::string optimizer = run.text("options.optimizer");
  std::vector<Part> parts = {
      {"c0", "parameters", bytes("parameters"), "weights, with the running statistics of BatchNorm"},
      {"c3", "gradients", bytes("gradients"), "one per weight"},
      {"c4", "optimizer", bytes("optimizer"),
       optimizer == "adam" || optimizer == "adamw" ? "Adam's two moments" : "momentum"},
      {"c6", "averages", bytes("averages"), "moving averages of weights and running statistics"},
      {"c2", "prepacked weights", bytes("packed"), "copies in the layout of the kernels"},
      {"c1", "arena", bytes("arena"), "activations, their gradients and workspaces, sharing memory"}};
  std::erase_if(parts, [](const Part& part) { return !(part.bytes > 0.0); });
  double rest = bytes("total");
  for (const Part& part : parts) rest -= part.bytes;
  if (rest > 0.005 * bytes("total")) parts.push_back({"c7", "other", rest, "inputs, labels, counters"});
  return parts;
}

/// A bar of the parts, scaled so that its full width is `whole` bytes.
std::string bar(const std::vector<Part>& parts, double whole, const std::string& label) {
  std::string html = "<svg class=\"bar\" role=\"img\" aria-label=\"" + escaped(label) + "\">";
  double begin = 0.0;
  for (const Part& part : parts) {
    const double share = 100.0 * part.bytes / whole;
    html += "<rect class=\"" + part.colour + "\" x=\"" + coordinate(begin, 3) + "%\" width=\"" + coordinate(share, 3) +
            "%\" height=\"100%\"><title>" + escaped(part.name) + ": " + byte_size(part.bytes) + "</title></rect>";
    begin += share;
  }
  return html + "</svg>\n";
}

/// Memory saved by reuse: three bars on one scale.
std::string reuse(const Run& run) {
  const double arena = run.number("memory.arena"), without = run.number("memory.without_reuse"),
               live = run.number("memory.live");
  if (!(arena > 0.0) || !(without > 0.0)) return "";
  std::string rows;
  const auto row = [&](const char* name, double bytes, const char* colour) {
    if (!(bytes > 0.0)) return;
    const double whole = std::max(arena, without);
    rows += "<tr><th scope=\"row\">" + std::string(name) + "</th><td class=\"n\">" + byte_size(bytes) +
            "</td><td class=\"wide\">" + bar({{colour, name, bytes, ""}}, whole, name) + "</td></tr>\n";
  };
  row("separate memory for every tensor", without, "c7");
  row("the arena", arena, "c1");
  row("peak of live tensors: lower bound of any plan", live, "c0");
  return "<div class=\"scroll\"><table class=\"list bars\"><caption>The arena" +
         (without > arena ? ": reuse saves " + percent(1.0 - arena / without, 0) : std::string()) +
         "</caption><tbody>\n" + rows + "</tbody></table></div>\n";
}

/// Whether an option such as "options.weight-decay" repeats the value of "weight_decay".
bool repeats(const std::string& key, std::span<const Run> runs) {
  if (prefix_of(key) != "options") return false;
  std::string plain = key.substr(key.find('.') + 1);
  std::replace(plain.begin(), plain.end(), '-', '_');
  return std::all_of(runs.begin(), runs.end(), [&](const Run& run) { return run.text(plain) == run.text(key); });
}

}  // namespace

std::string configuration_of(const Run& run) {
  std::vector<std::pair<std::string, std::vector<std::pair<std::string, std::string>>>> groups;
  for (const Group& group : known_groups()) groups.push_back({std::string(group.name), {}});
  for (const auto& [key, value] : run.config) {
    if (prefix_of(key) == "memory") continue;
    const std::string name = group_of(key);
    auto group = std::find_if(groups.begin(), groups.end(), [&](const auto& entry) { return entry.first == name; });
    if (group == groups.end()) group = groups.insert(groups.end(), {name, {}});
    const std::string_view prefix = prefix_of(key);
    group->second.emplace_back(prefix.empty() ? key : key.substr(prefix.size() + 1), value);
  }
  std::string html;
  for (const auto& [name, entries] : groups) {
    if (!entries.empty()) html += rows_of(name, entries);
  }
  return html.empty() ? "" : "<div class=\"columns\">\n" + html + "</div>\n";
}

std::string memory_of(const Run& run) {
  const std::vector<Part> parts = parts_of(run);
  double total = run.number("memory.total");
  if (parts.empty()) return "";
  double sum = 0.0;
  for (const Part& part : parts) sum += part.bytes;
  if (!(total >= sum)) total = sum;
  const double available = run.number("memory.available");

  std::string rows;
  for (const Part& part : parts) {
    rows += "<tr><th scope=\"row\" class=\"" + part.colour + "\"><i></i>" + part.name + "</th><td class=\"n\">" +
            byte_size(part.bytes) + "</td><td class=\"n\">" + percent(part.bytes / total, 1) + "</td><td>" + part.what +
            "</td></tr>\n";
  }
  for (const auto& [key, name] :
       {std::pair("activations", "sum of all activations"), std::pair("activation_gradients", "sum of their gradients"),
        std::pair("largest_workspace", "largest workspace")}) {
    const double bytes = run.number(std::string("memory.") + key);
    if (!(bytes > 0.0)) continue;
    rows += "<tr class=\"sub\"><th scope=\"row\">" + std::string(name) + "</th><td class=\"n\">" + byte_size(bytes) +
            "</td><td></td><td>in the arena, not all at the same time</td></tr>\n";
  }
  return "<p class=\"lead\">" + byte_size(total) + " at the largest batch" +
         (available > 0.0 ? ", " + percent(total / available, 1) + " of the " + byte_size(available) + " that were free"
                          : "") +
         ". All tensors are placed before the first step; nothing is allocated during training.</p>\n" +
         bar(parts, total, "Memory by part") +
         "<div class=\"beside\">\n<div class=\"scroll\"><table class=\"list\"><caption>Memory plan</caption><tbody>\n" +
         rows + "<tr class=\"sum\"><th scope=\"row\">total</th><td class=\"n\">" + byte_size(total) +
         "</td><td></td><td></td></tr>\n</tbody></table></div>\n" + reuse(run) + "</div>\n";
}

std::string differences(std::span<const Run> runs) {
  std::vector<std::string> keys;
  for (const Run& run : runs) {
    for (const auto& [key, value] : run.config) {
      const bool plan = prefix_of(key) == "memory" && key != "memory.total";
      if (plan || std::find(keys.begin(), keys.end(), key) != keys.end() || repeats(key, runs)) continue;
      if (std::any_of(runs.begin(), runs.end(), [&](const Run& other) { return other.text(key) != value; })) {
        keys.push_back(key);
      }
    }
  }
  if (keys.empty()) return "<p class=\"lead\">The configurations are the same.</p>\n";
  std::string html =
      "<div class=\"scroll\"><table class=\"list\"><caption>Configuration differences</caption><thead><tr>"
      "<th scope=\"col\">key</th>";
  for (const Run& run : runs) html += "<th scope=\"col\">" + escaped(run.name) + "</th>";
  html += "</tr></thead><tbody>\n";
  for (const std::string& key : keys) {
    const std::string name = prefix_of(key) == "options" ? key.substr(key.find('.') + 1) : key;
    html += "<tr><th scope=\"row\">" + escaped(name) + "</th>";
    for (const Run& run : runs) html += "<td>" + shown(key, run.text(key)) + "</td>";
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

}  // namespace minception::report
