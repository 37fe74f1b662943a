#include "runtime/ops/movement.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

#include "runtime/core/error.h"
#include "runtime/core/integer.h"
#include "runtime/core/parallel.h"
#include "runtime/core/strided_copy.h"
#include "runtime/cpu/copy_kernel.h"
#include "runtime/cpu/indexed_gather.h"
#include "runtime/cpu/kernel_table.h"
#include "runtime/cpu/onednn.h"
#include "runtime/cpu/row_layout.h"
#include "runtime/cpu/walk.h"
#include "runtime/ops/broadcast.h"
#include "runtime/ops/reshape.h"

namespace graft::cpu {
namespace {

/// A reshape that cannot be an alias: elements keep their logical order, so it goes through row-major order.
class ReshapeKernel final : public Kernel {
 public:
  explicit ReshapeKernel(const KernelRequest& r)
      : bytes_(static_cast<size_t>(r.inputs[0].shape.elements()) * size_of(r.inputs[0].dtype)),
        to_plain_(size_of(r.inputs[0].dtype), r.inputs[0].shape, r.inputs[0].strides, plain_strides(r.inputs[0].shape)),
        from_plain_(size_of(r.inputs[0].dtype), r.outputs[0].shape, plain_strides(r.outputs[0].shape),
                    r.outputs[0].strides),
        input_plain_(is_row_major(r.inputs[0].shape, r.inputs[0].strides)),
        output_plain_(is_row_major(r.outputs[0].shape, r.outputs[0].strides)) {}
  size_t scratch_bytes() const override { return input_plain_ || output_plain_ ? 0 : bytes_; }
  void run(const KernelArguments& a) override {
    if (output_plain_) return copy_in_parallel(to_plain_, a.inputs[0], a.outputs[0]);
    if (input_plain_) return copy_in_parallel(from_plain_, a.inputs[0], a.outputs[0]);
    copy_in_parallel(to_plain_, a.inputs[0], a.scratch);
    copy_in_parallel(from_plain_, a.scratch, a.outputs[0]);
  }

 private:
  size_t bytes_;
  StridedCopy to_plain_, from_plain_;
  bool input_plain_, output_plain_;
};

template <typename Op>
std::unique_ptr<Kernel> make_reshape(const Op&, const KernelRequest& r) {
  return std::make_unique<ReshapeKernel>(r);
}

std::unique_ptr<Kernel> make_transpose(const Transpose& op, const KernelRequest& r) {
  Strides from;
  for (size_t i : op.order(r.inputs[0].shape.rank())) from.push_back(r.inputs[0].strides[i]);
  return whole(r.inputs[0], r.outputs[0].shape, from, r.outputs[0]);
}

std::unique_ptr<Kernel> make_concat(const Concat& op, const KernelRequest& r) {
  const Operand& y = r.outputs[0];
  const auto axis = static_cast<size_t>(resolve_axis(op.axis, y.shape.rank()));
  const auto bytes = static_cast<int64_t>(size_of(y.dtype));
  std::vector<Piece> pieces;
  int64_t offset = 0;
  for (size_t i = 0; i < r.inputs.size(); ++i) {
    const Operand& x = r.inputs[i];
    pieces.push_back({i, 0, offset * y.strides[axis] * bytes,
                      StridedCopy(static_cast<size_t>(bytes), x.shape, x.strides, y.strides)});
    offset += x.shape[axis];
  }
  return std::make_unique<CopyKernel>(std::move(pieces), y.shape.elements(), static_cast<size_t>(bytes));
}

std::unique_ptr<Kernel> make_slice(const Slice& op, const KernelRequest& r) {
  const Operand &x = r.inputs[0], &y = r.outputs[0];
  const auto ranges = op.ranges(types_of(r.inputs));
  Strides from = x.strides;
  int64_t offset = 0;
  for (size_t i = 0; i < ranges.size(); ++i) {
    offset += ranges[i].start * x.strides[i];
    from[i] *= ranges[i].step;
  }
  const size_t bytes = size_of(x.dtype);
  std::vector<Piece> pieces{{0, offset * static_cast<int64_t>(bytes), 0, StridedCopy(bytes, y.shape, from, y.strides)}};
  return std::make_unique<CopyKernel>(std::move(pieces), y.shape.elements(), bytes);
}

std::vector<std::byte> zero_of(size_t bytes) { return std::vector<std::byte>(bytes, std::byte{0}); }

std::unique_ptr<Kernel> make_slice_gradient(const SliceGradient& op, const KernelRequest& r) {
  const Operand &dy = r.inputs[0], &dx = r.outputs[0];
  Strides to = dx.strides;
  int64_t offset = 0;
  for (size_t i = 0; i < op.ranges.size(); ++i) {
    offset += op.ranges[i].start * dx.strides[i];
    to[i] *= op.ranges[i].step;
  }
  const size_t bytes = size_of(dy.dtype);
  std::vector<Piece> pieces{{0, 0, offset * static_cast<int64_t>(bytes), StridedCopy(bytes, dy.shape, dy.strides, to)}};
  return std::make_unique<CopyKernel>(std::move(pieces), dx.shape.elements(), bytes, zero_of(bytes));
}

/// Modes that copy from inside the picture, one element at a time through tables of byte offsets. Dimensions are walked
/// in the order in which the result lies; all but the innermost are shared out between the threads.
class PadKernel final : public Kernel {
 public:
  PadKernel(const Pad& op, const std::vector<int64_t>& pads, const Operand& x, const Operand& y)
      : bytes_(size_of(x.dtype)) {
    std::vector<size_t> order(y.shape.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return y.strides[a] > y.strides[b]; });
    const auto bytes = static_cast<int64_t>(bytes_);
    for (const size_t d : order) {
      Dimension& dimension = dimensions_.emplace_back();
      dimension.step = y.strides[d] * bytes;
      for (int64_t i = 0; i < y.shape[d]; ++i)
        dimension.sources.push_back(op.source(i - pads[d], x.shape[d], pads[d], pads[d + y.shape.size()]) *
                                    x.strides[d] * bytes);
    }
    if (dimensions_.empty()) dimensions_.push_back({{0}, 0});
    for (size_t d = 0; d + 1 < dimensions_.size(); ++d) rows_ *= dimensions_[d].extent();
  }
  void run(const KernelArguments& a) override {
    const Dimension& inner = dimensions_.back();
    parallel_for(rows_, std::max<int64_t>(kCopyGrain / std::max<int64_t>(inner.extent(), 1), 1),
                 [&](int64_t first, int64_t last) {
                   for (int64_t row = first; row < last; ++row) {
                     const auto* from = static_cast<const std::byte*>(a.inputs[0]);
                     auto* to = static_cast<std::byte*>(a.outputs[0]);
                     int64_t rest = row;
                     for (size_t d = dimensions_.size() - 1; d-- > 0;) {
                       const Dimension& outer = dimensions_[d];
                       const int64_t i = rest % outer.extent();
                       rest /= outer.extent();
                       from += outer.sources[static_cast<size_t>(i)];
                       to += i * outer.step;
                     }
                     for (size_t i = 0; i < inner.sources.size(); ++i)
                       std::memcpy(to + static_cast<int64_t>(i) * inner.step, from + inner.sources[i], bytes_);
                   }
                 });
  }

 private:
  struct Dimension {
    std::vector<int64_t> sources;  // for each index of the result, where its source lies, in bytes
    int64_t step = 0;              // in the result, in bytes
    int64_t extent() const { return static_cast<int64_t>(sources.size()); }
  };
  size_t bytes_;
  std::vector<Dimension> dimensions_;
  int64_t rows_ = 1;
};

std::unique_ptr<Kernel> make_pad(const Pad& op, const KernelRequest& r) {
  const Operand &x = r.inputs[0], &y = r.outputs[0];
  const auto pads = op.resolved_pads(types_of(r.inputs));
  if (op.mode != Pad::Mode::constant) return std::make_unique<PadKernel>(op, pads, x, y);
  const auto bytes = static_cast<int64_t>(size_of(x.dtype));
  Shape kept = x.shape;
  int64_t from = 0, to = 0;
  for (size_t d = 0; d < kept.size(); ++d) {
    const int64_t before = pads[d], after = pads[d + kept.size()];
    kept[d] += std::min<int64_t>(before, 0) + std::min<int64_t>(after, 0);
    from += std::max<int64_t>(-before, 0) * x.strides[d] * bytes;
    to += std::max<int64_t>(before, 0) * y.strides[d] * bytes;
  }
  std::vector<std::byte> fill = zero_of(static_cast<size_t>(bytes));
  if (r.inputs.size() > 2 && r.inputs[2].present) {
    if (!r.inputs[2].constant) throw Error("the padding value depends on the data");
    if (r.inputs[2].constant->elements() > 0) std::memcpy(fill.data(), r.inputs[2].constant->raw(), fill.size());
  } else if (op.fill != 0) {
    const Tensor value = cast(Tensor::of<float>({1}, {op.fill}), x.dtype);
    std::memcpy(fill.data(), value.raw(), fill.size());
  }
  std::vector<Piece> pieces{{0, from, to, StridedCopy(static_cast<size_t>(bytes), kept, x.strides, y.strides)}};
  return std::make_unique<CopyKernel>(std::move(pieces), y.shape.elements(), static_cast<size_t>(bytes), fill);
}

/// Of Gather, for indices that depend on the data. `result` has the dimensions of the indices in place of the axis.
IndexedElements indexed_by_data(const Operand& result, const Operand& indices, const Operand& data, int64_t axis) {
  const auto along = static_cast<size_t>(resolve_axis(axis, data.shape.rank()));
  const size_t rank = indices.shape.size();
  Strides by_index(result.shape.size(), 0), beside(result.shape.size(), 0);
  for (size_t d = 0; d < result.shape.size(); ++d) {
    if (d >= along && d < along + rank)
      by_index[d] = indices.strides[d - along];
    else
      beside[d] = data.strides[d < along ? d : d - rank + 1];
  }
  return {result.shape, result.strides, by_index, beside, indices.dtype, data.shape[along], data.strides[along]};
}

std::unique_ptr<Kernel> make_gather(const Gather& op, const KernelRequest& r) {
  const Operand &x = r.inputs[0], &indices = r.inputs[1], &y = r.outputs[0];
  if (!indices.constant) return make_indexed_gather(indexed_by_data(y, indices, x, op.axis), x.dtype);
  const auto axis = static_cast<size_t>(resolve_axis(op.axis, x.shape.rank()));
  const auto bytes = static_cast<int64_t>(size_of(x.dtype));
  Shape slab = x.shape;
  slab.erase(slab.begin() + static_cast<int64_t>(axis));
  Strides from = x.strides, to = y.strides;
  from.erase(from.begin() + static_cast<int64_t>(axis));
  const auto index_rank = static_cast<size_t>(indices.shape.rank());
  const Strides index_to(to.begin() + static_cast<int64_t>(axis), to.begin() + static_cast<int64_t>(axis + index_rank));
  to.erase(to.begin() + static_cast<int64_t>(axis), to.begin() + static_cast<int64_t>(axis + index_rank));
  const StridedCopy copy(static_cast<size_t>(bytes), slab, from, to);
  std::vector<Piece> pieces;
  const auto list = to_int64s(*indices.constant);
  for (size_t i = 0; i < list.size(); ++i) {
    int64_t offset = 0, rest = static_cast<int64_t>(i);
    for (size_t d = index_rank; d-- > 0;) {
      offset += rest % indices.shape[d] * index_to[d];
      rest /= indices.shape[d];
    }
    const int64_t index = resolve_index(list[i], x.shape[axis]);
    pieces.push_back({0, index * x.strides[axis] * bytes, offset * bytes, copy});
  }
  return std::make_unique<CopyKernel>(std::move(pieces), y.shape.elements(), static_cast<size_t>(bytes));
}

/// Slices taken several times add up, so they come one after the other.
class GatherGradientKernel final : public Kernel {
 public:
  GatherGradientKernel(const GatherGradient& op, const KernelRequest& r) : elements_(r.outputs[0].shape.elements()) {
    const Operand &dy = r.inputs[0], &indices = r.inputs[1], &dx = r.outputs[0];
    const auto axis = static_cast<size_t>(resolve_axis(op.axis, dx.shape.rank()));
    const RowLayout from(dy.shape, dy.strides,
                         range(dy.shape.size(), axis, axis + static_cast<size_t>(indices.shape.rank())));
    const RowLayout to(dx.shape, dx.strides, range(dx.shape.size(), axis, axis + 1));
    const auto list = to_int64s(*indices.constant);
    for (size_t row = 0; row < from.starts.size(); ++row)
      for (size_t i = 0; i < list.size(); ++i) {
        const int64_t index = list[i] < 0 ? list[i] + dx.shape[axis] : list[i];
        moves_.push_back(
            {from.starts[row] + from.elements[i], to.starts[row] + to.elements[static_cast<size_t>(index)]});
      }
  }
  void run(const KernelArguments& a) override {
    const auto* dy = static_cast<const float*>(a.inputs[0]);
    auto* dx = static_cast<float*>(a.outputs[0]);
    std::fill_n(dx, elements_, 0.0f);
    for (const auto& [from, to] : moves_) dx[to] += dy[from];
  }

 private:
  static std::vector<bool> range(size_t rank, size_t first, size_t last) {
    std::vector<bool> inner(rank, false);
    for (size_t i = first; i < last; ++i) inner[i] = true;
    return inner;
  }
  int64_t elements_;
  std::vector<std::pair<int64_t, int64_t>> moves_;
};

std::unique_ptr<Kernel> make_gather_gradient(const GatherGradient& op, const KernelRequest& r) {
  if (r.inputs[0].dtype != DType::f32) throw Error("the gradient of Gather needs float32");
  if (!r.inputs[1].constant)
    return make_indexed_add(indexed_by_data(r.inputs[0], r.inputs[1], r.outputs[0], op.axis),
                            r.outputs[0].shape.elements());
  return std::make_unique<GatherGradientKernel>(op, r);
}

std::unique_ptr<Kernel> make_expand(const Expand&, const KernelRequest& r) {
  const Operand &x = r.inputs[0], &y = r.outputs[0];
  return whole(x, y.shape, broadcast_strides(x.shape, x.strides, y.shape), y);
}

class CastKernel final : public Kernel {
 public:
  explicit CastKernel(const KernelRequest& r)
      : from_(r.inputs[0].dtype), to_(r.outputs[0].dtype), elements_(r.inputs[0].shape.elements()) {
    if (r.inputs[0].strides != r.outputs[0].strides) throw Error("Cast needs one layout");
  }
  void run(const KernelArguments& a) override {
    const auto* from = static_cast<const std::byte*>(a.inputs[0]);
    auto* to = static_cast<std::byte*>(a.outputs[0]);
    parallel_for(elements_, 1 << 14, [&](int64_t first, int64_t last) {
      const auto at = static_cast<size_t>(first);
      cast_elements(from_, from + at * size_of(from_), to_, to + at * size_of(to_), last - first);
    });
  }

 private:
  DType from_, to_;
  int64_t elements_;
};

std::unique_ptr<Kernel> make_cast(const Cast&, const KernelRequest& r) { return std::make_unique<CastKernel>(r); }

std::unique_ptr<Kernel> make_constant_of_shape(const ConstantOfShape& op, const KernelRequest& r) {
  const size_t bytes = size_of(r.outputs[0].dtype);
  std::vector<std::byte> fill = zero_of(bytes);
  if (op.fill) std::memcpy(fill.data(), op.fill->raw(), bytes);
  return std::make_unique<CopyKernel>(std::vector<Piece>{}, r.outputs[0].shape.elements(), bytes, fill);
}

template <typename T>
class RangeKernel final : public Kernel {
 public:
  explicit RangeKernel(int64_t count) : count_(count) {}
  void run(const KernelArguments& a) override {
    const T first = *static_cast<const T*>(a.inputs[0]), step = *static_cast<const T*>(a.inputs[2]);
    for (int64_t i = 0; i < count_; ++i) {
      T& y = static_cast<T*>(a.outputs[0])[i];
      if constexpr (std::is_integral_v<T>)
        y = wrapping_add(first, wrapping_multiply(static_cast<T>(i), step));
      else
        y = first + static_cast<T>(i) * step;
    }
  }

 private:
  int64_t count_;
};

std::unique_ptr<Kernel> make_range(const Range&, const KernelRequest& r) {
  std::unique_ptr<Kernel> kernel;
  visit_arithmetic(r.outputs[0].dtype, [&](auto tag) {
    kernel = std::make_unique<RangeKernel<decltype(tag)>>(r.outputs[0].shape.elements());
  });
  return kernel;
}

}  // namespace

void register_movement(KernelTable& table) {
  table.add<Transpose>(make_transpose);
  table.add<Concat>(make_concat);
  table.add<Slice>(make_slice);
  table.add<SliceGradient>(make_slice_gradient);
  table.add<Pad>(make_pad);
  table.add<Gather>(make_gather);
  table.add<GatherGradient>(make_gather_gradient);
  table.add<Expand>(make_expand);
  table.add<Cast>(make_cast);
  table.add<ConstantOfShape>(make_constant_of_shape);
  table.add<Range>(make_range);
  table.add<Reshape>(make_reshape<Reshape>);
  table.add<ReshapeTo>(make_reshape<ReshapeTo>);
  table.add<Flatten>(make_reshape<Flatten>);
  table.add<Squeeze>(make_reshape<Squeeze>);
  table.add<Unsqueeze>(make_reshape<Unsqueeze>);
  table.add<Identity>(make_reshape<Identity>);
}

}  // namespace graft::cpu
