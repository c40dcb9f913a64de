/// oneDNN 2.x and 3.x behind one interface.

#include "kernels/cpu/onednn.h"
#include "core/error.h"
#include "kernels/cpu/onednn_known_faults.h"
#include "kernels/cpu/signals.h"

#include <omp.h>
#include <dnnl.hpp>

#include <algorithm>
#include <optional>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>

// Exported by every version since 1.0 and covered by oneDNN's tests, but not declared in its headers.
extern "C" dnnl_status_t DNNL_API dnnl_gemm_bf16bf16f32(char transpose_a, char transpose_b, dnnl_dim_t m, dnnl_dim_t n,
                                                        dnnl_dim_t k, float alpha, const minception::bf16* a,
                                                        dnnl_dim_t lda, const minception::bf16* b, dnnl_dim_t ldb,
                                                        float beta, float* c, dnnl_dim_t ldc);

namespace minception::cpu {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;
using Type = memory::data_type;

/// Sets the number of OpenMP threads of the calling thread for the lifetime of the object.
class ThreadCount {
 public:
  explicit ThreadCount(int threads) : before_(omp_get_max_threads()), dynamic_(omp_get_dynamic()) {
    omp_set_dynamic(0);  // with fewer threads than it was built for, a primitive deadlocks
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

/// Types and layouts of a requested convolution.
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

/// A primitive descriptor and the objects that next_impl() reads. Version 2 keeps pointers to the operation descriptor,
/// which version 3 merged into the primitive descriptor, and to the hint, which the caller must keep alive.
template <class Primitive>
struct Described {
  template <class... Hint, class... Args>
  Described(const dnnl::engine& engine, const dnnl::primitive_attr& attributes, const std::tuple<Hint&...>& hint,
            const Args&... args)
#if DNNL_VERSION_MAJOR >= 3
      : descriptor(std::make_from_tuple<typename Primitive::primitive_desc>(
            std::tuple_cat(std::tie(engine, args...), hint, std::tie(attributes)))){}
#else
      : operation(args...),
        descriptor(std::make_from_tuple<typename Primitive::primitive_desc>(
            std::tuple_cat(std::tie(operation, attributes, engine), hint))) {
  }
  typename Primitive::desc operation;
#endif
        typename Primitive::primitive_desc descriptor;

  Described(const Described&) = delete;
  Described& operator=(const Described&) = delete;
};

Described<dnnl::convolution_forward> describe_forward(const Descriptors& d, dnnl::prop_kind kind,
                                                      const dnnl::primitive_attr& attributes,
                                                      const dnnl::engine& engine) {
  using Forward = Described<dnnl::convolution_forward>;
  const auto direct = dnnl::algorithm::convolution_direct;
  if (d.bias.get_size() > 0) {
    return Forward(engine, attributes, std::tie(), kind, direct, d.x, d.w, d.bias, d.y, d.strides, d.padding,
                   d.padding);
  }
  return Forward(engine, attributes, std::tie(), kind, direct, d.x, d.w, d.y, d.strides, d.padding, d.padding);
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
    const ThreadCount count(threads_);  // a primitive is built for a fixed number of threads
    const Descriptors d = describe(shape, type_of(shape.images), x_tag);
    const auto attributes = attributes_for(shape.relu);
    const auto direct = dnnl::algorithm::convolution_direct;
    if (shape.pass == Pass::forward) {
      auto described = describe_forward(d, dnnl::prop_kind::forward_inference, attributes, engine);
      auto& descriptor = described.descriptor;
      if (!choose_implementation(descriptor, shape)) return;
      adopt<dnnl::convolution_forward>(descriptor, descriptor.src_desc(), descriptor.weights_desc(),
                                       descriptor.dst_desc(), {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST}, engine);
      if (shape.bias) arguments_[DNNL_ARG_BIAS] = memory(d.bias, engine, nullptr);
    } else {
      const auto forward = describe_forward(d, dnnl::prop_kind::forward_training, attributes, engine);
      const auto hint = std::tie(forward.descriptor);
      if (shape.pass == Pass::backward_data) {
        Described<dnnl::convolution_backward_data> described(engine, attributes, hint, direct, d.x, d.w, d.y, d.strides,
                                                             d.padding, d.padding);
        auto& descriptor = described.descriptor;
        if (!choose_implementation(descriptor, shape)) return;
        adopt<dnnl::convolution_backward_data>(descriptor, descriptor.diff_src_desc(), descriptor.weights_desc(),
                                               descriptor.diff_dst_desc(),
                                               {DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST}, engine);
      } else {
        const memory::desc dw = describe(shape, Type::f32, x_tag).w;
        Described<dnnl::convolution_backward_weights> described(engine, attributes, hint, direct, d.x, dw, d.y,
                                                                d.strides, d.padding, d.padding);
        auto& descriptor = described.descriptor;
        if (!choose_implementation(descriptor, shape)) return;
        adopt<dnnl::convolution_backward_weights>(descriptor, descriptor.src_desc(), descriptor.diff_weights_desc(),
                                                  descriptor.diff_dst_desc(),
                                                  {DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST}, engine);
      }
    }
  }

  /// "" if oneDNN has no usable implementation; then no other function may be called.
  const std::string& implementation() const { return implementation_; }
  /// The implementation that onednn_known_faults.h ruled out, if any, else "".
  const std::string& ruled_out() const { return ruled_out_; }
  std::size_t scratch_bytes() const override { return scratch_bytes_; }
  std::size_t prepacked_bytes() const override { return prepacked_bytes_; }

  void pack(const float* w, void* prepacked) override {
    reorder(pack_, plain_, const_cast<float*>(w), prepacked_, prepacked);
  }
  void unpack(const void* prepacked, float* w) override {
    reorder(unpack_, prepacked_, const_cast<void*>(prepacked), plain_, w);
  }

  void run(void* x, void* w, void* bias, void* y, void* scratch) override {
    std::optional<SignalsBlocked> signals;
    if (multiplies_matrices_) signals.emplace();
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

  /// Advances to the first usable implementation in oneDNN's order. Returns false if there is none.
  template <class Descriptor>
  bool choose_implementation(Descriptor& descriptor, const ConvolutionShape& shape) {
    const dnnl_version_t& version = *dnnl::version();
    do {
      const std::string name = descriptor.impl_info_str();
      if (name.find("ref") != std::string::npos) continue;
      if (is_known_fault(onednn_version(version.major, version.minor), name, shape)) {
        if (ruled_out_.empty()) ruled_out_ = name;
        continue;
      }
      implementation_ = name;
      multiplies_matrices_ = name.find("gemm") != std::string::npos;
      return true;
    } while (descriptor.next_impl());
    return false;
  }

  template <class Primitive, class Descriptor>
  void adopt(const Descriptor& descriptor, const memory::desc& x, const memory::desc& w, const memory::desc& y,
             Roles roles, const dnnl::engine& engine) {
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
    prepacked_bytes_ = w.get_size();
    plain_ = memory(plain, engine, nullptr);
    prepacked_ = memory(w, engine, nullptr);
    if (roles.w == DNNL_ARG_DIFF_WEIGHTS) {
      unpack_ = dnnl::reorder(prepacked_, plain_);
    } else {
      pack_ = dnnl::reorder(plain_, prepacked_);
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
  bool multiplies_matrices_ = false;  ///< uses the kernels of OneDnn::gemm
  std::string ruled_out_;
  std::size_t scratch_bytes_ = 0;
  std::size_t prepacked_bytes_ = 0;
  memory plain_, prepacked_;
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

bool has(dnnl::cpu_isa isa) {  // the values are bit sets
  const auto wanted = static_cast<unsigned>(isa);
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & wanted) == wanted;
}

}  // namespace

constinit thread_local bool signals_blocked = false;

bool onednn_moves_stack() {
  static const bool moves = onednn_version(dnnl::version()->major, dnnl::version()->minor) < onednn_version(3, 12);
  return moves;
}

bool OneDnn::multiplies_bf16() { return has(dnnl::cpu_isa::avx512_core); }

std::string OneDnn::instruction_set() {
  struct Named {
    dnnl::cpu_isa isa;
    const char* name;
  };
  // Largest first: an instruction set newer than this list gets the name of the largest one that it contains.
  static constexpr Named kSets[] = {
#if DNNL_VERSION_MAJOR >= 3
    {dnnl::cpu_isa::avx512_core_amx_fp16, "AVX-512 with AMX and fp16"},
    {dnnl::cpu_isa::avx512_core_amx, "AVX-512 with AMX"},
    {dnnl::cpu_isa::avx512_core_fp16, "AVX-512 with fp16"},
#else
    {dnnl::cpu_isa::avx512_core_amx, "AVX-512 with AMX"},
#endif
    {dnnl::cpu_isa::avx512_core_bf16, "AVX-512 with bf16"},
    {dnnl::cpu_isa::avx512_core_vnni, "AVX-512 with VNNI"},
    {dnnl::cpu_isa::avx512_core, "AVX-512"},
#if DNNL_VERSION_MAJOR >= 3
    {dnnl::cpu_isa::avx2_vnni_2, "AVX2 with VNNI and bf16"},
#endif
    {dnnl::cpu_isa::avx2_vnni, "AVX2 with VNNI"},
    {dnnl::cpu_isa::avx2, "AVX2"},
    {dnnl::cpu_isa::avx, "AVX"},
    {dnnl::cpu_isa::sse41, "SSE4.1"},
  };
  for (const Named& set : kSets) {
    if (has(set.isa)) return set.name;
  }
#ifdef __aarch64__
  return "AArch64";  // oneDNN only names instruction sets of x86
#else
  return "no vector instructions";
#endif
}

std::string ConvolutionShape::to_string() const {
  return concat("n", n, " ", i, "x", h, "x", w, " -> ", o, "x", p, "x", q, ", ", kh, "x", kw, " stride ", stride_h, "x",
                stride_w, " padding ", padding_h, "x", padding_w, bias ? ", bias" : "", relu ? ", relu" : "",
                images == DType::bf16 ? ", bf16" : "");
}

struct OneDnn::Cache {
  struct Entry {
    std::unique_ptr<OneDnnConvolution> convolution;
    std::string ruled_out;
  };
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  std::unordered_map<ConvolutionShape, Entry, ShapeHash> convolutions;
};

OneDnn::OneDnn(int threads) : threads_(threads), cache_(std::make_unique<Cache>()) {
#pragma omp parallel num_threads(threads)
  block_signals_in_worker();
}
OneDnn::~OneDnn() = default;

std::string OneDnn::description() const {
  const dnnl_version_t& version = *dnnl::version();
  return concat("oneDNN ", version.major, ".", version.minor, ".", version.patch, ", ", instruction_set(),
                multiplies_bf16() && !has(dnnl::cpu_isa::avx512_core_bf16) ? " (bf16 emulated)" : "");
}

std::vector<std::string> OneDnn::implementations() const {
  static constexpr const char* kNames[] = {"conv2d_forward ", "conv2d_backward_data ", "conv2d_backward_weights "};
  std::vector<std::string> lines;
  for (const auto& [shape, entry] : cache_->convolutions) {
    lines.push_back(concat(kNames[static_cast<int>(shape.pass)], shape.to_string(), ": ",
                           entry.convolution == nullptr ? "none, matrix products" : entry.convolution->implementation(),
                           entry.ruled_out.empty() ? "" : concat(", instead of the faulty ", entry.ruled_out)));
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

Convolution* OneDnn::convolution(const ConvolutionShape& shape) {
  const auto [place, is_new] = cache_->convolutions.try_emplace(shape);
  auto& [convolution, ruled_out] = place->second;
  if (!is_new) return convolution.get();
  // With one channel, NCHW and NHWC are the same memory, but for NHWC oneDNN 2.6 may have only its reference loops.
  std::vector<Tag> x_tags = {Tag::nhwc};
  if (shape.i == 1) x_tags.insert(x_tags.begin(), Tag::nchw);
  for (const Tag x_tag : x_tags) {
    try {
      auto candidate = std::make_unique<OneDnnConvolution>(shape, x_tag, threads_, cache_->engine, cache_->stream);
      if (ruled_out.empty()) ruled_out = candidate->ruled_out();
      if (candidate->implementation().empty()) continue;
      convolution = std::move(candidate);
      break;
    } catch (const dnnl::error& error) {
      // "Unimplemented" is expected; other errors, such as out of memory, are not.
      if (error.status != dnnl_unimplemented) fail("oneDNN cannot build ", shape.to_string(), ": ", error.what());
    }
  }
  return convolution.get();
}

namespace {

/// Calls product() with `threads` threads, or with one inside a parallel region.
template <class Product>
void multiply(int threads, std::int64_t m, std::int64_t n, std::int64_t k, Product&& product) {
  const SignalsBlocked signals;
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
