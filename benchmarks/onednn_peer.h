#pragma once
/// Bare oneDNN primitives that operation_speed compares our operations with.

#include "benchmarks/timing.h"
#include "kernels/operations.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace minception {

/// Role and dense elements of each result. Results of the same role are in the order of for_each_operand.
using PeerResults = std::vector<std::pair<std::string, std::vector<float>>>;

/// The primitive, or few primitives, that compute one operation, on their own dense memory that is laid out and filled
/// beforehand. Weights are in the primitive's preferred layout; reorders, additions and masks are excluded. This is a
/// lower bound on the time of our operation on oneDNN, and faster than what a caller with plain weights would get.
class OneDnnPeer {
 public:
  virtual ~OneDnnPeer() = default;

  virtual void run() = 0;
  /// Those results of the operation that the primitive also computes.
  virtual PeerResults results() const = 0;
  /// oneDNN's name of the implementation, such as "jit:avx512_core".
  virtual std::string implementation() const = 0;
};

/// "" if oneDNN has a primitive for this operation with these attributes; otherwise the reason, in one line.
std::string why_no_onednn_peer(const Operation& operation);

/// Makes the primitive for an operation described in f32. Requires why_no_onednn_peer to be "". Tensors in the compute
/// dtype become `storage`. Throws Error if oneDNN has no implementation.
std::unique_ptr<OneDnnPeer> make_onednn_peer(const Operation& operation, DType storage, const OperandValues& values,
                                             int threads);

/// The two parts of make_onednn_peer: convolutions and fused 1x1 convolutions (nullptr for other operations), and all
/// other operations. The latter run on as many threads as OpenMP would start at the time.
std::unique_ptr<OneDnnPeer> make_onednn_convolution(const Operation& operation, DType storage,
                                                    const OperandValues& values, int threads);
std::unique_ptr<OneDnnPeer> make_onednn_primitive(const Operation& operation, DType storage,
                                                  const OperandValues& values);

}  // namespace minception
