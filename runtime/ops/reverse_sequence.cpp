#include "runtime/ops/reverse_sequence.h"

#include <algorithm>

#include "runtime/core/error.h"
#include "runtime/ops/expansion.h"
#include "runtime/ops/gather_elements.h"
#include "runtime/ops/movement.h"

namespace graft {

std::vector<ValueType> ReverseSequence::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() < 2) throw Error("needs data and lengths");
  const Shape &x = inputs[0].shape, &lengths = inputs[1].shape;
  if (x.rank() < 2 || std::min(batch_axis, time_axis) != 0 || std::max(batch_axis, time_axis) != 1)
    throw Error("batch_axis " + std::to_string(batch_axis) + " and time_axis " + std::to_string(time_axis) +
                " are not the first two dimensions of " + x.str());
  if (lengths != Shape{x[static_cast<size_t>(batch_axis)]})
    throw Error("lengths of " + lengths.str() + " do not fit data of " + x.str());
  return {{inputs[0].dtype, x}};
}

ValueId ReverseSequence::expand(Expansion& to) const {
  const Tensor* lengths = to.known(to.input(1));
  if (!lengths) throw Error("the lengths depend on the data", {}, ErrorCode::unsupported);
  const std::vector<int64_t> counts = to_int64s(*lengths);
  const Shape x = to.shape(to.input(0));
  const int64_t times = x[static_cast<size_t>(time_axis)];
  for (int64_t count : counts)
    if (count < 0 || count > times)
      throw Error("a length of " + std::to_string(count) + " does not fit " + std::to_string(times) + " steps");
  if (std::all_of(counts.begin(), counts.end(), [&](int64_t count) { return count == times; })) {
    auto reversed = std::make_shared<Slice>();
    reversed->starts = {-1};
    reversed->ends = {INT64_MIN};
    reversed->axes = {time_axis};
    reversed->steps = {-1};
    return to.emit(reversed, {to.input(0)});
  }
  Tensor from(DType::i64, x);
  int64_t* at = from.data<int64_t>().data();
  for (int64_t i = 0; i < x[0]; ++i)
    for (int64_t j = 0; j < x[1]; ++j) {
      const int64_t time = time_axis == 0 ? i : j, count = counts[static_cast<size_t>(time_axis == 0 ? j : i)];
      at = std::fill_n(at, x.elements() / (x[0] * x[1]), time < count ? count - 1 - time : time);
    }
  auto gather = std::make_shared<GatherElements>();
  gather->axis = time_axis;
  return to.emit(gather, {to.input(0), to.constant(std::move(from))});
}

}  // namespace graft
