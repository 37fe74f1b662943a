#include "runtime/ops/indexed_scatter.h"

#include "runtime/ops/gather_elements.h"
#include "runtime/ops/gather_nd.h"
#include "runtime/ops/gradient.h"

namespace graft {

void IndexedScatter::differentiate(GradientBuilder& grad) const {
  const ValueId indices = grad.input(1);
  if (grad.wanted(0)) {
    ValueId dx = grad.grad_output();
    if (!adds) {  // what is replaced counts for nothing
      const ValueId nothing = grad.graph().add_constant(grad.node().name + ":nothing",
                                                        Tensor::zeros(DType::f32, grad.shape(grad.input(2))));
      dx = grad.emit(std::make_shared<IndexedScatter>(*this), {dx, indices, nothing}, "kept");
    }
    grad.give(0, dx);
  }
  if (!grad.wanted(2)) return;
  ValueId taken = kNoValue;
  if (!adds) {
    auto kept = std::make_shared<IndexedScatterGradient>();
    kept->forward = *this;
    kept->updates = grad.shape(grad.input(2));
    taken = grad.emit(kept, {grad.grad_output(), indices}, "updates");
  } else if (of == Of::slices) {
    taken = grad.emit(std::make_shared<GatherND>(), {grad.grad_output(), indices}, "updates");
  } else {
    auto gather = std::make_shared<GatherElements>();
    gather->axis = axis;
    taken = grad.emit(gather, {grad.grad_output(), indices}, "updates");
  }
  grad.give(2, taken);
}

}  // namespace graft
