#pragma once
/// Mutation tests for any backend with host-accessible memory: every planted fault must fail at least one case of its
/// operation.

#include "tests/cases/case.h"
#include "tests/kernels/forwarding_backend.h"
#include "tests/kernels/harness.h"
#include "tests/kernels/mutations.h"

#include "tests/catch.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace minception {

using MakeBackend = std::function<std::unique_ptr<Backend>()>;

/// A backend that allocates its own workspace, because faults run operations that were not planned.
inline std::unique_ptr<Backend> with_own_workspace(std::unique_ptr<Backend> inner) {
  return std::make_unique<ForwardingBackend>(std::move(inner), [](const Operation& op, Backend& backend) {
    const std::size_t bytes = backend.plan(op).workspace;
    const Buffer workspace = backend.allocate(bytes);
    backend.run(op, {workspace.data(), bytes});
    backend.synchronize();
  });
}

/// The cases of an operation, smallest first, to save time: most faults fail in any case.
inline std::vector<Case> smallest_first(const std::string& operation) {
  std::vector<std::pair<std::int64_t, Case>> sized;
  for (Case& test_case : all_cases()) {
    if (kind_of(test_case.operation) != operation) continue;
    std::int64_t work = multiply_accumulates(test_case.operation);
    for_each_operand(test_case.operation,
                     [&](std::string_view, const Tensor& tensor, Access) { work += tensor.elements(); });
    sized.emplace_back(work, std::move(test_case));
  }
  std::stable_sort(sized.begin(), sized.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Case> cases;
  for (auto& [work, test_case] : sized) cases.push_back(std::move(test_case));
  return cases;
}

/// In f32 no fault may throw, because a throw does not test the comparison. In bf16, faults that round to bf16 are
/// skipped, as they change no value, and faults that throw do not count as planted, as they compute on the host in
/// float.
inline void check_mutations(const MakeBackend& make, const std::vector<Mutation>& mutations,
                            const Precision& precision = kF32) {
  std::size_t planted = 0;
  for (const Mutation& mutation : mutations) {
    if (precision.storage == DType::bf16 && mutation.name.find("bf16") != std::string::npos) continue;
    ForwardingBackend faulty(with_own_workspace(make()), mutation.fault);
    CheckResult result;
    for (const Case& test_case : smallest_first(mutation.operation)) {
      result = check_case(faulty, test_case, precision);
      if (!result.passed) break;  // one failing case is enough
    }
    INFO(mutation.label() << " in " << precision.name << ": " << result.message);
    CHECK_FALSE(result.passed);
    if (precision.storage == DType::f32) CHECK_FALSE(result.threw);
    if (!result.threw) ++planted;
  }
  CHECK(2 * planted >= mutations.size());
  WARN(planted << " faults planted in " << precision.name);
}

}  // namespace minception
