/// Mutation tests: every planted fault must fail at least one case of its operation.

#include "tests/cases/case.h"
#include "tests/kernels/check_mutations.h"
#include "tests/kernels/harness.h"

#include <map>
#include <set>
#include "tests/catch.h"

namespace minception {
namespace {

std::vector<Mutation> all_mutations() {
  std::vector<Mutation> all;
  for (auto* mutations_of :
       {convolution_mutations, custom_mutations, pooling_mutations, elementwise_mutations, normalization_mutations}) {
    const std::vector<Mutation> some = mutations_of();
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

}  // namespace

TEST_CASE("mutations of convolutions and fully connected layers are caught") {
  check_mutations(make_reference_backend, convolution_mutations());
}
TEST_CASE("mutations of custom operations are caught") { check_mutations(make_reference_backend, custom_mutations()); }
TEST_CASE("mutations of pools are caught") { check_mutations(make_reference_backend, pooling_mutations()); }
TEST_CASE("mutations of element-wise operations are caught") {
  check_mutations(make_reference_backend, elementwise_mutations());
}
TEST_CASE("mutations of normalisation and loss and optimizer are caught") {
  check_mutations(make_reference_backend, normalization_mutations());
}

TEST_CASE("ForwardingBackend without a mutation passes every operation") {
  ForwardingBackend honest(make_reference_backend(), [](const Operation& op, Backend& inner) { inner.run(op); });
  std::set<std::string_view> seen;
  for (const Case& test_case : all_cases()) {
    if (!seen.insert(kind_of(test_case.operation)).second) continue;
    const CheckResult result = check_case(honest, test_case);
    INFO(result.message);
    CHECK(result.passed);
  }
  CHECK(seen.size() == std::variant_size_v<Operation>);
}

TEST_CASE("every operation has at least three mutations with unique names") {
  std::map<std::string, std::set<std::string>> names;
  for (const Mutation& mutation : all_mutations()) {
    INFO(mutation.label());
    CHECK(names[mutation.operation].insert(mutation.name).second);
  }
  CHECK(names.size() == std::variant_size_v<Operation>);
  for (const auto& [operation, faults] : names) {
    INFO(operation);
    CHECK(faults.size() >= 3);
  }
}

}  // namespace minception
