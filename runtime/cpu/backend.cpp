#include "runtime/backend.h"

#include <omp.h>

#include "runtime/cpu/kernel_table.h"
#include "runtime/base/error.h"

namespace graft {
namespace {

class CpuBackend final : public Backend {
 public:
  CpuBackend() {
    cpu::register_batch_norm(table_);
    cpu::register_binary(table_);
    cpu::register_comparison(table_);
    cpu::register_convolution(table_);
    cpu::register_dropout(table_);
    cpu::register_gemm(table_);
    cpu::register_lrn(table_);
    cpu::register_movement(table_);
    cpu::register_normalise(table_);
    cpu::register_pixel_rows(table_);
    cpu::register_pool(table_);
    cpu::register_prelu(table_);
    cpu::register_quantise(table_);
    cpu::register_rearrange(table_);
    cpu::register_reduce(table_);
    cpu::register_resize(table_);
    cpu::register_selection(table_);
    cpu::register_softmax(table_);
    cpu::register_unary(table_);
  }
  std::string_view name() const override { return "cpu"; }
  void use_threads(int threads) const override { omp_set_num_threads(threads > 0 ? threads : omp_get_num_procs()); }
  std::unique_ptr<Kernel> make_kernel(const KernelRequest& request) const override {
    const auto* factory = table_.find(request.op);
    if (!factory) throw Error("operator " + std::string(request.op.type()) + " has no kernel on the processor");
    return (*factory)(request);
  }

 private:
  cpu::KernelTable table_;
};

}  // namespace

const Backend& cpu_backend() {
  static const CpuBackend backend;
  return backend;
}

}  // namespace graft
