#pragma once
/// A backend that passes every operation to a function.

#include "kernels/backend.h"

#include <functional>
#include <memory>
#include <utility>

namespace minception {

class ForwardingBackend final : public Backend {
 public:
  using CarryOut = std::function<void(const Operation&, Backend& inner)>;

  ForwardingBackend(std::unique_ptr<Backend> inner, CarryOut carry_out)
      : inner_(std::move(inner)), carry_out_(std::move(carry_out)) {}

  std::string_view name() const override { return inner_->name(); }
  std::string description() const override { return inner_->description(); }
  Device device() const override { return inner_->device(); }
  Buffer allocate(std::size_t bytes) override { return inner_->allocate(bytes); }
  std::size_t available_memory() const override { return inner_->available_memory(); }
  void copy_to_device(void* device, const void* host, std::size_t bytes) override {
    inner_->copy_to_device(device, host, bytes);
  }
  void copy_to_host(void* host, const void* device, std::size_t bytes) override {
    inner_->copy_to_host(host, device, bytes);
  }
  void fill_zero(void* device, std::size_t bytes) override { inner_->fill_zero(device, bytes); }
  void synchronize() override { inner_->synchronize(); }

#define MINCEPTION_FORWARD(Struct, name) \
  void name(const Struct& op, Workspace) override { carry_out_(op, *inner_); }
  MINCEPTION_OPERATIONS(MINCEPTION_FORWARD)
#undef MINCEPTION_FORWARD

 private:
  std::unique_ptr<Backend> inner_;
  CarryOut carry_out_;
};

}  // namespace minception
