#include "apps/library/tensor_inference.h"

#include "importer/batch_statistics.h"
#include "runtime/core/error.h"
#include "runtime/passes/open_shapes.h"
#include "runtime/plan/row_plan.h"

namespace graft {
namespace {

Tensor to_plain(const View& view) {
  Tensor y(view.dtype, view.shape);
  copy_to_plain(view, y.raw());
  return y;
}

void require_fit(const Value& input, const Shape& shape, const std::string& place) {
  bool fits = shape.size() == input.shape.size();
  for (size_t i = 0; fits && i < shape.size(); ++i)  // a file of one picture takes several, one after the other
    fits = input.shape[i] == kOpenDim || input.shape[i] == shape[i] || (i == 0 && input.shape[i] == 1 && shape[i] > 1);
  if (!fits)
    throw Error(place + ": holds " + shape.str() + " but \"" + input.name + "\" takes " + input.shape.str(),
                "save an array of that shape");
}

}  // namespace

Shape batched(const Value& input, Shape shape) {
  if (shape.size() + 1 == input.shape.size()) shape.insert(shape.begin(), 1);
  return shape;
}

Tensor fitted_to(const Value& input, Tensor values, const std::string& place) {
  values = cast(values, input.dtype);
  values.reshape(batched(input, values.shape()));
  require_fit(input, values.shape(), place);
  return values;
}

TensorRunner::TensorRunner(const OnnxModel& model, const std::vector<Shape>& shapes, const Backend& backend,
                           int threads) {
  for (size_t i = 0; i < shapes.size(); ++i) {
    const Value& input = model.graph.value(model.graph.inputs.at(i));
    require_fit(input, shapes[i], "the array for \"" + input.name + "\"");
  }
  OpenDims dims;
  const bool several = shapes.size() == 1 && !shapes[0].empty() && shapes[0][0] > 1;
  if (several && model.declared_batch == 1 && !model.batch_opened) {
    // All else is as the array has it; only the batch is free.
    const Shape& x = shapes[0];
    dims.batch = x[0];
    const size_t rows = first_image_dimension(model.graph.value(model.graph.inputs[0]));
    if (x.rank() == 4) dims.height = x[rows], dims.width = x[rows + 1];
    rows_.emplace(model.graph, dims, backend, threads);
    return;
  }
  const Graph graph = with_batch_statistics(model.graph);  // the file's word counts: arrays are not pictures
  for (size_t i = 0; i < shapes.size(); ++i) dims.shapes[graph.value(graph.inputs[i]).name] = shapes[i];
  plan_.emplace(compile_inference(graph, dims, backend, threads));
}

std::vector<Tensor> TensorRunner::run(const std::vector<Tensor>& arrays) {
  std::vector<Tensor> results;
  if (rows_) {
    const View in = rows_->plan().input(0);
    // Rows stand one behind the other in the plan's layout, as rows of one picture or of the whole batch.
    View all = in;
    all.shape = arrays.at(0).shape();
    Tensor pictures(in.dtype, all.shape);
    all.data = pictures.raw();
    copy_from_plain(arrays[0].raw(), all);
    rows_->forward(pictures.raw());
    for (size_t i = 0; i < rows_->output_count(); ++i) results.push_back(to_plain(rows_->view(i)));
    return results;
  }
  for (size_t i = 0; i < arrays.size(); ++i) copy_from_plain(arrays[i].raw(), plan_->input(i));
  plan_->forward();
  for (size_t i = 0; i < plan_->output_count(); ++i) results.push_back(to_plain(plan_->output(i)));
  return results;
}

std::vector<Tensor> run_tensors(const OnnxModel& model, const std::vector<Tensor>& arrays, const Backend& backend,
                                int threads) {
  std::vector<Shape> shapes;
  for (const Tensor& array : arrays) shapes.push_back(array.shape());
  return TensorRunner(model, shapes, backend, threads).run(arrays);
}

}  // namespace graft
