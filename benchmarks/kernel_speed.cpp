/// Speed of single operations: the convolutions of GoogLeNet in all passes and the cases of the test tables, by every
/// algorithm of our CUDA kernels, by cuDNN and cuBLAS, and by oneDNN on the CPU.
///
/// Every result is verified before it is timed. A case of the tables is compared with `reference` as in the tests.
/// GoogLeNet's convolutions are too large for that: `reference` computes some images (for weight gradients: some
/// filters) in double, including the first and the last, and the whole result is compared with that of another
/// contender.
///
/// A timing is the median over passes of many consecutive runs. A device that supports capture (cuda) replays a pass as
/// one graph between two events, which excludes the host. The runs rotate over copies of the operands that together
/// exceed the caches. The device's ceilings are measured in the same run: the bandwidth of a copy, and the speed of the
/// vendor's libraries on large products.

#include "benchmarks/speed_cases.h"
#include "benchmarks/timing.h"
#include "benchmarks/verify_parts.h"
#include "core/error.h"
#include "core/safetensors.h"
#include "tests/cases/case.h"
#include "tests/kernels/harness.h"
#include "tools/program.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <utility>

using namespace minception;
using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

namespace {

std::string printed(const char* format, double value) {
  char text[32];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// ---- contenders -----------------------------------------------------------------------------------------------------

const std::vector<std::string> kNames = {"ours/naive", "ours/fma", "ours/tensor_op", "vendor", "onednn"};

struct Contender {
  std::string name;
  Precision precision;
  std::unique_ptr<Backend> backend;

  std::string precision_name() const { return std::string(precision.name); }
  /// Whether this is a vendor library, which ours are compared with.
  bool library() const { return name == "vendor" || name == "onednn"; }
};

std::vector<Contender> make_contenders(const std::vector<std::string>& dtypes, const std::vector<std::string>& names) {
  std::vector<Contender> contenders;
  const auto wanted = [](const std::vector<std::string>& list, const std::string& name) {
    return std::find(list.begin(), list.end(), name) != list.end();
  };
  if (why_no_cuda().empty()) {
    const std::pair<const char*, Algorithm> algorithms[] = {
        {"ours/naive", Algorithm::naive}, {"ours/fma", Algorithm::fma}, {"ours/tensor_op", Algorithm::tensor_op}};
    for (const Precision& precision : {kF32, kTf32, kBf16}) {
      for (const auto& [name, algorithm] : algorithms) {
        const bool cores = algorithm == Algorithm::tensor_op;
        // Tensor cores have no f32; the other algorithms have no tf32.
        if (cores ? precision.name == "f32" : precision.name == "tf32") continue;
        if (!wanted(dtypes, std::string(precision.name)) || !wanted(names, name)) continue;
        contenders.push_back({name, precision, make_cuda_backend({.tf32 = cores, .algorithm = algorithm})});
      }
    }
  }
  if (wanted(names, "vendor") && why_no_vendor().empty()) {
    for (const Precision& precision : {kF32, kTf32, kVendorBf16}) {
      if (!wanted(dtypes, std::string(precision.name))) continue;
      // The fastest configuration: autotuned algorithms, including nondeterministic ones.
      contenders.push_back(
          {"vendor", precision, make_vendor_backend({.tf32 = precision.name == "tf32", .deterministic = false})});
    }
  }
  for (const Precision& precision : {kF32, kBf16}) {
    if (!wanted(dtypes, std::string(precision.name)) || !wanted(names, "onednn")) continue;
    try {
      auto backend = make_cpu_backend();
      ReluForward probe;  // throws if the processor does not support this type
      probe.x = probe.y = Tensor({1, 1}, precision.storage);
      backend->plan(probe);
      contenders.push_back({"onednn", precision, std::move(backend)});
    } catch (const Error& error) {
      std::printf("onednn in %s is skipped: %s\n", std::string(precision.name).c_str(), error.what());
    }
  }
  return contenders;
}

// ---- measurement ----------------------------------------------------------------------------------------------------

struct Options {
  std::string filter, json;
  std::vector<std::string> dtypes = {"f32", "tf32", "bf16"};
  std::vector<std::string> contenders = kNames;
  double budget = 300.0;
  std::int64_t batch = cuda_is_emulated() ? 2 : 128;
  std::int64_t image_size = cuda_is_emulated() ? 32 : 96;
};

class Race {
 public:
  explicit Race(const Options& o) : o_(o), contenders_(make_contenders(o.dtypes, o.contenders)) {
    require(!contenders_.empty(), "nothing to time: ", why_no_cuda().empty() ? "" : why_no_cuda() + "; ",
            "see --contenders and --dtype");
  }

  Json run() {
    const auto start = Clock::now();
    std::vector<SpeedCase> cases = googlenet_cases(o_.batch, o_.image_size);
    for (Case& test_case : all_cases()) {
      if (multiplies_matrices(test_case.operation)) cases.push_back({std::move(test_case)});
    }
    std::erase_if(cases, [&](const SpeedCase& c) { return c.test_case.label().find(o_.filter) == std::string::npos; });
    require(!cases.empty(), "--filter '", o_.filter, "': no label contains this");

    for (const Contender& contender : contenders_) measure_ceilings(contender);
    std::printf("%-72s %-5s %-16s %12s %9s %5s %9s %5s\n", "case", "dtype", "contender", "median us", "TFLOP/s", "%",
                "GB/s", "%");
    for (const SpeedCase& speed_case : cases) {
      others_.clear();
      const std::size_t first = results_.size();
      for (Contender& contender : contenders_) {
        if (seconds_since(start) < o_.budget) {
          measure(speed_case, contender);
        } else {
          skip(speed_case, contender, "budget exceeded");
        }
      }
      compare(first);
    }
    std::printf("%zu timed, %zu skipped, %zu wrong\n", results_.size(), skipped_.size(), wrong_);
    std::printf("%% of the device's ceilings:\n");
    for (const auto& [device, ceilings] : ceilings_.items()) {
      std::printf("  %s: a copy moves %.1f GB/s", device.c_str(), ceilings["copy_gb_s"].get<double>());
      for (const auto& [dtype, rate] : ceilings["product_tflop_s"].items()) {
        std::printf("; large products in %s reach %.4f TFLOP/s", dtype.c_str(), rate.get<double>());
      }
      std::printf("\n");
    }
    return {{"what", "kernel_speed"},
            {"emulated", cuda_is_emulated()},
            {"batch", o_.batch},
            {"image_size", o_.image_size},
            {"ceilings", ceilings_},
            {"results", std::move(results_)},
            {"skipped", std::move(skipped_)},
            {"wrong", wrong_}};
  }

  std::size_t wrong() const { return wrong_; }

 private:
  /// Omits the versions of libraries: contenders on the same device share its ceilings.
  static std::string device_name(const Contender& contender) {
    const std::string text = contender.backend->description();
    return contender.name == "onednn" ? text : text.substr(0, text.find(", cuDNN"));
  }

  void measure_ceilings(const Contender& contender) {
    Json& ceilings = ceilings_[device_name(contender)];
    if (ceilings.is_null()) {
      ceilings = {{"copy_gb_s", copy_gigabytes_per_second(*contender.backend)}, {"product_tflop_s", Json::object()}};
    }
    if (!contender.library()) return;
    ceilings["product_tflop_s"][contender.precision_name()] =
        product_teraflops(*contender.backend, contender.precision.storage);
  }

  /// Speedup of ours over the vendor's library, for the results of one case, which start at `first`.
  void compare(std::size_t first) {
    for (std::size_t i = first; i < results_.size(); ++i) {
      for (std::size_t j = first; j < results_.size(); ++j) {
        if (results_[j]["contender"] == "vendor" && results_[j]["dtype"] == results_[i]["dtype"]) {
          results_[i]["ratio_to_vendor"] =
              results_[j]["median_us"].get<double>() / results_[i]["median_us"].get<double>();
        }
      }
    }
  }

  Json heading(const SpeedCase& speed_case, const Contender& contender) const {
    const Case& c = speed_case.test_case;
    return {{"case", c.name},
            {"operation", name_of(c.operation)},
            {"pass", pass_of(c.operation)},
            {"dtype", contender.precision.name},
            {"contender", contender.name},
            {"device", device_name(contender)}};
  }
  void skip(const SpeedCase& speed_case, const Contender& contender, const std::string& why) {
    Json line = heading(speed_case, contender);
    line["why"] = why;
    skipped_.push_back(std::move(line));
  }

  /// "" if the contender's result is correct.
  std::string problem_of(const SpeedCase& speed_case, Contender& contender) {
    const Case& c = speed_case.test_case;
    if (!speed_case.googlenet) return check_case(*contender.backend, c, contender.precision).message;
    Staged staged(*contender.backend, in_dtype(contender.precision.storage, c.operation));
    staged.run();
    contender.backend->synchronize();
    std::vector<std::vector<float>> results = staged.results();
    if (!parts_agree(c.operation, contender.precision, results, others_.empty() ? 8 : 2))
      return "differs from the reference in double precision";
    for (const Other& other : others_) {
      if (other.precision.storage != contender.precision.storage) continue;  // its operands were rounded differently
      const double allowed = tolerance(contender.precision) + tolerance(other.precision);
      for (std::size_t k = 0; k < results.size(); ++k) {
        // Bias gradients sum many zero-mean values and may be small by chance: only `reference` checks those.
        if (results[k].size() > 1024 && !agree(results[k], other.results[k], allowed)) {
          return concat("differs from ", other.name);
        }
      }
    }
    const bool first_of_storage = std::none_of(others_.begin(), others_.end(), [&](const Other& other) {
      return other.precision.storage == contender.precision.storage;
    });
    if (first_of_storage) others_.push_back({contender.name, contender.precision, std::move(results)});
    return "";
  }

  void measure(const SpeedCase& speed_case, Contender& contender) {
    const Case& c = speed_case.test_case;
    const std::string problem = problem_of(speed_case, contender);
    if (!problem.empty()) {
      ++wrong_;
      std::fprintf(stderr, "wrong result: %s by %s in %s: %s\n", c.label().c_str(), contender.name.c_str(),
                   contender.precision_name().c_str(), problem.c_str());
      return skip(speed_case, contender, concat("wrong: ", problem));
    }
    std::vector<Staged> copies = make_copies(*contender.backend, c.operation, contender.precision.storage);
    const double microseconds = median_microseconds(*contender.backend, copies, 0.05);
    const double teraflops = 2e-6 * static_cast<double>(multiply_accumulates(c.operation)) / microseconds;
    const double gigabytes = 1e-3 * static_cast<double>(copies[0].bytes()) / microseconds;
    const Json& ceilings = ceilings_[device_name(contender)];
    const Json& products = ceilings["product_tflop_s"];
    const std::string percent =
        products.contains(contender.precision_name())
            ? printed("%5.1f", 100.0 * teraflops / products[contender.precision_name()].get<double>())
            : std::string("-");
    std::printf("%-72s %-5s %-16s %12.1f %9.4f %5s %9.2f %5.1f\n", c.label().c_str(),
                contender.precision_name().c_str(), contender.name.c_str(), microseconds, teraflops, percent.c_str(),
                gigabytes, 100.0 * gigabytes / ceilings["copy_gb_s"].get<double>());
    Json line = heading(speed_case, contender);
    line["median_us"] = microseconds;
    line["tflop_s"] = teraflops;
    line["gb_s"] = gigabytes;
    line["verified"] = true;
    line["ratio_to_vendor"] = nullptr;
    results_.push_back(std::move(line));
  }

  struct Other {
    std::string name;
    Precision precision;
    std::vector<std::vector<float>> results;
  };

  const Options& o_;
  std::vector<Contender> contenders_;
  std::vector<Other> others_;  ///< first correct contender of each storage type in this case
  Json results_ = Json::array(), skipped_ = Json::array();
  Json ceilings_ = Json::object();  ///< by device
  std::size_t wrong_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CommandLine command_line("Times single operations, each verified first.", "kernel_speed");
  command_line.add_option("--filter", o.filter,
                          "run only cases whose label contains this, for instance 'googlenet conv3'");
  command_line.add_option("--dtype", o.dtypes, "precisions: f32, tf32, bf16").list().one_of({"f32", "tf32", "bf16"});
  command_line.add_option("--contenders", o.contenders, "implementations to compare").list().one_of(kNames);
  command_line.add_option("--budget", o.budget, "seconds after which the remaining cases are skipped").range(0.0, 1e6);
  command_line.add_option("--batch", o.batch, "batch size of GoogLeNet's convolutions").range(1, 4096);
  command_line.add_option("--image-size", o.image_size, "size of GoogLeNet's input").range(1, 4096);
  command_line.add_option("--json", o.json, "also write the results to this file");
  ignore_output_signals();
  return command_line.run(argc, argv, [&] {
    if (why_no_cuda().empty() && cuda_is_emulated()) {
      std::printf("CUDA kernels are emulated: times are those of the emulation, not of a GPU\n");
    }
    Race race(o);
    const std::string json = race.run().dump(1) + "\n";
    if (!o.json.empty()) write_file_atomically(o.json, std::as_bytes(std::span<const char>(json.data(), json.size())));
    require(race.wrong() == 0, race.wrong(), " results were wrong and not timed (listed above)");
  });
}
