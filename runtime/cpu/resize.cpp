#include "runtime/ops/resize.h"

#include <algorithm>

#include "runtime/core/parallel.h"
#include "runtime/core/strided_copy.h"
#include "runtime/cpu/kernel_table.h"
#include "runtime/cpu/onednn.h"
#include "runtime/cpu/vector/vector.h"

namespace graft::cpu {
namespace {

/// One dimension after the other, through row-major copies seen as before × extent × after. Forward gathers the taps;
/// backward scatters along the same taps, dimensions in reverse.
class ResizeKernel final : public Kernel {
 public:
  ResizeKernel(const Resize& op, const Operand& x, const Operand& y, bool backward)
      : backward_(backward),
        taps_(op.taps(x.shape)),
        load_(size_of(DType::f32), side(x, y, backward).shape, side(x, y, backward).strides,
              plain_strides(side(x, y, backward).shape)),
        store_(size_of(DType::f32), side(y, x, backward).shape, plain_strides(side(y, x, backward).shape),
               side(y, x, backward).strides) {
    Shape shape = x.shape;
    largest_ = std::max(x.shape.elements(), y.shape.elements());
    for (size_t d = 0; d < shape.size(); ++d) {
      if (taps_[d].of.empty()) continue;
      Step step{d, 1, shape[d], y.shape[d], 1};
      for (size_t i = 0; i < d; ++i) step.before *= shape[i];
      for (size_t i = d + 1; i < shape.size(); ++i) step.after *= shape[i];
      shape[d] = y.shape[d];
      largest_ = std::max(largest_, shape.elements());
      steps_.push_back(step);
    }
    if (backward) std::reverse(steps_.begin(), steps_.end());
  }
  size_t scratch_bytes() const override { return static_cast<size_t>(2 * largest_) * sizeof(float); }
  void run(const KernelArguments& a) override {
    auto *from = static_cast<float*>(a.scratch), *to = from + largest_;
    load_.run(a.inputs[0], from);
    for (const Step& step : steps_) {
      if (backward_)
        scatter(step, from, to);
      else
        gather(step, from, to);
      std::swap(from, to);
    }
    store_.run(from, a.outputs[0]);
  }

 private:
  struct Step {
    size_t dimension;
    int64_t before, extent, result, after;
  };
  static const Operand& side(const Operand& forward, const Operand& backward, bool is_backward) {
    return is_backward ? backward : forward;
  }

  void gather(const Step& s, const float* from, float* to) const {
    const Resize::Taps& taps = taps_[s.dimension];
    parallel_for(s.before, 1, [&](int64_t first, int64_t last) {
      for (int64_t b = first; b < last; ++b)
        for (int64_t i = 0; i < s.result; ++i) {
          float* row = to + (b * s.result + i) * s.after;
          std::fill_n(row, s.after, taps.constant[static_cast<size_t>(i)]);
          for (const auto& [index, weight] : taps.of[static_cast<size_t>(i)])
            vector_loops().add_scaled(s.after, from + (b * s.extent + index) * s.after, weight, row);
        }
    });
  }

  void scatter(const Step& s, const float* from, float* to) const {
    const Resize::Taps& taps = taps_[s.dimension];
    parallel_for(s.before, 1, [&](int64_t first, int64_t last) {
      std::fill_n(to + first * s.extent * s.after, (last - first) * s.extent * s.after, 0.0f);
      for (int64_t b = first; b < last; ++b)
        for (int64_t i = 0; i < s.result; ++i)
          for (const auto& [index, weight] : taps.of[static_cast<size_t>(i)]) {
            vector_loops().add_scaled(s.after, from + (b * s.result + i) * s.after, weight,
                                      to + (b * s.extent + index) * s.after);
          }
    });
  }

  bool backward_;
  std::vector<Resize::Taps> taps_;
  StridedCopy load_, store_;
  int64_t largest_ = 0;
  std::vector<Step> steps_;
};

std::unique_ptr<Kernel> make_resize(const Resize& op, const KernelRequest& r) {
  require_f32(r.inputs[0]);  // the second one, sizes, is part of the resolved form
  return std::make_unique<ResizeKernel>(op, r.inputs[0], r.outputs[0], false);
}

std::unique_ptr<Kernel> make_resize_gradient(const ResizeGradient& op, const KernelRequest& r) {
  require_f32(r);
  return std::make_unique<ResizeKernel>(op.forward, r.outputs[0], r.inputs[0], true);
}

}  // namespace

void register_resize(KernelTable& table) {
  table.add<Resize>(make_resize);
  table.add<ResizeGradient>(make_resize_gradient);
}

}  // namespace graft::cpu
