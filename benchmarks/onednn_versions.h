#pragma once
/// One interface to the primitive descriptors of oneDNN 2 and 3. Arguments are in the order of version 3, which merged
/// the operation descriptor into the primitive descriptor.

#include <dnnl.hpp>

#include <vector>

namespace minception::onednn {

using dnnl::memory;

#if DNNL_VERSION_MAJOR >= 3

inline memory::dims dims_of(const memory::desc& descriptor) { return descriptor.get_dims(); }

inline void append_relu(dnnl::post_ops& post_ops) {
  post_ops.append_eltwise(dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
}

/// Descriptor of a primitive whose constructor arguments are the same in both versions.
template <class Primitive, class... Args>
typename Primitive::primitive_desc describe(const dnnl::engine& engine, const Args&... args) {
  return typename Primitive::primitive_desc(engine, args...);
}
/// The same for a backward pass, which takes the forward descriptor as a hint.
template <class Primitive, class Hint, class... Args>
typename Primitive::primitive_desc describe_backward(const dnnl::engine& engine, const Hint& hint,
                                                     const Args&... args) {
  return typename Primitive::primitive_desc(engine, args..., hint);
}

inline dnnl::eltwise_forward::primitive_desc relu_forward(const dnnl::engine& engine, dnnl::algorithm relu,
                                                          const memory::desc& image) {
  return {engine, dnnl::prop_kind::forward_training, relu, image, image, 0.0f, 0.0f};
}
inline dnnl::eltwise_backward::primitive_desc relu_backward(const dnnl::engine& engine,
                                                            const dnnl::eltwise_forward::primitive_desc& hint,
                                                            dnnl::algorithm relu, const memory::desc& image) {
  return {engine, relu, image, image, image, 0.0f, 0.0f, hint};
}

inline dnnl::pooling_forward::primitive_desc pooling_forward(const dnnl::engine& engine, dnnl::prop_kind kind,
                                                             dnnl::algorithm algorithm, const memory::desc& x,
                                                             const memory::desc& y, const memory::dims& stride,
                                                             const memory::dims& kernel, const memory::dims& before,
                                                             const memory::dims& after) {
  return {engine, kind, algorithm, x, y, stride, kernel, {0, 0}, before, after};
}
inline dnnl::pooling_backward::primitive_desc pooling_backward(const dnnl::engine& engine,
                                                               const dnnl::pooling_forward::primitive_desc& hint,
                                                               dnnl::algorithm algorithm, const memory::dims& stride,
                                                               const memory::dims& kernel, const memory::dims& before,
                                                               const memory::dims& after) {
  return {engine, algorithm, hint.src_desc(), hint.dst_desc(), stride, kernel, {0, 0}, before, after, hint};
}

inline dnnl::concat::primitive_desc concat(const dnnl::engine& engine, const memory::desc& y, int axis,
                                           const std::vector<memory::desc>& parts) {
  return {engine, y, axis, parts};
}
inline dnnl::sum::primitive_desc sum(const dnnl::engine& engine, const memory::desc& y,
                                     const std::vector<float>& scales, const std::vector<memory::desc>& terms) {
  return {engine, y, scales, terms};
}
inline dnnl::binary::primitive_desc add(const dnnl::engine& engine, const memory::desc& a, const memory::desc& b,
                                        const memory::desc& y, const dnnl::primitive_attr& attributes) {
  return {engine, dnnl::algorithm::binary_add, a, b, y, attributes};
}

inline dnnl::batch_normalization_forward::primitive_desc batch_norm_forward(const dnnl::engine& engine,
                                                                            dnnl::prop_kind kind,
                                                                            const memory::desc& image, float epsilon,
                                                                            dnnl::normalization_flags flags) {
  return {engine, kind, image, image, epsilon, flags};
}
inline dnnl::batch_normalization_backward::primitive_desc batch_norm_backward(
    const dnnl::engine& engine, const dnnl::batch_normalization_forward::primitive_desc& hint,
    const memory::desc& image, float epsilon, dnnl::normalization_flags flags) {
  return {engine, dnnl::prop_kind::backward, image, image, image, epsilon, flags, hint};
}

inline dnnl::lrn_forward::primitive_desc lrn_forward(const dnnl::engine& engine, dnnl::prop_kind kind,
                                                     const memory::desc& image, memory::dim size, float alpha,
                                                     float beta, float k) {
  return {engine, kind, dnnl::algorithm::lrn_across_channels, image, image, size, alpha, beta, k};
}
inline dnnl::lrn_backward::primitive_desc lrn_backward(const dnnl::engine& engine,
                                                       const dnnl::lrn_forward::primitive_desc& hint,
                                                       const memory::desc& image, memory::dim size, float alpha,
                                                       float beta, float k) {
  return {engine, dnnl::algorithm::lrn_across_channels, image, image, image, size, alpha, beta, k, hint};
}

inline dnnl::softmax_forward::primitive_desc softmax_forward(const dnnl::engine& engine, const memory::desc& logits) {
  return {engine, dnnl::prop_kind::forward_inference, dnnl::algorithm::softmax_accurate, logits, logits, 1};
}

#else

inline memory::dims dims_of(const memory::desc& descriptor) { return descriptor.dims(); }

inline void append_relu(dnnl::post_ops& post_ops) {
  post_ops.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
}

template <class Primitive, class... Args>
typename Primitive::primitive_desc describe(const dnnl::engine& engine, const Args&... args) {
  return typename Primitive::primitive_desc(typename Primitive::desc(args...), engine);
}
template <class Primitive, class Hint, class... Args>
typename Primitive::primitive_desc describe_backward(const dnnl::engine& engine, const Hint& hint,
                                                     const Args&... args) {
  return typename Primitive::primitive_desc(typename Primitive::desc(args...), engine, hint);
}

inline dnnl::eltwise_forward::primitive_desc relu_forward(const dnnl::engine& engine, dnnl::algorithm relu,
                                                          const memory::desc& image) {
  return {{dnnl::prop_kind::forward_training, relu, image, 0.0f, 0.0f}, engine};
}
inline dnnl::eltwise_backward::primitive_desc relu_backward(const dnnl::engine& engine,
                                                            const dnnl::eltwise_forward::primitive_desc& hint,
                                                            dnnl::algorithm relu, const memory::desc& image) {
  return {{relu, image, image, 0.0f, 0.0f}, engine, hint};
}

inline dnnl::pooling_forward::primitive_desc pooling_forward(const dnnl::engine& engine, dnnl::prop_kind kind,
                                                             dnnl::algorithm algorithm, const memory::desc& x,
                                                             const memory::desc& y, const memory::dims& stride,
                                                             const memory::dims& kernel, const memory::dims& before,
                                                             const memory::dims& after) {
  return {{kind, algorithm, x, y, stride, kernel, before, after}, engine};
}
inline dnnl::pooling_backward::primitive_desc pooling_backward(const dnnl::engine& engine,
                                                               const dnnl::pooling_forward::primitive_desc& hint,
                                                               dnnl::algorithm algorithm, const memory::dims& stride,
                                                               const memory::dims& kernel, const memory::dims& before,
                                                               const memory::dims& after) {
  return {{algorithm, hint.src_desc(), hint.dst_desc(), stride, kernel, before, after}, engine, hint};
}

inline dnnl::concat::primitive_desc concat(const dnnl::engine& engine, const memory::desc& y, int axis,
                                           const std::vector<memory::desc>& parts) {
  return {y, axis, parts, engine};
}
inline dnnl::sum::primitive_desc sum(const dnnl::engine& engine, const memory::desc& y,
                                     const std::vector<float>& scales, const std::vector<memory::desc>& terms) {
  return {y, scales, terms, engine};
}
inline dnnl::binary::primitive_desc add(const dnnl::engine& engine, const memory::desc& a, const memory::desc& b,
                                        const memory::desc& y, const dnnl::primitive_attr& attributes) {
  return {{dnnl::algorithm::binary_add, a, b, y}, attributes, engine};
}

inline dnnl::batch_normalization_forward::primitive_desc batch_norm_forward(const dnnl::engine& engine,
                                                                            dnnl::prop_kind kind,
                                                                            const memory::desc& image, float epsilon,
                                                                            dnnl::normalization_flags flags) {
  return {{kind, image, epsilon, flags}, engine};
}
inline dnnl::batch_normalization_backward::primitive_desc batch_norm_backward(
    const dnnl::engine& engine, const dnnl::batch_normalization_forward::primitive_desc& hint,
    const memory::desc& image, float epsilon, dnnl::normalization_flags flags) {
  return {{dnnl::prop_kind::backward, image, image, epsilon, flags}, engine, hint};
}

inline dnnl::lrn_forward::primitive_desc lrn_forward(const dnnl::engine& engine, dnnl::prop_kind kind,
                                                     const memory::desc& image, memory::dim size, float alpha,
                                                     float beta, float k) {
  return {{kind, dnnl::algorithm::lrn_across_channels, image, size, alpha, beta, k}, engine};
}
inline dnnl::lrn_backward::primitive_desc lrn_backward(const dnnl::engine& engine,
                                                       const dnnl::lrn_forward::primitive_desc& hint,
                                                       const memory::desc& image, memory::dim size, float alpha,
                                                       float beta, float k) {
  return {{dnnl::algorithm::lrn_across_channels, image, image, size, alpha, beta, k}, engine, hint};
}

inline dnnl::softmax_forward::primitive_desc softmax_forward(const dnnl::engine& engine, const memory::desc& logits) {
  return {{dnnl::prop_kind::forward_inference, logits, 1}, engine};
}

#endif

}  // namespace minception::onednn
