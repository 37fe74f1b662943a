#pragma once

#include <memory>
#include <utility>

#include "runtime/core/backend.h"

namespace graft::cuda {

/// A kernel that is a function of its arguments.
template <typename Run>
class Launched final : public Kernel {
 public:
  Launched(size_t scratch_bytes, Run run) : scratch_bytes_(scratch_bytes), run_(std::move(run)) {}
  size_t scratch_bytes() const override { return scratch_bytes_; }
  void run(const KernelArguments& arguments) override { run_(arguments); }

 private:
  size_t scratch_bytes_;
  Run run_;
};

template <typename Run>
std::unique_ptr<Kernel> launched(Run run, size_t scratch_bytes = 0) {
  return std::make_unique<Launched<Run>>(scratch_bytes, std::move(run));
}

}  // namespace graft::cuda
