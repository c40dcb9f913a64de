/// Times every operation at the sizes of GoogLeNet and over the case tables of the tests, each compared with the bare
/// oneDNN primitive for it, if there is one. Uses Google Benchmark:
///
///   operation_speed --shapes googlenet --benchmark_min_time=0.01
///   operation_speed --benchmark_filter='conv2d_forward/inception3a' --benchmark_repetitions=5
///
/// Laying out operands is not timed. Both sides get the same values, and their results are compared first. Every
/// iteration uses the same memory, so small operands stay in the caches. (kernel_speed times convolutions on memory
/// outside the caches; on GPUs it excludes the host's time.)

#include "benchmarks/onednn_peer.h"
#include "benchmarks/speed_cases.h"
#include "benchmarks/timing.h"
#include "benchmarks/verify_parts.h"
#include "core/error.h"
#include "tests/cases/case.h"
#include "tests/kernels/staged_case.h"
#include "tools/program.h"

#include <benchmark/benchmark.h>
#include <omp.h>
#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

using namespace minception;

namespace {

/// An operation that is benchmarked, alone or compared with a primitive.
struct Subject {
  Case test_case;
  bool table = false;     ///< from a test table, with slices and in-place operands; else a size of GoogLeNet
  std::string why_alone;  ///< reason why there is no primitive to compare with; "" if there is one

  /// "conv2d_forward/inception3a.branch2", "relu_forward/case.one_pixel"
  std::string name() const {
    std::string text = concat(name_of(test_case.operation), "/", table ? "case." : "", test_case.name);
    std::replace(text.begin(), text.end(), ' ', '_');
    return text;
  }
};

std::vector<Subject> all_subjects(const std::string& shapes, std::int64_t batch, std::int64_t size) {
  std::vector<Subject> subjects;
  if (shapes != "tables") {
    for (const SpeedCase& c : googlenet_cases(batch, size)) {
      Case renamed = c.test_case;
      renamed.name.erase(0, std::string("googlenet ").size());
      subjects.push_back({renamed});
    }
    for (const Case& c : googlenet_operations(batch, size)) subjects.push_back({c});
  }
  if (shapes != "googlenet") {
    for (const Case& c : all_cases()) subjects.push_back({c, true});
  }
  std::set<std::size_t> operations;
  for (Subject& subject : subjects) {
    operations.insert(subject.test_case.operation.index());
    subject.why_alone = why_no_onednn_peer(subject.test_case.operation);
  }
  require(operations.size() == std::variant_size_v<Operation>, "operations without a benchmark: only ",
          operations.size(), " of ", std::variant_size_v<Operation>, " have one");
  return subjects;
}

/// Values that are fast to make at large sizes, unlike those of the tests.
OperandValues quick_values(const Operation& operation, Backend& backend) {
  std::vector<std::string> roles;
  for_each_operand(operation, [&](std::string_view role, const Tensor&, Access) { roles.emplace_back(role); });
  std::vector<float> argmax;
  if (const auto* pool = std::get_if<MaxPool2dBackward>(&operation)) {  // needs an argmax from a forward pass
    Staged forward(backend, MaxPool2dForward{pool->attributes, pool->target.dx, pool->dy, pool->argmax});
    forward.run();
    backend.synchronize();
    argmax = forward.results().back();
  }
  return [roles, argmax, table = table_values(operation)](std::size_t k, std::size_t i) {
    const std::string& role = roles[k];
    if (role == "argmax") return static_cast<double>(argmax[i]);
    if (role == "rstd" || role == "running_var") return 0.5 + std::abs(table(k, i));
    if (role == "schedule") return i == 0 ? 1e-3 : 0.9;
    if (role == "step") return 10.0;
    if (role == "images") return static_cast<double>(i % 251);
    if (role == "indices") return static_cast<double>(i * 7 % 1024);
    if (role == "labels") return static_cast<double>(i % 10);
    return table(k, i);
  };
}

/// One subject in memory: our operation and the primitive it is compared with.
class Pair {
 public:
  Pair(const Subject& subject, Backend& backend, const Precision& precision, int threads)
      : backend_(backend), subject_(subject) {
    const Case& c = subject.test_case;
    OperandValues values;
    if (subject.table) {
      const Values listed = make_values(c, precision.storage);
      staged_case_ = std::make_unique<StagedCase>(backend, c.operation, precision.storage, listed);
      staged_case_->run();
      operation_ = staged_case_->operation();
      workspace_bytes_ = backend.plan(operation_).workspace;
      workspace_ = backend.allocate(workspace_bytes_);
      values = [listed](std::size_t k, std::size_t i) { return listed[k][i]; };
    } else {
      values = quick_values(c.operation, backend);
      staged_ = std::make_unique<Staged>(backend, in_dtype(precision.storage, c.operation), values);
      staged_->run();
    }
    backend.synchronize();
    if (!subject.why_alone.empty()) return;
    peer_ = make_onednn_peer(c.operation, precision.storage, values, threads);
    peer_->run();
    compare(precision);
  }

  void run_ours() {
    if (staged_ != nullptr) {
      staged_->run();
    } else {
      backend_.run(operation_, {workspace_.data(), workspace_bytes_});
    }
    backend_.synchronize();
  }
  OneDnnPeer& peer() { return *peer_; }

 private:
  void compare(const Precision& precision) const {
    std::map<std::string, std::vector<std::vector<float>>> ours;
    if (staged_ != nullptr) {
      std::vector<std::vector<float>> results = staged_->results();
      auto next = results.begin();
      for_each_operand(subject_.test_case.operation, [&](std::string_view role, const Tensor&, Access access) {
        if (access != Access::read) ours[std::string(role)].push_back(std::move(*next++));
      });
    } else {
      for (std::size_t k = 0; k < staged_case_->operands(); ++k) {
        if (staged_case_->access(k) == Access::read) continue;
        const std::vector<double> values = staged_case_->read(k);
        ours[staged_case_->role(k)].emplace_back(values.begin(), values.end());
      }
    }
    std::map<std::string, std::size_t> seen;
    for (const auto& [role, theirs] : peer_->results()) {
      const std::size_t j = seen[role]++;
      require(ours[role].size() > j && ours[role][j].size() == theirs.size() &&
                  agree(ours[role][j], theirs, 2.0 * tolerance(precision)),
              role, " differs from the result of oneDNN's primitive");
    }
  }

  Backend& backend_;
  const Subject& subject_;
  std::unique_ptr<Staged> staged_;
  std::unique_ptr<StagedCase> staged_case_;
  Operation operation_;
  Buffer workspace_;
  std::size_t workspace_bytes_ = 0;
  std::unique_ptr<OneDnnPeer> peer_;
};

/// Google Benchmark calls our benchmark several times to find the number of iterations, then oneDNN's. So the last
/// subject stays in memory.
class Pairs {
 public:
  Pairs(Backend& backend, const Precision& precision, int threads)
      : backend_(backend), precision_(precision), threads_(threads) {}

  Pair& of(const Subject& subject) {
    if (subject_ != &subject) {
      pair_.reset();
      subject_ = nullptr;
      pair_ = std::make_unique<Pair>(subject, backend_, precision_, threads_);
      subject_ = &subject;
    }
    return *pair_;
  }

 private:
  Backend& backend_;
  Precision precision_;
  int threads_;
  const Subject* subject_ = nullptr;
  std::unique_ptr<Pair> pair_;
};

/// Error message of a run, or "". Google Benchmark 1.8 renamed the members.
template <class Run>
std::string error_of(const Run& run) {
  if constexpr (requires { run.error_occurred; }) {
    return run.error_occurred ? run.error_message : "";
  } else {
    return static_cast<unsigned>(run.skipped) != 0 ? run.skip_message : "";
  }
}

/// Collects the measurements while Base prints them.
template <class Base>
class Collecting final : public Base {
 public:
  void ReportRuns(const std::vector<benchmark::BenchmarkReporter::Run>& runs) override {
    for (const auto& run : runs) {
      if (run.run_type != benchmark::BenchmarkReporter::Run::RT_Iteration) continue;
      if (const std::string error = error_of(run); !error.empty()) {
        errors.push_back(concat(run.run_name.function_name, ": ", error));
      } else {
        microseconds[run.run_name.function_name].push_back(run.GetAdjustedRealTime());
      }
    }
    Base::ReportRuns(runs);
  }

  std::map<std::string, std::vector<double>> microseconds;
  std::vector<std::string> errors;
};

void print_ratios(std::FILE* to, const std::vector<Subject>& subjects, const std::string& backend,
                  const std::map<std::string, std::vector<double>>& microseconds) {
  std::map<std::string, std::set<std::string>> alone;  // operations without a primitive, by reason
  std::fprintf(to, "\n%-64s %12s %12s %7s\n", "us per run", backend.c_str(), "onednn", "ratio");
  for (const Subject& subject : subjects) {
    const std::string name = subject.name();
    const auto ours = microseconds.find(name + "/" + backend), theirs = microseconds.find(name + "/onednn");
    if (ours == microseconds.end()) continue;
    if (theirs != microseconds.end()) {
      const double a = median(ours->second), b = median(theirs->second);
      std::fprintf(to, "%-64s %12.1f %12.1f %7.2f\n", name.c_str(), a, b, a / b);
    } else if (!subject.why_alone.empty()) {
      std::fprintf(to, "%-64s %12.1f %12s %7s\n", name.c_str(), median(ours->second), "-", "-");
      alone[subject.why_alone].insert(std::string(name_of(subject.test_case.operation)));
    }
  }
  std::fprintf(to, "ratio: our time / time of the bare primitive\n");
  for (const auto& [why, operations] : alone) {
    std::string list;
    for (const std::string& operation : operations) list += (list.empty() ? "" : ", ") + operation;
    std::fprintf(to, "no primitive for %s: %s\n", list.c_str(), why.c_str());
  }
}

struct Options {
  std::string backend = "cpu", dtype = "f32", shapes = "all";
  int threads = 0;
  std::int64_t batch = 128, image_size = 96;
};

template <class Base>
std::size_t run_benchmarks(const std::vector<Subject>& subjects, const Options& o, std::FILE* table) {
  Collecting<Base> reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  print_ratios(table, subjects, o.backend, reporter.microseconds);
  for (const std::string& error : reporter.errors) std::fprintf(stderr, "operation_speed: %s\n", error.c_str());
  require(!reporter.microseconds.empty() || !reporter.errors.empty(), "--benchmark_filter matches no benchmark");
  return reporter.errors.size();
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  static CommandLine command_line("Times every operation and the bare oneDNN primitive for it.", "operation_speed");
  command_line.add_option("--backend", o.backend, "backend to time").one_of({"cpu", "reference", "cuda"});
  command_line.add_option("--dtype", o.dtype, "compute dtype").one_of({"f32", "bf16"});
  command_line.add_option("--shapes", o.shapes, "shapes to time: googlenet, tables (those of the tests) or all")
      .one_of({"all", "googlenet", "tables"});
  command_line.add_option("--threads", o.threads, "threads (0: all cores)").range(0, 1024).default_text("0");
  command_line.add_option("--batch", o.batch, "batch size of GoogLeNet's operations").range(1, 4096);
  command_line.add_option("--image-size", o.image_size, "size of GoogLeNet's input").range(32, 4096);
  command_line.footer(
      "Google Benchmark's options (--benchmark_filter=REGEX, --benchmark_min_time=SECONDS and others) also apply.");

  bool json = false;
  for (int i = 1; i < argc; ++i) json = json || std::string(argv[i]) == "--benchmark_format=json";
  benchmark::Initialize(&argc, argv, [] { std::printf("%s", command_line.help().c_str()); });
  return command_line.run(argc, argv, [&] {
    const std::unique_ptr<Backend> backend = make_device(o.backend, o.threads);
    const int threads = o.threads > 0 ? o.threads : omp_get_max_threads();
    omp_set_dynamic(0);
    omp_set_num_threads(threads);
    const std::vector<Subject> subjects = all_subjects(o.shapes, o.batch, o.image_size);
    Pairs pairs(*backend, o.dtype == "bf16" ? kBf16 : kF32, threads);
    const auto time = [&pairs](benchmark::State& state, const Subject& subject, bool ours) {
      try {
        Pair& pair = pairs.of(subject);
        if (ours) {
          for ([[maybe_unused]] auto _ : state) pair.run_ours();
        } else {
          for ([[maybe_unused]] auto _ : state) pair.peer().run();
          state.SetLabel(pair.peer().implementation());
        }
      } catch (const Error& error) {
        state.SkipWithError(error.what());
      }
    };
    for (const Subject& subject : subjects) {
      for (const bool ours : {true, false}) {
        if (!ours && !subject.why_alone.empty()) continue;
        benchmark::RegisterBenchmark(concat(subject.name(), "/", ours ? o.backend : "onednn").c_str(), time,
                                     std::cref(subject), ours)
            ->Unit(benchmark::kMicrosecond);
      }
    }
    benchmark::AddCustomContext("backend", backend->description());
    benchmark::AddCustomContext("processor", processor_name());
    benchmark::AddCustomContext("dtype", o.dtype);
    benchmark::AddCustomContext("googlenet", concat("batch ", o.batch, ", ", o.image_size, "x", o.image_size));
    const std::size_t errors = json ? run_benchmarks<benchmark::JSONReporter>(subjects, o, stderr)
                                    : run_benchmarks<benchmark::ConsoleReporter>(subjects, o, stdout);
    require(errors == 0, errors, " benchmarks failed (listed above)");
  });
}
