#include "runtime/core/backend.h"

#include <omp.h>

#include "runtime/core/error.h"
#include "runtime/cpu/cpu_backend.h"
#include "runtime/cpu/kernel_table.h"

namespace graft {
namespace {

class CpuBackend final : public Backend {
 public:
  CpuBackend() {
#define GRAFT_REGISTER(name) cpu::register_##name(table_);
    GRAFT_KERNEL_FILES(GRAFT_REGISTER)
#undef GRAFT_REGISTER
  }
  std::string_view name() const override { return "cpu"; }
  void use_threads(int threads) const override { omp_set_num_threads(threads > 0 ? threads : omp_get_num_procs()); }
  std::unique_ptr<Kernel> make_kernel(const KernelRequest& request) const override {
    const auto* factory = table_.find(request.op);
    if (!factory)
      throw Error("operator " + std::string(request.op.type()) + " has no kernel on the processor", {},
                  ErrorCode::unsupported);
    return (*factory)(request);
  }

 private:
  KernelTable table_;
};

}  // namespace

const Backend& cpu_backend() {
  static const CpuBackend backend;
  return backend;
}

}  // namespace graft
