#include "runtime/ops/comparison_formulas.h"

#include <cmath>

#include "runtime/cpu/kernel_table.h"
#include "runtime/cpu/walk.h"
#include "runtime/ops/broadcast.h"

namespace graft::cpu {
namespace {

template <typename T>
class ComparisonKernel final : public Kernel {
 public:
  ComparisonKernel(const Comparison& op, const KernelRequest& r)
      : kind_(op.kind),
        walk_(r.outputs[0].shape,
              {r.outputs[0].strides, broadcast_strides(r.inputs[0].shape, r.inputs[0].strides, r.outputs[0].shape),
               broadcast_strides(r.inputs[1].shape, r.inputs[1].strides, r.outputs[0].shape)}) {}
  void run(const KernelArguments& args) override {
    const T *a = static_cast<const T*>(args.inputs[0]), *b = static_cast<const T*>(args.inputs[1]);
    bool* y = static_cast<bool*>(args.outputs[0]);
    walk_.run_parallel(0, kGrain, [&](const auto& at, int64_t n, const auto& step) {
      for (int64_t i = 0; i < n; ++i)
        y[at[0] + i * step[0]] = holds(kind_, a[at[1] + i * step[1]], b[at[2] + i * step[2]]);
    });
  }

 private:
  Comparison::Kind kind_;
  Walk<3> walk_;
};

template <typename T>
class PredicateKernel final : public Kernel {
 public:
  PredicateKernel(const Predicate& op, const KernelRequest& r)
      : op_(op), walk_(r.outputs[0].shape, {r.outputs[0].strides, r.inputs[0].strides}) {}
  void run(const KernelArguments& args) override {
    const T* x = static_cast<const T*>(args.inputs[0]);
    bool* y = static_cast<bool*>(args.outputs[0]);
    walk_.run_parallel(0, kGrain, [&](const auto& at, int64_t n, const auto& step) {
      for (int64_t i = 0; i < n; ++i) y[at[0] + i * step[0]] = answer(x[at[1] + i * step[1]]);
    });
  }

 private:
  bool answer(T v) const {
    if (op_.kind == Predicate::Kind::logical_not) return !v;
    if constexpr (std::is_floating_point_v<T>) {
      if (op_.kind == Predicate::Kind::is_nan) return std::isnan(v);
      return std::isinf(v) && (v > 0 ? op_.positive : op_.negative);
    }
    return false;
  }
  Predicate op_;
  Walk<2> walk_;
};

template <typename T>
class WhereKernel final : public Kernel {
 public:
  explicit WhereKernel(const KernelRequest& r)
      : walk_(r.outputs[0].shape,
              {r.outputs[0].strides, broadcast_strides(r.inputs[0].shape, r.inputs[0].strides, r.outputs[0].shape),
               broadcast_strides(r.inputs[1].shape, r.inputs[1].strides, r.outputs[0].shape),
               broadcast_strides(r.inputs[2].shape, r.inputs[2].strides, r.outputs[0].shape)}) {}
  void run(const KernelArguments& args) override {
    const bool* condition = static_cast<const bool*>(args.inputs[0]);
    const T *a = static_cast<const T*>(args.inputs[1]), *b = static_cast<const T*>(args.inputs[2]);
    T* y = static_cast<T*>(args.outputs[0]);
    walk_.run_parallel(0, kGrain, [&](const auto& at, int64_t n, const auto& step) {
      for (int64_t i = 0; i < n; ++i)
        y[at[0] + i * step[0]] = condition[at[1] + i * step[1]] ? a[at[2] + i * step[2]] : b[at[3] + i * step[3]];
    });
  }

 private:
  Walk<4> walk_;
};

std::unique_ptr<Kernel> make_comparison_kernel(const Comparison& op, const KernelRequest& r) {
  std::unique_ptr<Kernel> kernel;
  visit_elements(r.inputs[0].dtype,
                 [&](auto tag) { kernel = std::make_unique<ComparisonKernel<decltype(tag)>>(op, r); });
  return kernel;
}

std::unique_ptr<Kernel> make_predicate(const Predicate& op, const KernelRequest& r) {
  std::unique_ptr<Kernel> kernel;
  visit_elements(r.inputs[0].dtype,
                 [&](auto tag) { kernel = std::make_unique<PredicateKernel<decltype(tag)>>(op, r); });
  return kernel;
}

std::unique_ptr<Kernel> make_where(const Where&, const KernelRequest& r) {
  std::unique_ptr<Kernel> kernel;
  visit_elements(r.outputs[0].dtype, [&](auto tag) { kernel = std::make_unique<WhereKernel<decltype(tag)>>(r); });
  return kernel;
}

}  // namespace

void register_comparison(KernelTable& table) {
  table.add<Comparison>(make_comparison_kernel);
  table.add<Predicate>(make_predicate);
  table.add<Where>(make_where);
}

}  // namespace graft::cpu
