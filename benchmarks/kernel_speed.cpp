/// How fast single operations are: the convolutions of GoogLeNet in all their passes, and the cases of the test tables, by
/// every rung of our CUDA kernels and by oneDNN on the CPU.
///
/// Nothing wrong is timed: a case of the tables is first held against `reference` as the tests do it. Of GoogLeNet's
/// convolutions, which are too large for that, some images (of weight gradients: some filters) are computed by `reference`
/// in double, the first and the last among them, and everything is compared with what another contender computed.
///
/// A timing is the median over replays of many runs in a row, which a device that can (cuda) replays as one graph, so that
/// the host's part in it is small. The runs take turns on copies of the operands that together exceed the caches.

#include <minception/core/error.h>
#include <minception/core/random.h>
#include <minception/core/safetensors.h>
#include <minception/examples/program.h>
#include <minception/models/network.h>
#include <minception/models/registry.h>
#include <minception/tests/cases/all_cases.h>
#include <minception/tests/kernels/harness.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <set>

using namespace minception;
using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

namespace {

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// ---- what is measured -----------------------------------------------------------------------------------------------

struct SpeedCase {
  Case test_case;
  bool googlenet = false;
};

/// Forward with bias and ReLU, data and weights of each distinct convolution and group of `googlenet`, all dense.
std::vector<SpeedCase> googlenet_cases(std::int64_t batch, std::int64_t size) {
  const auto backend = make_reference_backend();
  const Network network(make_model({.name = "googlenet", .input = {1, size, size}}), *backend,
                        {.max_batch = batch, .training = false, .plan_only = true});
  std::vector<SpeedCase> cases;
  std::set<std::string> seen;
  const auto dense = [](const Tensor& tensor) { return Tensor(tensor.shape, DType::f32); };
  const auto add = [&](const std::string& name, const Operation& op) { cases.push_back({{name, op}, true}); };
  for (const Step& step : network.plan(Mode::inference).steps()) {
    if (const auto* conv = std::get_if<Conv2dForward>(&step.operation)) {
      const Tensor x = dense(conv->x), w = dense(conv->w), y = dense(conv->y);
      const std::string name = concat("googlenet ", step.layer);
      if (!seen.insert(concat(x.shape, w.shape, conv->attributes.stride.h)).second) continue;
      Conv2dForward forward{conv->attributes, x, w, Tensor({w.n()}, DType::f32), y};
      forward.attributes.relu = true;
      add(name, forward);
      Conv2dBackwardData data{conv->attributes, y, w, {x}};
      Conv2dBackwardWeights weights{conv->attributes, x, y, w, forward.bias};
      data.attributes.relu = weights.attributes.relu = false;
      if (x.c() > 1) add(name, data);  // nobody needs the gradient of the image
      add(name, weights);
    } else if (const auto* group = std::get_if<Conv2d1x1GroupForward>(&step.operation)) {
      const Tensor x = dense(group->x), w = dense(group->w), bias({w.n()}, DType::f32);
      std::vector<Tensor> y;
      std::string key = concat(x.shape);
      for (const Tensor& member : group->y) y.push_back(dense(member)), key += concat(member.shape);
      if (!seen.insert(key).second) continue;
      const std::string name = concat("googlenet ", step.layer, " 1x1 group");
      add(name, Conv2d1x1GroupForward{true, x, w, bias, y});
      add(name, Conv2d1x1GroupBackwardData{y, w, {x}});
      add(name, Conv2d1x1GroupBackwardWeights{x, y, w, bias});
    }
  }
  return cases;
}

/// "forward", "data" or "weights" of operations that multiply; "backward" of others.
std::string pass_of(const Operation& operation) {
  const std::string name(name_of(operation));
  if (name.ends_with("_data")) return "data";
  if (name.ends_with("_weights")) return "weights";
  return name.ends_with("_backward") ? "backward" : "forward";
}

// ---- who takes part -------------------------------------------------------------------------------------------------

struct Contender {
  std::string name;
  Precision precision;
  std::unique_ptr<Backend> backend;
};

std::vector<Contender> make_contenders(const std::vector<std::string>& dtypes, const std::vector<std::string>& names) {
  std::vector<Contender> contenders;
  const auto wanted = [](const std::vector<std::string>& list, const std::string& name) {
    return std::find(list.begin(), list.end(), name) != list.end();
  };
  if (why_no_cuda().empty()) {
    const std::pair<const char*, Rung> rungs[] = {
        {"ours/naive", Rung::naive}, {"ours/tiled", Rung::tiled}, {"ours/tensor_core", Rung::tensor_core}};
    for (const Precision& precision : {kF32, kTf32, kBf16}) {
      for (const auto& [name, rung] : rungs) {
        const bool cores = rung == Rung::tensor_core;
        // Tensor cores have no f32, and rungs without them no tf32.
        if (cores ? precision.name == "f32" : precision.name == "tf32") continue;
        if (!wanted(dtypes, std::string(precision.name)) || !wanted(names, name)) continue;
        contenders.push_back({name, precision, make_cuda_backend({.tf32 = cores, .rung = rung})});
      }
    }
  }
  if (wanted(dtypes, "f32") && wanted(names, "onednn")) {
    try {
      contenders.push_back({"onednn", kF32, make_cpu_backend()});
    } catch (const Error&) {  // a build without oneDNN has one contender less
    }
  }
  return contenders;
}

// ---- operands -------------------------------------------------------------------------------------------------------

/// Element `i` of operand `k`: numbers of a table whose length is prime, so that no stride of a tensor meets it.
double table_value(std::size_t k, std::size_t i) {
  static const std::vector<float> table = [] {
    std::vector<float> numbers(65'521);
    for (std::size_t n = 0; n < numbers.size(); ++n) numbers[n] = static_cast<float>(Random{1, 1}.normal(n));
    return numbers;
  }();
  return table[(i + 7'919 * (k + 1)) % table.size()];
}

/// An operation with memory of its own on a backend.
class Staged {
 public:
  Staged(Backend& backend, const Operation& described, DType storage) : backend_(backend), operation_(described) {
    std::size_t k = 0;
    for_each_operand(operation_, [&](std::string_view role, Tensor& tensor, Access access) {
      const DType dtype = dtype_in(storage, operation_, role, tensor);
      const auto count = static_cast<std::size_t>(tensor.elements());
      tensor = Tensor(tensor.shape, dtype, nullptr, backend.device());
      memory_.push_back(backend.allocate(count * size_of(dtype)));
      tensor.data = memory_.back().data();
      bytes_ += count * size_of(dtype);
      if (access != Access::write) {
        std::vector<std::byte> host(count * size_of(dtype));
        for (std::size_t i = 0; i < count; ++i) {
          const auto value = static_cast<float>(table_value(k, i));
          const bf16 narrow(value);
          if (dtype == DType::bf16) std::memcpy(host.data() + 2 * i, &narrow, 2);
          if (dtype == DType::f32) std::memcpy(host.data() + 4 * i, &value, 4);
        }
        backend.copy_to_device(tensor.data, host.data(), host.size());
      }
      ++k;
    });
    workspace_bytes_ = backend.plan(operation_).workspace;
    workspace_ = backend.allocate(workspace_bytes_);
  }

  std::size_t bytes() const { return bytes_; }  ///< of operands, each once: what must move at least
  const Operation& operation() const { return operation_; }
  void run() { backend_.run(operation_, {workspace_.data(), workspace_bytes_}); }

  /// The elements of every operand that is written, in order.
  std::vector<std::vector<float>> results() const {
    std::vector<std::vector<float>> all;
    for_each_operand(operation_, [&](std::string_view, const Tensor& tensor, Access access) {
      if (access == Access::read) return;
      std::vector<std::byte> host(tensor.bytes());
      backend_.copy_to_host(host.data(), tensor.data, host.size());
      all.emplace_back(static_cast<std::size_t>(tensor.elements()));
      for (std::size_t i = 0; i < all.back().size(); ++i) {
        bf16 narrow;
        if (tensor.dtype == DType::bf16) {
          std::memcpy(&narrow, host.data() + 2 * i, 2);
          all.back()[i] = static_cast<float>(narrow);
        } else {
          std::memcpy(&all.back()[i], host.data() + 4 * i, 4);
        }
      }
    });
    return all;
  }

 private:
  Backend& backend_;
  Operation operation_;
  std::vector<Buffer> memory_;
  Buffer workspace_;
  std::size_t bytes_ = 0, workspace_bytes_ = 0;
};

// ---- verification ---------------------------------------------------------------------------------------------------

/// How far the norm of a difference may be off, in parts of the norm: 2.5 times and more what rounding the factors (tf32:
/// 2^-11 each at most; bf16: 2^-9, and the result as well) or long sums (f32) cost, and far below one lost tap.
double tolerance(const Precision& precision) {
  return precision.name == "f32" ? 1e-4 : precision.name == "tf32" ? 2e-3 : 8e-3;
}

/// Whether two tensors agree as a whole, and no single element is off by more than chance explains: a multiple of its own
/// size or of the usual one. NaN never agrees.
template <class A, class B>
bool agree(const A& actual, const B& expected, double allowed) {
  double error = 0.0, size = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double difference = static_cast<double>(actual[i]) - static_cast<double>(expected[i]);
    error += difference * difference;
    size += static_cast<double>(expected[i]) * static_cast<double>(expected[i]);
  }
  if (!(error <= allowed * allowed * size)) return false;
  const double usual = std::sqrt(size / static_cast<double>(expected.size()));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double wanted = static_cast<double>(expected[i]);
    if (!(std::abs(static_cast<double>(actual[i]) - wanted) <= 8.0 * allowed * std::max(usual, std::abs(wanted)))) {
      return false;
    }
  }
  return true;
}

/// What `reference` in double makes of image `n` of the batch is what `results` say of it.
bool image_agrees(const Operation& described, DType storage, std::int64_t n,
                  const std::vector<std::vector<float>>& results, double allowed) {
  Operation part = described;
  std::vector<std::vector<double>> memory;
  std::vector<std::pair<std::size_t, std::size_t>> written;  // which memory, and where in the whole result it begins
  memory.reserve(32);
  for_each_operand(part, [&](std::string_view role, Tensor& tensor, Access access) {
    const std::size_t k = memory.size();
    const bool batched = role != "w" && role != "bias";
    const bool narrow = dtype_in(storage, described, role, tensor) == DType::bf16;
    Shape shape = tensor.shape;
    if (batched) shape[0] = 1;
    const auto count = static_cast<std::size_t>(shape.elements());
    const std::size_t begin = batched ? static_cast<std::size_t>(n) * count : 0;
    memory.emplace_back(count);
    for (std::size_t i = 0; i < count && access != Access::write; ++i) {
      const double value = table_value(k, begin + i);
      memory[k][i] = narrow ? rounded(value, DType::bf16) : value;
    }
    if (access != Access::read) written.emplace_back(k, begin);
    tensor = Tensor(shape, DType::f64, memory[k].data());
  });
  make_reference_backend()->run(part);
  for (std::size_t j = 0; j < written.size(); ++j) {
    if (!agree(results[j].data() + written[j].second, memory[written[j].first], allowed)) return false;
  }
  return true;
}

/// The same of filter `o` of member `j`, for gradients of weights.
bool filter_agrees(const Conv2dAttributes& attributes, const Tensor& x, const std::vector<Tensor>& dy, const Tensor& dw,
                   std::size_t j, std::int64_t o, DType storage, const std::vector<std::vector<float>>& results,
                   double allowed) {
  const auto value = [&](std::size_t k, std::int64_t i) {
    return rounded(table_value(k, static_cast<std::size_t>(i)), storage);
  };
  std::vector<double> pixels(static_cast<std::size_t>(x.elements())),
      gradient(static_cast<std::size_t>(dy[j].pixels()));
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = value(0, static_cast<std::int64_t>(i));
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    gradient[i] = value(1 + j, static_cast<std::int64_t>(i) * dy[j].c() + o);
  }
  std::vector<double> weights(static_cast<std::size_t>(dw.elements() / dw.n())), bias(1);
  Conv2dBackwardWeights op{attributes, Tensor(x.shape, DType::f64, pixels.data()),
                           Tensor({dy[j].n(), 1, dy[j].h(), dy[j].w()}, DType::f64, gradient.data()),
                           Tensor({1, dw.c(), dw.h(), dw.w()}, DType::f64, weights.data()),
                           Tensor({1}, DType::f64, bias.data())};
  make_reference_backend()->run(op);
  std::int64_t filter = o;
  for (std::size_t before = 0; before < j; ++before) filter += dy[before].c();
  const auto row = static_cast<std::size_t>(filter);
  // A sum over all pixels may be small by chance: it is compared with what it could have been.
  const double spread = std::sqrt(static_cast<double>(gradient.size()));
  return agree(results[0].data() + row * weights.size(), weights, allowed) &&
         std::abs(static_cast<double>(results[1][row]) - bias[0]) <= allowed * std::max(spread, std::abs(bias[0]));
}

/// Looks at `parts` images, or filters of weight gradients, evenly spread; the first and the last are among them.
bool parts_agree(const Operation& operation, const Precision& precision, const std::vector<std::vector<float>>& results,
                 std::int64_t parts) {
  const double allowed = tolerance(precision);
  const auto every = [&](std::int64_t count, auto&& right) {
    const std::int64_t looks = std::min(parts, count);
    for (std::int64_t i = 0; i < looks; ++i) {
      if (!right(looks == 1 ? 0 : i * (count - 1) / (looks - 1))) return false;
    }
    return true;
  };
  const auto filters = [&](const Conv2dAttributes& attributes, const Tensor& x, const std::vector<Tensor>& dy,
                           const Tensor& dw) {
    return every(dw.n(), [&](std::int64_t filter) {
      std::size_t j = 0;
      while (filter >= dy[j].c()) filter -= dy[j++].c();
      return filter_agrees(attributes, x, dy, dw, j, filter, precision.storage, results, allowed);
    });
  };
  if (const auto* conv = std::get_if<Conv2dBackwardWeights>(&operation)) {
    return filters(conv->attributes, conv->x, {conv->dy}, conv->dw);
  }
  if (const auto* group = std::get_if<Conv2d1x1GroupBackwardWeights>(&operation)) {
    return filters({}, group->x, group->dy, group->dw);
  }
  std::int64_t batch = 0;
  for_each_operand(operation, [&](std::string_view role, const Tensor& tensor, Access) {
    if (role == "x" || role == "dx") batch = tensor.n();
  });
  return every(batch,
               [&](std::int64_t image) { return image_agrees(operation, precision.storage, image, results, allowed); });
}

// ---- timing ---------------------------------------------------------------------------------------------------------

/// Microseconds of one run: the median over passes through all copies of the operands.
double median_microseconds(Backend& backend, std::vector<Staged>& copies, double seconds) {
  const auto pass = [&] {
    for (Staged& copy : copies) copy.run();
  };
  pass();  // warms up; a recording repeats what has been run before
  const std::unique_ptr<Recording> recording = backend.record(pass);
  const auto time = [&] {
    backend.synchronize();
    const auto start = Clock::now();
    if (recording) {
      recording->replay();
    } else {
      pass();
    }
    backend.synchronize();
    return seconds_since(start) * 1e6 / static_cast<double>(copies.size());
  };
  time();
  std::vector<double> times;
  const auto start = Clock::now();
  while (times.size() < 3 || (times.size() < 101 && seconds_since(start) < seconds)) times.push_back(time());
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
  return times[times.size() / 2];
}

std::vector<Staged> make_copies(Backend& backend, const Operation& operation, DType storage) {
  // More than twice the last cache of an H100, or of most CPUs. The emulation has no cache.
  const bool emulated = backend.device().kind == DeviceKind::cuda && cuda_is_emulated();
  const std::size_t rotated = emulated ? 0 : std::size_t{128} << 20;
  std::vector<Staged> copies;
  copies.emplace_back(backend, operation, storage);
  const std::size_t count = std::clamp<std::size_t>(rotated / std::max<std::size_t>(copies[0].bytes(), 1), 1, 64);
  copies.reserve(count + 1);
  while (copies.size() < count) copies.emplace_back(backend, operation, storage);
  return copies;
}

/// Bytes read and written per second by a copy that no cache holds.
double copy_gigabytes_per_second(Backend& backend) {
  const bool emulated = backend.device().kind == DeviceKind::cuda && cuda_is_emulated();
  const Shape shape = {emulated ? std::int64_t{1} << 18 : std::int64_t{1} << 26};
  std::vector<Staged> copies;
  copies.emplace_back(backend, Cast{Tensor(shape, DType::f32), Tensor(shape, DType::f32)}, DType::f32);
  return static_cast<double>(copies[0].bytes()) / median_microseconds(backend, copies, 0.2) * 1e-3;
}

// ---- the program ----------------------------------------------------------------------------------------------------

struct Options {
  std::string filter, json;
  std::vector<std::string> dtypes = {"f32", "tf32", "bf16"};
  std::vector<std::string> contenders = {"ours/naive", "ours/tiled", "ours/tensor_core", "onednn"};
  double budget = 300.0;
  std::int64_t batch = cuda_is_emulated() ? 2 : 128;
  std::int64_t image_size = cuda_is_emulated() ? 32 : 96;
};

class Race {
 public:
  explicit Race(const Options& o) : o_(o), contenders_(make_contenders(o.dtypes, o.contenders)) {
    require(!contenders_.empty(), "nobody is left to be timed: ", why_no_cuda().empty() ? "" : why_no_cuda() + "; ",
            "see --contenders and --dtype");
  }

  Json run() {
    const auto start = Clock::now();
    std::vector<SpeedCase> cases = googlenet_cases(o_.batch, o_.image_size);
    for (Case& test_case : all_cases()) {
      if (multiplies_matrices(test_case.operation)) cases.push_back({std::move(test_case)});
    }
    std::erase_if(cases, [&](const SpeedCase& c) { return c.test_case.label().find(o_.filter) == std::string::npos; });
    require(!cases.empty(), "--filter '", o_.filter, "': no case has this in its label");

    Json copies = Json::object();  // what a copy moves, by device
    for (const Contender& c : contenders_) {
      const std::string device = device_name(*c.backend);
      if (!copies.contains(device)) copies[device] = copy_gigabytes_per_second(*c.backend);
    }
    std::printf("%-72s %-5s %-16s %12s %9s %9s\n", "case", "dtype", "contender", "median us", "TFLOP/s", "GB/s");
    for (const SpeedCase& speed_case : cases) {
      others_.clear();
      for (Contender& contender : contenders_) {
        if (seconds_since(start) < o_.budget) {
          measure(speed_case, contender);
        } else {
          skip(speed_case, contender, "no time was left");
        }
      }
    }
    std::printf("%zu timed, %zu skipped, %zu wrong\n", results_.size(), skipped_.size(), wrong_);
    for (const auto& [device, rate] : copies.items()) {
      std::printf("%s: a copy moves %.1f GB/s\n", device.c_str(), rate.get<double>());
    }
    // Rates of products are measured by a library of the device's vendor, which no contender is: null.
    const std::string device = device_name(*contenders_.front().backend);
    return {{"what", "kernel_speed"},
            {"device", device},
            {"emulated", cuda_is_emulated()},
            {"batch", o_.batch},
            {"image_size", o_.image_size},
            {"ceilings",
             {{"copy_gb_s", copies[device]},
              {"bf16_tflop_s", nullptr},
              {"tf32_tflop_s", nullptr},
              {"f32_tflop_s", nullptr}}},
            {"copy_gb_s_by_device", copies},
            {"results", std::move(results_)},
            {"skipped", std::move(skipped_)},
            {"wrong", wrong_}};
  }

  std::size_t wrong() const { return wrong_; }

 private:
  static std::string device_name(const Backend& backend) { return backend.description(); }

  Json heading(const SpeedCase& speed_case, const Contender& contender) const {
    const Case& c = speed_case.test_case;
    return {{"case", c.name},
            {"operation", name_of(c.operation)},
            {"pass", pass_of(c.operation)},
            {"dtype", contender.precision.name},
            {"contender", contender.name},
            {"device", device_name(*contender.backend)}};
  }
  void skip(const SpeedCase& speed_case, const Contender& contender, const std::string& why) {
    Json line = heading(speed_case, contender);
    line["why"] = why;
    skipped_.push_back(std::move(line));
  }

  /// "" if the contender is right.
  std::string problem_of(const SpeedCase& speed_case, Contender& contender) {
    const Case& c = speed_case.test_case;
    if (!speed_case.googlenet) return check_case(*contender.backend, c, contender.precision).message;
    Staged staged(*contender.backend, c.operation, contender.precision.storage);
    staged.run();
    contender.backend->synchronize();
    std::vector<std::vector<float>> results = staged.results();
    if (!parts_agree(c.operation, contender.precision, results, others_.empty() ? 8 : 2))
      return "differs from reference in double";
    for (const Other& other : others_) {
      if (other.precision.storage != contender.precision.storage) continue;  // it had other factors
      const double allowed = tolerance(contender.precision) + tolerance(other.precision);
      for (std::size_t k = 0; k < results.size(); ++k) {
        // Sums of as many zero-mean values as there are pixels may be small by chance: biases are left to reference.
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
      std::fprintf(stderr, "%s by %s in %s is wrong: %s\n", c.label().c_str(), contender.name.c_str(),
                   std::string(contender.precision.name).c_str(), problem.c_str());
      return skip(speed_case, contender, concat("wrong: ", problem));
    }
    std::vector<Staged> copies = make_copies(*contender.backend, c.operation, contender.precision.storage);
    const double microseconds = median_microseconds(*contender.backend, copies, 0.05);
    const double teraflops = 2e-6 * static_cast<double>(multiply_accumulates(c.operation)) / microseconds;
    const double gigabytes = 1e-3 * static_cast<double>(copies[0].bytes()) / microseconds;
    std::printf("%-72s %-5s %-16s %12.1f %9.4f %9.2f\n", c.label().c_str(),
                std::string(contender.precision.name).c_str(), contender.name.c_str(), microseconds, teraflops,
                gigabytes);
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
  std::vector<Other> others_;  ///< of each storage type the first contender that was right in this case
  Json results_ = Json::array(), skipped_ = Json::array();
  std::size_t wrong_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CLI::App app("Times single operations, each verified first.", "kernel_speed");
  app.option_defaults()->always_capture_default()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.add_option("--filter", o.filter, "only cases whose label contains this, for instance 'googlenet conv3'");
  app.add_option("--dtype", o.dtypes, "f32, tf32, bf16")
      ->delimiter(',')
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->check(CLI::IsMember({"f32", "tf32", "bf16"}));
  app.add_option("--contenders", o.contenders, "who takes part")
      ->delimiter(',')
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->check(CLI::IsMember({"ours/naive", "ours/tiled", "ours/tensor_core", "onednn"}));
  app.add_option("--budget", o.budget, "seconds after which what is left is reported as skipped")
      ->check(CLI::Range(0.0, 1e6));
  app.add_option("--batch", o.batch, "of GoogLeNet's convolutions")->check(CLI::Range(1, 4096));
  app.add_option("--image-size", o.image_size, "of GoogLeNet's input")->check(CLI::Range(1, 4096));
  app.add_option("--json", o.json, "write the results into this file, too");
  return run_program(app, argc, argv, [&] {
    if (why_no_cuda().empty() && cuda_is_emulated()) {
      std::printf(
          "CUDA kernels are emulated here: their timings say how fast the emulation is, and nothing of a GPU\n");
    }
    Race race(o);
    const std::string json = race.run().dump(1) + "\n";
    if (!o.json.empty()) write_file_atomically(o.json, std::as_bytes(std::span<const char>(json.data(), json.size())));
    require(race.wrong() == 0, race.wrong(), " results were wrong (the lines above name them) and not timed");
  });
}
