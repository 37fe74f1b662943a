#include "runtime/ops/gather_nd.h"

#include <algorithm>

#include "runtime/core/error.h"
#include "runtime/cpu/copy_kernel.h"
#include "runtime/cpu/indexed_slices.h"
#include "runtime/cpu/kernel_table.h"
#include "runtime/cpu/row_layout.h"

namespace graft::cpu {
namespace {

Strides strides_from(const Operand& o, size_t first) {
  return {o.strides.begin() + static_cast<int64_t>(first), o.strides.end()};
}

/// Where the slice of each index lies in the result: all dimensions of the indices but their last.
RowLayout slices(const Operand& y, const Shape& indices) {
  return {y.shape, y.strides, from_dimension(y.shape.rank(), indices.rank() - 1)};
}

std::unique_ptr<Kernel> make_gather(const GatherND& op, const KernelRequest& r) {
  const Operand &x = r.inputs[0], &y = r.outputs[0];
  if (!r.inputs[1].constant) return make_slice_gather(x, r.inputs[1], y, op.batch_dims);
  const Tensor& indices = *r.inputs[1].constant;
  const std::vector<int64_t> from = op.starts(x.shape, x.strides, indices);
  const std::vector<int64_t> to = slices(y, indices.shape()).starts;
  const size_t bytes = size_of(x.dtype), first = op.named(indices.shape());
  const Shape slice(std::vector<int64_t>(x.shape.begin() + static_cast<int64_t>(first), x.shape.end()));
  const StridedCopy copy(bytes, slice, strides_from(x, first), strides_from(y, indices.shape().size() - 1));
  const auto width = static_cast<int64_t>(bytes);
  std::vector<Piece> pieces;
  for (size_t i = 0; i < from.size(); ++i) pieces.push_back({0, from[i] * width, to[i] * width, copy});
  return std::make_unique<CopyKernel>(std::move(pieces), y.shape.elements(), bytes);
}

/// Slices taken several times add up, so they come one after the other.
class GatherNDGradientKernel final : public Kernel {
 public:
  GatherNDGradientKernel(const GatherNDGradient& op, const KernelRequest& r)
      : elements_(r.outputs[0].shape.elements()),
        from_(slices(r.inputs[0], r.inputs[1].shape)),
        to_starts_(op.forward.starts(r.outputs[0].shape, r.outputs[0].strides, *r.inputs[1].constant)),
        to_(r.outputs[0].shape, r.outputs[0].strides,
            from_dimension(r.outputs[0].shape.rank(), static_cast<int64_t>(op.forward.named(r.inputs[1].shape)))) {}
  void run(const KernelArguments& a) override {
    const auto* dy = static_cast<const float*>(a.inputs[0]);
    auto* dx = static_cast<float*>(a.outputs[0]);
    std::fill_n(dx, elements_, 0.0f);
    for (size_t i = 0; i < to_starts_.size(); ++i)
      for (size_t e = 0; e < to_.elements.size(); ++e)
        dx[to_starts_[i] + to_.elements[e]] += dy[from_.starts[i] + from_.elements[e]];
  }

 private:
  int64_t elements_;
  RowLayout from_;
  std::vector<int64_t> to_starts_;
  RowLayout to_;
};

std::unique_ptr<Kernel> make_gradient(const GatherNDGradient& op, const KernelRequest& r) {
  if (r.inputs[0].dtype != DType::f32) throw Error("the gradient of GatherND needs float32");
  if (!r.inputs[1].constant) return make_slice_add(r.inputs[0], r.inputs[1], r.outputs[0], op.forward.batch_dims);
  return std::make_unique<GatherNDGradientKernel>(op, r);
}

}  // namespace

void register_gather_nd(KernelTable& table) {
  table.add<GatherND>(make_gather);
  table.add<GatherNDGradient>(make_gradient);
}

}  // namespace graft::cpu
