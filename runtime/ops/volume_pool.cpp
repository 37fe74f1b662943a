#include "runtime/ops/volume_pool.h"

#include "runtime/core/error.h"
#include "runtime/ops/expansion.h"

namespace graft {
namespace {

OperatorPtr pool_of(const VolumePool& pool, const Window2d& window) {
  if (pool.largest) {
    auto op = std::make_shared<MaxPool>();
    op->window = window;
    return op;
  }
  auto op = std::make_shared<AveragePool>();
  op->window = window;
  op->count = pool.count;
  return op;
}

}  // namespace

std::vector<ValueType> VolumePool::infer(std::span<const ValueType> inputs) const {
  if (inputs.empty() || inputs[0].shape.rank() != 5) throw Error("needs volumes, N×C×D×H×W");
  const Shape& x = inputs[0].shape;
  const Extent2d picture = plane.resolved({x[3], x[4]}).output({x[3], x[4]});
  const Extent2d pictures = depth.resolved({x[2], 1}).output({x[2], 1});
  return {{inputs[0].dtype, {x[0], x[1], pictures.height, picture.height, picture.width}}};
}

// The parts of a window that lie in the volume are a box, so that its mean is the mean of means.
ValueId VolumePool::expand(Expansion& to) const {
  const Shape x = to.shape(to.input(0));
  const ValueId flat = to.emit(pool_of(*this, plane), {to.reshape(to.input(0), {-1, x[1] * x[2], x[3], x[4]})});
  const Shape y = to.shape(flat);
  const ValueId along = to.emit(pool_of(*this, depth), {to.reshape(flat, {-1, x[1], x[2], y[2] * y[3]})});
  return to.reshape(along, {-1, x[1], to.shape(along)[2], y[2], y[3]});
}

}  // namespace graft
