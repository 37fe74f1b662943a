#include "runtime/ops/trilu.h"

#include "runtime/core/parallel.h"
#include "runtime/cpu/kernel_table.h"
#include "runtime/cpu/row_layout.h"
#include "runtime/cpu/walk.h"

namespace graft::cpu {
namespace {

/// Matrices as rows of all their elements.
RowLayout matrices(const Operand& o) {
  return {o.shape, o.strides, from_dimension(o.shape.rank(), o.shape.rank() - 2)};
}

template <typename T>
class TriluKernel final : public Kernel {
 public:
  TriluKernel(const Trilu& op, const KernelRequest& r) : x_(matrices(r.inputs[0])), y_(matrices(r.outputs[0])) {
    const int64_t k = Trilu::diagonal(types_of(r.inputs));
    const Shape& shape = r.inputs[0].shape;
    kept_.reserve(x_.elements.size());
    for (int64_t i = 0; i < shape.end()[-2]; ++i)
      for (int64_t j = 0; j < shape.back(); ++j) kept_.push_back(op.upper ? j - i >= k : j - i <= k);
  }
  void run(const KernelArguments& a) override {
    const auto* x = static_cast<const T*>(a.inputs[0]);
    auto* y = static_cast<T*>(a.outputs[0]);
    parallel_for(x_.rows(), 1, [&](int64_t first, int64_t last) {
      for (auto m = static_cast<size_t>(first); m < static_cast<size_t>(last); ++m)
        for (size_t i = 0; i < kept_.size(); ++i)
          y[y_.starts[m] + y_.elements[i]] = kept_[i] ? x[x_.starts[m] + x_.elements[i]] : T{};
    });
  }

 private:
  RowLayout x_, y_;
  std::vector<bool> kept_;
};

std::unique_ptr<Kernel> make(const Trilu& op, const KernelRequest& r) {
  std::unique_ptr<Kernel> kernel;
  visit_elements(r.inputs[0].dtype, [&](auto tag) { kernel = std::make_unique<TriluKernel<decltype(tag)>>(op, r); });
  return kernel;
}

}  // namespace

void register_trilu(KernelTable& table) { table.add<Trilu>(make); }

}  // namespace graft::cpu
