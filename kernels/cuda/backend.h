#pragma once
/// The cuda backend: our kernels, on a GPU or emulated on the CPU (simt/). Each operation is in the .cu file of its
/// name.

#include "kernels/backend.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct CUstream_st;

namespace minception {

namespace cuda {
class Staging;
}

/// One stream of one GPU. Used by one thread at a time.
class CudaBackend : public Backend {
 public:
  explicit CudaBackend(const CudaOptions& options = {});
  ~CudaBackend() override;

  std::string_view name() const override { return "cuda"; }
  std::string description() const override;
  Device device() const override;
  const CudaOptions& options() const { return options_; }

  Buffer allocate(std::size_t bytes) override;
  std::size_t available_memory() const override;
  void copy_to_device(void* device, const void* host, std::size_t bytes) override;
  void copy_to_host(void* host, const void* device, std::size_t bytes) override;
  void fill_zero(void* device, std::size_t bytes) override;
  void upload(void* device, const void* host, std::size_t bytes) override;
  void reserve_upload(std::size_t bytes) override;
  void synchronize() override;
  std::unique_ptr<CapturedGraph> capture(const std::function<void()>& work) override;
  std::vector<OperationTime> run_timed(std::span<const Operation> operations,
                                       std::span<const Workspace> workspaces) override;
  void begin_range(const char* name) override;
  void end_range() override;

  MINCEPTION_OPERATIONS(MINCEPTION_OVERRIDE_OPERATION)

 protected:
  Requirements requirements(const Operation& operation) override;
  CUstream_st* stream() const { return stream_; }

 private:
  // Workspace requirements, each defined in its operation's file. Operations without any use the template.
  Requirements needs(const Conv2dBackwardWeights&);
  Requirements needs(const Conv2dFused1x1BackwardWeights&);
  Requirements needs(const LinearBackwardWeights&);
  Requirements needs(const BatchNormForwardTraining&);
  Requirements needs(const BatchNormBackward&);
  Requirements needs(const SoftmaxCrossEntropy&);
  Requirements needs(const ClipCoefficient&);
  Requirements needs(const GroupNorms&);
  template <class Other>
  Requirements needs(const Other&) {
    return {};
  }

  CudaOptions options_;
  CUstream_st* stream_ = nullptr;
  std::unique_ptr<cuda::Staging> staging_;
};

}  // namespace minception
