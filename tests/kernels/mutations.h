#pragma once
/// Planted faults: typical bugs of kernels, one at a time. The tests must detect each of them.

#include "kernels/backend.h"

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace minception {

/// Runs an operation wrongly, by means of a correct backend.
using Fault = std::function<void(const Operation&, Backend& reference)>;

struct Mutation {
  std::string operation;  ///< name of the faulty operation
  std::string name;
  Fault fault;

  std::string label() const { return operation + ": " + name; }
};

std::vector<Mutation> convolution_mutations();    ///< conv2d, conv2d_fused_1x1, linear
std::vector<Mutation> custom_mutations();         ///< custom: swish
std::vector<Mutation> pooling_mutations();        ///< max, average, adaptive and global pools
std::vector<Mutation> elementwise_mutations();    ///< load_batch, relu, concat, flatten, add, fill, cast, dropout
std::vector<Mutation> normalization_mutations();  ///< normalisations, softmax_cross_entropy, optimizers, group_norms

/// A mutation of one operation: `change` receives a copy and runs it with the fault.
template <class Op, class Change>
Mutation mutation(std::string name, Change change) {
  const auto fault = [change](const Operation& operation, Backend& reference) {
    if (const Op* op = std::get_if<Op>(&operation)) {
      change(*op, reference);
    } else {
      reference.run(operation);
    }
  };
  return {std::string(name_of(Operation(Op{}))), std::move(name), fault};
}

/// A mutation that edits the operation and then runs it correctly.
template <class Op, class Edit>
Mutation edited(std::string name, Edit edit) {
  return mutation<Op>(std::move(name), [edit](Op op, Backend& reference) {
    edit(op);
    reference.run(op);
  });
}

/// An element of an image, or 0 outside of it.
template <class T = float>
T at(const Tensor& t, std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w) {
  if (c < 0 || c >= t.c() || h < 0 || h >= t.h() || w < 0 || w >= t.w()) return T(0);
  return t.as<T>()[((n * t.h() + h) * t.w() + w) * t.pixel_stride + c];
}

/// Calls f(element, n, c, h, w) for every element of an image.
template <class T = float, class F>
void for_each_element(const Tensor& t, F&& f) {
  for (std::int64_t n = 0; n < t.n(); ++n) {
    for (std::int64_t h = 0; h < t.h(); ++h) {
      for (std::int64_t w = 0; w < t.w(); ++w) {
        for (std::int64_t c = 0; c < t.c(); ++c) {
          f(t.as<T>()[((n * t.h() + h) * t.w() + w) * t.pixel_stride + c], n, c, h, w);
        }
      }
    }
  }
}

/// A dense tensor that owns its memory; copies of the object share it.
template <class T = float>
class Owned {
 public:
  explicit Owned(Shape shape) : memory_(std::make_shared<std::vector<T>>(shape.elements())) {
    tensor_ = Tensor(shape, dtype_of<T>::value, memory_->data());
  }
  /// Filled with value(n, c, h, w).
  template <class Value>
  Owned(Shape shape, Value&& value) : Owned(shape) {
    for_each_element<T>(tensor_, [&](T& element, std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w) {
      element = static_cast<T>(value(n, c, h, w));
    });
  }
  const Tensor& tensor() const { return tensor_; }
  T& operator[](std::int64_t i) const { return (*memory_)[static_cast<std::size_t>(i)]; }

 private:
  std::shared_ptr<std::vector<T>> memory_;
  Tensor tensor_;
};

/// A copy of an image shifted down and to the right, with zeros shifted in.
inline Owned<> shifted(const Tensor& t, std::int64_t down, std::int64_t right) {
  return Owned<>(t.shape, [&](auto n, auto c, auto h, auto w) { return at(t, n, c, h - down, w - right); });
}

/// A copy of an image.
inline Owned<> copied(const Tensor& t) { return shifted(t, 0, 0); }

/// A copy of a vector with `value` applied to every element.
template <class Value>
Owned<> changed(const Tensor& vector, Value&& value) {
  Owned<> copy(vector.shape);
  for (std::int64_t i = 0; i < vector.elements(); ++i) copy[i] = static_cast<float>(value(vector.as<float>()[i]));
  return copy;
}

/// Faults of operations with a GradTarget; target(op) returns it.
template <class Op, class Find>
void add_dense_target_mutations(std::vector<Mutation>& mutations, const std::string& what, Find target) {
  mutations.push_back(edited<Op>("missing += of " + what, [=](Op& op) { target(op).accumulate = false; }));
  mutations.push_back(edited<Op>("always += into " + what, [=](Op& op) { target(op).accumulate = true; }));
  mutations.push_back(edited<Op>("lost relu mask of " + what, [=](Op& op) { target(op).relu_output = {}; }));
  mutations.push_back(mutation<Op>("relu mask on the new gradient only, of " + what, [=](Op op, Backend& reference) {
    GradTarget& grad = target(op);
    const Owned<> before = copied(grad.dx);
    const bool accumulate = std::exchange(grad.accumulate, false);
    reference.run(op);
    if (!accumulate) return;
    for_each_element(grad.dx,
                     [&](float& dx, auto n, auto c, auto h, auto w) { dx += at(before.tensor(), n, c, h, w); });
  }));
}
/// The same for a dx that may be a slice.
template <class Op, class Find>
void add_target_mutations(std::vector<Mutation>& mutations, const std::string& what, Find target) {
  add_dense_target_mutations<Op>(mutations, what, target);
  mutations.push_back(edited<Op>("pixel stride of " + what + " ignored",
                                 [=](Op& op) { target(op).dx.pixel_stride = target(op).dx.c(); }));
}
template <class Op>
void add_target_mutations(std::vector<Mutation>& mutations) {
  add_target_mutations<Op>(mutations, "dx", [](Op& op) -> GradTarget& { return op.target; });
}

}  // namespace minception
