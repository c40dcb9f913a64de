#pragma once
/// Faulty implementations in oneDNN: wrong results or out-of-bounds accesses for certain convolutions. They are not
/// used: OneDnn::convolution takes oneDNN's next implementation, or matrix products replace it. Every fault has cases
/// in tests/cases/conv2d.h ("oneDNN fault: ..."), which fail without its entry here.

#include "kernels/cpu/onednn.h"

#include <string_view>

namespace minception::cpu {

/// A version of oneDNN as one number: 2.6 is 206.
constexpr int onednn_version(int major, int minor) { return 100 * major + minor; }

struct KnownFault {
  std::string_view implementation;  ///< prefix of oneDNN's name for it
  int fixed_in;                     ///< the first onednn_version without the fault, or 0 if unknown
  bool (*affects)(const ConvolutionShape&);
};

/// oneDNN's 1x1 kernels gather the pixels of a strided convolution first if the stride divides the image. Divisibility
/// is not checked here.
inline bool gathers_pixels(const ConvolutionShape& s) {
  return s.kh == 1 && s.kw == 1 && (s.stride_h > 1 || s.stride_w > 1);
}

/// With a stride larger than the filter, some pixels do not contribute to any output.
inline bool leaves_out_pixels(const ConvolutionShape& s) { return s.stride_h > s.kh || s.stride_w > s.kw; }

inline bool leaves_out_padded_pixels(const ConvolutionShape& s) {
  return leaves_out_pixels(s) && (s.padding_h > 0 || s.padding_w > 0);
}

inline constexpr KnownFault kKnownFaults[] = {
    // 2.6.3, f32 and bf16: with fewer input channels than a vector (8 with AVX2, 16 with AVX-512) the weight gradient
    // gathers its pixels with a stride of a whole vector into a scratchpad sized for a stride of `i` channels and
    // writes past its end: wrong results or deadlock. In bf16 it also reads past the pixels. Smallest cases:
    // 1 -> 1 channels, 6x11 pixels, stride 2x1; bf16: 1x1 pixels, stride 1x2.
    {"jit_1x1:avx512", 0,
     [](const ConvolutionShape& s) { return s.pass == Pass::backward_weights && gathers_pixels(s) && s.i < 16; }},
    {"jit_1x1:", 0,
     [](const ConvolutionShape& s) { return s.pass == Pass::backward_weights && gathers_pixels(s) && s.i < 8; }},
    {"jit_bf16_1x1:", 0,
     [](const ConvolutionShape& s) { return s.pass == Pass::backward_weights && gathers_pixels(s); }},
    // 2.6.3: with an odd number of output channels, data gradients are wrong for some numbers of pixels (30, 59, 60,
    // 89, ...). Smallest case: 1 -> 1 channels, 1x30 pixels.
    {"jit_bf16_1x1:", 0, [](const ConvolutionShape& s) { return s.pass == Pass::backward_data && s.o % 2 != 0; }},
    // 2.6.3, bf16 with AMX: outputs differ from run to run by up to half of their norm. Smallest case found: 43 -> 60
    // channels, 27x7 pixels, 1x1, stride 3x3, padding 0x1.
    {"brgconv:avx512_core_amx", 0,
     [](const ConvolutionShape& s) { return s.pass == Pass::forward && leaves_out_padded_pixels(s); }},
    // 2.6.3, bf16 with and without AMX: weight gradients are NaN if the memory after the image holds NaN. Found with:
    // 2 -> 48 channels, 4x3 pixels, 1x3, stride 4x4, padding 0x1; 48 -> 61 channels, 22x2 pixels, 3x3, stride 4x4,
    // padding 1x1. Without AMX it reads past the image even without padding: 1 -> 1 channels, 1x1 pixels, stride 1x2.
    {"jit_bf16:", 0,
     [](const ConvolutionShape& s) { return s.pass == Pass::backward_weights && leaves_out_pixels(s); }},
    {"jit:avx512_core_amx", 0,
     [](const ConvolutionShape& s) { return s.pass == Pass::backward_weights && leaves_out_padded_pixels(s); }},
};

inline bool is_known_fault(int version, std::string_view implementation, const ConvolutionShape& shape) {
  for (const KnownFault& fault : kKnownFaults) {
    const bool present = fault.fixed_in == 0 || version < fault.fixed_in;
    if (present && implementation.substr(0, fault.implementation.size()) == fault.implementation &&
        fault.affects(shape)) {
      return true;
    }
  }
  return false;
}

}  // namespace minception::cpu
