#include "runtime/plan/row_plan.h"

#include <cstring>

#include "runtime/core/error.h"

namespace graft {

bool RowPlan::has_rows(int64_t batch) const {
  for (size_t o = 0; o < plan_->output_count(); ++o) {
    const Shape shape = plan_->output(o).shape;
    if (shape.empty() || shape[0] != batch) return false;
  }
  return true;
}

RowPlan::RowPlan(const Graph& graph, const OpenDims& dims, const Backend& backend, int threads)
    : rows_(static_cast<size_t>(dims.batch)) {
  std::optional<Error> failure;
  const bool fixed_to_one = !graph.inputs.empty() && !graph.value(graph.inputs[0]).shape.empty() &&
                            graph.value(graph.inputs[0]).shape[0] == 1;
  try {
    if (!fixed_to_one || dims.batch == 1) plan_.emplace(compile_inference(graph, dims, backend, threads));
  } catch (const Error& error) {
    // A shape that holds for one picture only; where one picture does not fit either, this is what the user must see.
    if (dims.batch == 1) throw;
    failure = error;
  }
  if (!plan_ || (!has_rows(dims.batch) && dims.batch > 1)) {
    one_by_one_ = true;
    OpenDims one = dims;
    one.batch = 1;
    plan_.reset();
    try {
      plan_.emplace(compile_inference(graph, one, backend, threads));
    } catch (const Error&) {
      if (failure) throw *failure;
      throw;
    }
    if (failure && !has_rows(1)) throw *failure;
  }
  for (size_t o = 0; o < plan_->output_count(); ++o) {
    const View out = plan_->output(o);
    const auto rows = static_cast<int64_t>(one_by_one_ ? 1 : rows_);
    if (out.shape.empty() || out.shape[0] != rows)
      throw Error("output \"" + plan_->graph().value(plan_->graph().outputs[o]).name + "\" is " + out.shape.str() +
                      " for " + std::to_string(rows) + " pictures: it has no row for each of them",
                  "choose another layer");
    widths_.push_back(static_cast<size_t>(out.shape.elements() / rows));
    if (one_by_one_) gathered_.emplace_back(rows_ * widths_.back() * size_of(out.dtype));
  }
}

Shape RowPlan::shape(size_t output) const {
  Shape shape = plan_->output(output).shape;
  shape[0] = static_cast<int64_t>(rows_);
  return shape;
}

void RowPlan::forward(const void* input) {
  if (!one_by_one_) {
    plan_->bind_input(0, input);
    plan_->forward();
    return;
  }
  const View in = plan_->input(0);
  const size_t bytes = static_cast<size_t>(in.shape.elements()) * size_of(in.dtype);
  for (size_t row = 0; row < rows_; ++row) {
    plan_->bind_input(0, static_cast<const std::byte*>(input) + row * bytes);
    plan_->forward();
    for (size_t o = 0; o < gathered_.size(); ++o) {
      const size_t row_bytes = gathered_[o].size() / rows_;
      std::memcpy(gathered_[o].data() + row * row_bytes, plan_->output(o).data, row_bytes);
    }
  }
}

const void* RowPlan::output(size_t i) const { return one_by_one_ ? gathered_[i].data() : plan_->output(i).data; }

View RowPlan::view(size_t i) const {
  View view = plan_->output(i);
  view.shape = shape(i);
  if (one_by_one_) {
    view.strides[0] = static_cast<int64_t>(widths_[i]);
    view.data = const_cast<std::byte*>(gathered_[i].data());
  }
  return view;
}

}  // namespace graft
