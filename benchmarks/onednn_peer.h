#pragma once
/// Bare oneDNN primitives beside our operations: what operation_speed measures them against.

#include <minception/benchmarks/timing.h>
#include <minception/kernels/operations.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace minception {

/// Role and elements, in the order of memory without gaps. Several of one role follow each other as in for_each_operand.
using PeerResults = std::vector<std::pair<std::string, std::vector<float>>>;

/// The primitive, or the few, that do the work of one operation, on dense memory of their own that is laid out and filled
/// beforehand: weights in whatever layout the primitive likes best, nothing reordered, added or masked around it. So it is
/// what the operation cannot fall below while it leaves the work to oneDNN, and more than a caller who starts from plain
/// weights gets.
class OneDnnPeer {
 public:
  virtual ~OneDnnPeer() = default;

  virtual void run() = 0;
  /// Of what the operation writes, that which the primitive writes too.
  virtual PeerResults results() const = 0;
  /// "jit:avx512_core", as oneDNN names it.
  virtual std::string implementation() const = 0;
};

/// "" if oneDNN has a primitive for this operation with these attributes; else why not, in one line.
std::string why_no_onednn_peer(const Operation& operation);

/// The primitive for an operation described in f32, where why_no_onednn_peer says "". Tensors in the compute dtype become
/// `storage`. Throws Error where oneDNN answers that it has no implementation.
std::unique_ptr<OneDnnPeer> make_onednn_peer(const Operation& operation, DType storage, const OperandValues& values,
                                             int threads);

/// Its two parts: convolutions and groups of them (nullptr for others), and everything else. Primitives of the second are
/// run by as many threads as OpenMP would start at the time.
std::unique_ptr<OneDnnPeer> make_onednn_convolution(const Operation& operation, DType storage,
                                                    const OperandValues& values, int threads);
std::unique_ptr<OneDnnPeer> make_onednn_primitive(const Operation& operation, DType storage,
                                                  const OperandValues& values);

}  // namespace minception
