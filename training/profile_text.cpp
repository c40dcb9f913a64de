/// Profiles as tables and as JSON.

#include "core/error.h"
#include "training/profile.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>

namespace minception {
namespace {

using Json = nlohmann::ordered_json;

/// Sum of the operations of one kind.
struct Line {
  std::string name;
  std::int64_t operations = 0;
  double seconds = 0.0, flops = 0.0, bytes = 0.0;
};

std::vector<Line> by_kind(const Profile& profile) {
  std::vector<Line> lines;
  for (const ProfiledOperation& operation : profile.operations) {
    auto line = std::find_if(lines.begin(), lines.end(), [&](const Line& l) { return l.name == operation.kind; });
    if (line == lines.end()) line = lines.insert(lines.end(), {.name = operation.kind});
    ++line->operations;
    line->seconds += operation.seconds;
    line->flops += operation.flops;
    line->bytes += operation.bytes;
  }
  std::stable_sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) { return a.seconds > b.seconds; });
  return lines;
}

template <class... Arguments>
std::string print(const char* format, Arguments... arguments) {
  char text[512];
  std::snprintf(text, sizeof text, format, arguments...);
  return text;
}

/// A rate in 1e9 per second; blank if the amount or the time is 0.
std::string rate(double amount, double seconds) {
  return amount > 0.0 && seconds > 0.0 ? print("%9.1f", amount / seconds * 1e-9) : std::string(9, ' ');
}

std::string shortened(const std::string& text, std::size_t most) {
  return text.size() <= most ? text : text.substr(0, most - 3) + "...";
}

std::string host_line(const char* name, double seconds, double whole) {
  return print("%-58s %9.3f %6.1f%%\n", name, seconds * 1e3, 100.0 * seconds / whole);
}

std::string line_text(const std::string& name, double seconds, double whole, double flops, double bytes) {
  return print("%-58s %9.3f %6.1f%% %s %s", shortened(name, 58).c_str(), seconds * 1e3, 100.0 * seconds / whole,
               rate(flops, seconds).c_str(), rate(bytes, seconds).c_str());
}

std::string heading(const char* what) {
  return print("\n%-58s %9s %7s %9s %9s", what, "ms", "of step", "GFLOP/s", "GB/s");
}

std::string kernels_text(const Profile& profile) {
  if (profile.kernels.empty()) return {};
  std::string text = heading("kernel") + "  launches\n";
  double sum = 0.0;
  for (const ProfiledKernel& kernel : profile.kernels) {
    sum += kernel.seconds;
    const double part = kernel.credited_seconds;
    text += print("%-58s %9.3f %6.1f%% %s %s %9lld\n", shortened(kernel.kernel, 58).c_str(), kernel.seconds * 1e3,
                  100.0 * kernel.seconds / profile.profiled_seconds, rate(kernel.flops, part).c_str(),
                  rate(kernel.bytes, part).c_str(), static_cast<long long>(kernel.launches));
  }
  text += host_line("all kernels", sum, profile.profiled_seconds);
  return text + "Rates of a kernel cover the operations in which it takes the longest.\n";
}

Json kernel_json(const ProfiledKernel& kernel) {
  return {{"kernel", kernel.kernel}, {"launches", kernel.launches}, {"seconds", kernel.seconds},
          {"flops", kernel.flops},   {"bytes", kernel.bytes},       {"credited_seconds", kernel.credited_seconds}};
}

}  // namespace

std::string profile_text(const Profile& profile, std::size_t most) {
  const char* what = profile.mode == Mode::training ? "training step" : "inference";
  const double whole = profile.profiled_seconds, operations = profile.operation_seconds();
  const auto images = static_cast<double>(profile.batch_size);
  const auto rate_line = [&](const char* name, double seconds) {
    return print("%-58s %9.3f ms %9.1f images/s\n", name, seconds * 1e3, images / seconds);
  };
  std::string text =
      concat("Profile of ", profile.steps, " ", what, profile.steps == 1 ? "" : "s", " of ", profile.model, ", ",
             profile.batch_size, " images each, on ", profile.device, ": ", profile.description, "\n");
  if (profile.emulated) {
    text += "Kernels are emulated: all times below are those of the emulation, not of a GPU.\n";
  }
  text +=
      rate_line(concat("a ", what, profile.replayed ? ", replayed as one graph" : "").c_str(), profile.step_seconds);
  if (profile.replayed) text += rate_line("the same, each kernel launched separately", profile.eager_seconds);
  text += rate_line("the same with every operation timed (shown below)", whole);
  text += print("%-58s %9.3f ms    %+6.1f%%\n", "overhead of the timing", (whole - profile.eager_seconds) * 1e3,
                100.0 * (whole / profile.eager_seconds - 1.0));

  text += heading("kind of work") + "  operations\n";
  for (const Line& line : by_kind(profile)) {
    text += line_text(line.name, line.seconds, whole, line.flops, line.bytes) +
            print(" %11lld\n", static_cast<long long>(line.operations));
  }
  text += host_line("host: samples of the batch, control values", profile.feed_seconds, whole);
  text += host_line("  of that, waiting for samples", profile.waited_seconds, whole);
  text += host_line("between operations", whole - operations - profile.feed_seconds, whole);
  text += host_line("all", whole, whole);

  std::vector<const ProfiledOperation*> longest;
  for (const ProfiledOperation& operation : profile.operations) longest.push_back(&operation);
  std::stable_sort(longest.begin(), longest.end(),
                   [](const auto* a, const auto* b) { return a->seconds > b->seconds; });
  const std::size_t shown = std::min(most, longest.size());
  text += heading(concat("the ", shown, " longest of ", longest.size(), " operations").c_str()) + "\n";
  for (std::size_t i = 0; i < shown; ++i) {
    const ProfiledOperation& operation = *longest[i];
    text += line_text(concat(operation.layer, "  ", operation.operation), operation.seconds, whole, operation.flops,
                      operation.bytes) +
            "\n";
  }
  text += kernels_text(profile);
  if (!profile.counts_table.empty()) text += "\nCounters of the kernels in one step:\n" + profile.counts_table;
  return text +
         "\nGFLOP/s: two operations per multiply-accumulate. GB/s: each operand counted once per read and write, as "
         "with a perfect cache.\n";
}

std::string to_json(const Profile& profile) {
  Json operations = Json::array(), kernels = Json::array(), kinds = Json::array(), counts = Json::array();
  for (const ProfiledOperation& operation : profile.operations) {
    Json own = Json::array();
    for (const ProfiledKernel& kernel : operation.kernels) own.push_back(kernel_json(kernel));
    operations.push_back({{"phase", name_of(operation.phase)},
                          {"layer", operation.layer},
                          {"operation", operation.operation},
                          {"kind", operation.kind},
                          {"seconds", operation.seconds},
                          {"flops", operation.flops},
                          {"bytes", operation.bytes},
                          {"kernels", std::move(own)}});
  }
  for (const Line& line : by_kind(profile)) {
    kinds.push_back({{"kind", line.name},
                     {"operations", line.operations},
                     {"seconds", line.seconds},
                     {"flops", line.flops},
                     {"bytes", line.bytes}});
  }
  for (const ProfiledKernel& kernel : profile.kernels) kernels.push_back(kernel_json(kernel));
  for (const KernelCounts& kernel : profile.counts) {
    Json line = {{"kernel", kernel.kernel}};
    for (const auto& [name, value] : kernel.counts) line[name] = value;
    counts.push_back(std::move(line));
  }
  const Json json = {{"mode", profile.mode == Mode::training ? "training" : "inference"},
                     {"model", profile.model},
                     {"device", profile.device},
                     {"backend", profile.description},
                     {"emulated", profile.emulated},
                     {"batch_size", profile.batch_size},
                     {"steps", profile.steps},
                     {"replayed", profile.replayed},
                     {"step_seconds", profile.step_seconds},
                     {"eager_seconds", profile.eager_seconds},
                     {"profiled_seconds", profile.profiled_seconds},
                     {"feed_seconds", profile.feed_seconds},
                     {"waited_seconds", profile.waited_seconds},
                     {"operation_seconds", profile.operation_seconds()},
                     {"kinds", std::move(kinds)},
                     {"operations", std::move(operations)},
                     {"kernels", std::move(kernels)},
                     {"emulated_counts", std::move(counts)}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace minception
