/// oneDNN, versions 2.x and 3.x, behind one interface.

#include <minception/core/error.h>
#include <minception/kernels/cpu/onednn.h>

#include <omp.h>
#include <dnnl.hpp>

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <utility>

// Exported by every version since 1.0 and tested as part of its interface, but in no header of it.
extern "C" dnnl_status_t DNNL_API dnnl_gemm_bf16bf16f32(char transpose_a, char transpose_b, dnnl_dim_t m, dnnl_dim_t n,
                                                        dnnl_dim_t k, float alpha, const minception::bf16* a,
                                                        dnnl_dim_t lda, const minception::bf16* b, dnnl_dim_t ldb,
                                                        float beta, float* c, dnnl_dim_t ldc);

namespace minception::cpu {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;
using Type = memory::data_type;

/// Sets how many threads the calling thread may start, for as long as the object lives.
class ThreadCount {
 public:
  explicit ThreadCount(int threads) : before_(omp_get_max_threads()), dynamic_(omp_get_dynamic()) {
    omp_set_dynamic(0);  // else OpenMP may start fewer, and the primitive wait for the others for ever
    omp_set_num_threads(threads);
  }
  ~ThreadCount() {
    omp_set_num_threads(before_);
    omp_set_dynamic(dynamic_);
  }
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  int before_;
  int dynamic_;
};

Type type_of(DType dtype) { return dtype == DType::bf16 ? Type::bf16 : Type::f32; }

/// The types and layouts in which one convolution is asked for.
struct Descriptors {
  memory::desc x, w, bias, y;
  memory::dims strides, padding;
};

Descriptors describe(const ConvolutionShape& shape, Type weights, Tag x_tag) {
  const Type images = type_of(shape.images);
  return {memory::desc({shape.n, shape.i, shape.h, shape.w}, images, x_tag),
          memory::desc({shape.o, shape.i, shape.kh, shape.kw}, weights, Tag::any),
          shape.bias ? memory::desc({shape.o}, Type::f32, Tag::x) : memory::desc(),
          memory::desc({shape.n, shape.o, shape.p, shape.q}, images, Tag::nhwc),
          {shape.stride_h, shape.stride_w},
          {shape.padding_h, shape.padding_w}};
}

// Version 3 merged the operation descriptor into the primitive descriptor.
template <class Primitive, class... Args>
auto make_descriptor(const dnnl::primitive_attr& attributes, const dnnl::engine& engine, const Args&... args) {
#if DNNL_VERSION_MAJOR >= 3
  return typename Primitive::primitive_desc(engine, args..., attributes);
#else
  return typename Primitive::primitive_desc(typename Primitive::desc(args...), attributes, engine);
#endif
}
template <class Primitive, class... Args>
auto make_backward_descriptor(const dnnl::convolution_forward::primitive_desc& forward,
                              const dnnl::primitive_attr& attributes, const dnnl::engine& engine, const Args&... args) {
#if DNNL_VERSION_MAJOR >= 3
  return typename Primitive::primitive_desc(engine, args..., forward, attributes);
#else
  return typename Primitive::primitive_desc(typename Primitive::desc(args...), attributes, engine, forward);
#endif
}

dnnl::convolution_forward::primitive_desc forward_descriptor(const Descriptors& d, dnnl::prop_kind kind,
                                                             const dnnl::primitive_attr& attributes,
                                                             const dnnl::engine& engine) {
  using Forward = dnnl::convolution_forward;
  const auto direct = dnnl::algorithm::convolution_direct;
  if (d.bias.get_size() > 0) {
    return make_descriptor<Forward>(attributes, engine, kind, direct, d.x, d.w, d.bias, d.y, d.strides, d.padding,
                                    d.padding);
  }
  return make_descriptor<Forward>(attributes, engine, kind, direct, d.x, d.w, d.y, d.strides, d.padding, d.padding);
}

dnnl::primitive_attr attributes_for(bool relu) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (relu) {
    dnnl::post_ops post_ops;
#if DNNL_VERSION_MAJOR >= 3
    post_ops.append_eltwise(dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
#else
    post_ops.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
#endif
    attributes.set_post_ops(post_ops);
  }
  return attributes;
}

class OneDnnConvolution final : public Convolution {
 public:
  OneDnnConvolution(const ConvolutionShape& shape, Tag x_tag, int threads, const dnnl::engine& engine,
                    const dnnl::stream& stream)
      : threads_(threads), stream_(stream) {
    const ThreadCount count(threads_);  // a primitive is built for the number of threads that will run it
    const Descriptors d = describe(shape, type_of(shape.images), x_tag);
    const auto attributes = attributes_for(shape.relu);
    const auto direct = dnnl::algorithm::convolution_direct;
    if (shape.pass == Pass::forward) {
      const auto descriptor = forward_descriptor(d, dnnl::prop_kind::forward_inference, attributes, engine);
      adopt<dnnl::convolution_forward>(descriptor, descriptor.src_desc(), descriptor.weights_desc(),
                                       descriptor.dst_desc(), {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST}, engine);
      if (shape.bias) arguments_[DNNL_ARG_BIAS] = memory(d.bias, engine, nullptr);
    } else {
      const auto hint = forward_descriptor(d, dnnl::prop_kind::forward_training, attributes, engine);
      if (shape.pass == Pass::backward_data) {
        const auto descriptor = make_backward_descriptor<dnnl::convolution_backward_data>(
            hint, attributes, engine, direct, d.x, d.w, d.y, d.strides, d.padding, d.padding);
        adopt<dnnl::convolution_backward_data>(descriptor, descriptor.diff_src_desc(), descriptor.weights_desc(),
                                               descriptor.diff_dst_desc(),
                                               {DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST}, engine);
      } else {
        const memory::desc dw = describe(shape, Type::f32, x_tag).w;
        const auto descriptor = make_backward_descriptor<dnnl::convolution_backward_weights>(
            hint, attributes, engine, direct, d.x, dw, d.y, d.strides, d.padding, d.padding);
        adopt<dnnl::convolution_backward_weights>(descriptor, descriptor.src_desc(), descriptor.diff_weights_desc(),
                                                  descriptor.diff_dst_desc(),
                                                  {DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST}, engine);
      }
    }
  }

  const std::string& implementation() const { return implementation_; }
  std::size_t scratch_bytes() const override { return scratch_bytes_; }
  std::size_t packed_bytes() const override { return packed_bytes_; }

  void pack(const float* w, void* packed) override { reorder(pack_, plain_, const_cast<float*>(w), packed_, packed); }
  void unpack(const void* packed, float* w) override {
    reorder(unpack_, packed_, const_cast<void*>(packed), plain_, w);
  }

  void run(void* x, void* w, void* bias, void* y, void* scratch) override {
    const ThreadCount count(threads_);
    arguments_.at(roles_.x).set_data_handle(x);
    arguments_.at(roles_.w).set_data_handle(w);
    arguments_.at(roles_.y).set_data_handle(y);
    if (bias != nullptr) arguments_.at(DNNL_ARG_BIAS).set_data_handle(bias);
    if (scratch_bytes_ > 0) arguments_.at(DNNL_ARG_SCRATCHPAD).set_data_handle(scratch);
    primitive_.execute(stream_, arguments_);
    stream_.wait();
  }

 private:
  struct Roles {
    int x = 0, w = 0, y = 0;
  };

  template <class Primitive, class Descriptor>
  void adopt(const Descriptor& descriptor, const memory::desc& x, const memory::desc& w, const memory::desc& y,
             Roles roles, const dnnl::engine& engine) {
    implementation_ = descriptor.impl_info_str();
    if (implementation_.find("ref") != std::string::npos) return;  // never run, so not worth building
    primitive_ = Primitive(descriptor);
    roles_ = roles;
    arguments_ = {{roles.x, memory(x, engine, nullptr)},
                  {roles.w, memory(w, engine, nullptr)},
                  {roles.y, memory(y, engine, nullptr)}};
    const memory::desc scratchpad = descriptor.scratchpad_desc();
    scratch_bytes_ = scratchpad.get_size();
    if (scratch_bytes_ > 0) arguments_[DNNL_ARG_SCRATCHPAD] = memory(scratchpad, engine, nullptr);

    const memory::desc plain(dims_of(w), Type::f32, Tag::ohwi);
    if (w == plain) return;
    packed_bytes_ = w.get_size();
    plain_ = memory(plain, engine, nullptr);
    packed_ = memory(w, engine, nullptr);
    if (roles.w == DNNL_ARG_DIFF_WEIGHTS) {
      unpack_ = dnnl::reorder(packed_, plain_);
    } else {
      pack_ = dnnl::reorder(plain_, packed_);
    }
  }

  static memory::dims dims_of(const memory::desc& descriptor) {
#if DNNL_VERSION_MAJOR >= 3
    return descriptor.get_dims();
#else
    return descriptor.dims();
#endif
  }

  void reorder(dnnl::reorder& primitive, memory& from, void* from_data, memory& to, void* to_data) {
    const ThreadCount count(threads_);
    from.set_data_handle(from_data);
    to.set_data_handle(to_data);
    primitive.execute(stream_, from, to);
    stream_.wait();
  }

  int threads_;
  dnnl::stream stream_;
  dnnl::primitive primitive_;
  std::unordered_map<int, memory> arguments_;
  Roles roles_;
  std::string implementation_;
  std::size_t scratch_bytes_ = 0;
  std::size_t packed_bytes_ = 0;
  memory plain_, packed_;
  dnnl::reorder pack_, unpack_;
};

struct ShapeHash {
  std::size_t operator()(const ConvolutionShape& s) const {
    std::size_t hash = static_cast<std::size_t>(s.pass) * 8 + (s.images == DType::bf16) * 4 + s.bias * 2 + s.relu;
    for (const std::int64_t value :
         {s.n, s.i, s.h, s.w, s.o, s.p, s.q, s.kh, s.kw, s.stride_h, s.stride_w, s.padding_h, s.padding_w}) {
      hash = hash * 1099511628211u + static_cast<std::size_t>(value);
    }
    return hash;
  }
};

bool has(dnnl::cpu_isa isa) {  // the values are sets of bits
  const auto wanted = static_cast<unsigned>(isa);
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & wanted) == wanted;
}

}  // namespace

bool OneDnn::multiplies_bf16() { return has(dnnl::cpu_isa::avx512_core); }

std::string OneDnn::instruction_set() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::sse41:
      return "SSE4.1";
    case dnnl::cpu_isa::avx:
      return "AVX";
    case dnnl::cpu_isa::avx2:
      return "AVX2";
    case dnnl::cpu_isa::avx2_vnni:
      return "AVX2 with VNNI";
    case dnnl::cpu_isa::avx512_core:
      return "AVX-512";
    case dnnl::cpu_isa::avx512_core_vnni:
      return "AVX-512 with VNNI";
    case dnnl::cpu_isa::avx512_core_bf16:
      return "AVX-512 with bf16";
    case dnnl::cpu_isa::avx512_core_amx:
      return "AVX-512 with AMX";
    default:
      return "an instruction set unknown to this build";
  }
}

std::string ConvolutionShape::to_string() const {
  return concat("n", n, " ", i, "x", h, "x", w, " -> ", o, "x", p, "x", q, ", ", kh, "x", kw, " stride ", stride_h, "x",
                stride_w, " padding ", padding_h, "x", padding_w, bias ? ", bias" : "", relu ? ", relu" : "",
                images == DType::bf16 ? ", bf16" : "");
}

struct OneDnn::Cache {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  std::unordered_map<ConvolutionShape, std::unique_ptr<OneDnnConvolution>, ShapeHash> convolutions;
};

OneDnn::OneDnn(int threads) : threads_(threads), cache_(std::make_unique<Cache>()) {}
OneDnn::~OneDnn() = default;

std::string OneDnn::description() const {
  const dnnl_version_t& version = *dnnl::version();
  return concat("oneDNN ", version.major, ".", version.minor, ".", version.patch, ", ", instruction_set(),
                multiplies_bf16() && !has(dnnl::cpu_isa::avx512_core_bf16) ? " (bf16 emulated)" : "");
}

std::vector<std::string> OneDnn::implementations() const {
  static constexpr const char* kNames[] = {"conv2d_forward ", "conv2d_backward_data ", "conv2d_backward_weights "};
  std::vector<std::string> lines;
  for (const auto& [shape, convolution] : cache_->convolutions) {
    lines.push_back(concat(kNames[static_cast<int>(shape.pass)], shape.to_string(), ": ",
                           convolution == nullptr ? "none, matrix products" : convolution->implementation()));
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

Convolution* OneDnn::convolution(const ConvolutionShape& shape) {
  const auto [entry, is_new] = cache_->convolutions.try_emplace(shape);
  if (!is_new) return entry->second.get();
  // One channel is the same memory either way, but as NHWC oneDNN 2.6 may know nothing but its reference
  // loops.
  std::vector<Tag> x_tags = {Tag::nhwc};
  if (shape.i == 1) x_tags.insert(x_tags.begin(), Tag::nchw);
  for (const Tag x_tag : x_tags) {
    try {
      auto candidate = std::make_unique<OneDnnConvolution>(shape, x_tag, threads_, cache_->engine, cache_->stream);
      if (candidate->implementation().find("ref") != std::string::npos) continue;
      entry->second = std::move(candidate);
      break;
    } catch (const dnnl::error& error) {
      // "Unimplemented" is an answer; anything else (out of memory) is not.
      if (error.status != dnnl_unimplemented) fail("oneDNN cannot build ", shape.to_string(), ": ", error.what());
    }
  }
  return entry->second.get();
}

namespace {

/// product() with the threads that it may use; with one when called from inside a parallel region.
template <class Product>
void multiply(int threads, std::int64_t m, std::int64_t n, std::int64_t k, Product&& product) {
  std::optional<ThreadCount> count;
  if (!omp_in_parallel()) count.emplace(threads);
  const dnnl_status_t status = product();
  require(status == dnnl_success, "oneDNN refused a matrix product of ", m, "x", k, " and ", k, "x", n, " (status ",
          static_cast<int>(status), "); is there enough memory?");
}

}  // namespace

void OneDnn::gemm(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, const float* a,
                  std::int64_t lda, const float* b, std::int64_t ldb, float beta, float* c, std::int64_t ldc) const {
  multiply(threads_, m, n, k, [&] {
    return dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, 1.0f, a, lda, b, ldb, beta, c, ldc);
  });
}

void OneDnn::gemm(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, const bf16* a,
                  std::int64_t lda, const bf16* b, std::int64_t ldb, float beta, float* c, std::int64_t ldc) const {
  multiply(threads_, m, n, k, [&] {
    return dnnl_gemm_bf16bf16f32(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, 1.0f, a, lda, b, ldb, beta,
                                 c, ldc);
  });
}

}  // namespace minception::cpu
