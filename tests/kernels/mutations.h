#pragma once
/// Planted faults: what a hurried kernel gets wrong, one at a time. The tests must notice each of them.

#include <minception/kernels/backend.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace minception {

/// Carries an operation out wrongly, with the help of a backend that does it right.
using Fault = std::function<void(const Operation&, Backend& reference)>;

struct Mutation {
  std::string operation;  ///< the one it concerns
  std::string name;
  Fault fault;

  std::string label() const { return operation + ": " + name; }
};

std::vector<Mutation> convolution_mutations();    ///< conv2d, conv2d_1x1_group, linear
std::vector<Mutation> pooling_mutations();        ///< max, average, adaptive and global pools
std::vector<Mutation> elementwise_mutations();    ///< load_batch, relu, concat, flatten, add, fill, cast, dropout
std::vector<Mutation> normalization_mutations();  ///< normalisations, softmax_cross_entropy, optimizers, segment_norms

/// A mutation of one operation: `change` receives a copy of it and carries it out as it likes.
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

/// A mutation that changes the operation and then has it carried out rightly.
template <class Op, class Edit>
Mutation edited(std::string name, Edit edit) {
  return mutation<Op>(std::move(name), [edit](Op op, Backend& reference) {
    edit(op);
    reference.run(op);
  });
}

/// An element of an image, 0 outside of it.
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

/// A dense tensor with memory of its own, alive as long as a copy of this object.
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

/// A copy of an image with its content moved down and to the right; zeros come in.
inline Owned<> shifted(const Tensor& t, std::int64_t down, std::int64_t right) {
  return Owned<>(t.shape, [&](auto n, auto c, auto h, auto w) { return at(t, n, c, h - down, w - right); });
}

/// A copy of an image.
inline Owned<> copied(const Tensor& t) { return shifted(t, 0, 0); }

/// A copy of a vector, every element changed.
template <class Value>
Owned<> changed(const Tensor& vector, Value&& value) {
  Owned<> copy(vector.shape);
  for (std::int64_t i = 0; i < vector.elements(); ++i) copy[i] = static_cast<float>(value(vector.as<float>()[i]));
  return copy;
}

/// The faults of every operation that ends in a GradTarget; `target` finds it in the operation.
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
/// The same where dx may be a slice.
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
