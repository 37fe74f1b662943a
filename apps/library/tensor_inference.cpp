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

/// A row for each picture of one input, of a model that is fixed to one picture.
std::vector<Tensor> run_rows(const OnnxModel& model, const Tensor& array, const Backend& backend, int threads) {
  // All else is as the array has it; only the batch is free.
  OpenDims dims;
  dims.batch = array.shape()[0];
  const Shape& x = array.shape();
  const size_t rows = first_image_dimension(model.graph.value(model.graph.inputs[0]));
  if (x.rank() == 4) dims.height = x[rows], dims.width = x[rows + 1];
  RowPlan plan(model.graph, dims, backend, threads);
  const View in = plan.plan().input(0);
  // Rows stand one behind the other in the plan's layout, as rows of one picture or of the whole batch.
  View all = in;
  all.shape = x;
  Tensor pictures(in.dtype, x);
  all.data = pictures.raw();
  copy_from_plain(array.raw(), all);
  plan.forward(pictures.raw());
  std::vector<Tensor> results;
  for (size_t i = 0; i < plan.output_count(); ++i) results.push_back(to_plain(plan.view(i)));
  return results;
}

}  // namespace

Shape batched(const Value& input, Shape shape) {
  if (shape.size() + 1 == input.shape.size()) shape.insert(shape.begin(), 1);
  return shape;
}

Tensor fitted_to(const Value& input, Tensor values, const std::string& place) {
  values = cast(values, input.dtype);
  values.reshape(batched(input, values.shape()));
  const Shape& shape = values.shape();
  bool fits = shape.size() == input.shape.size();
  for (size_t i = 0; fits && i < shape.size(); ++i)  // a file of one picture takes several, one after the other
    fits = input.shape[i] == kOpenDim || input.shape[i] == shape[i] || (i == 0 && input.shape[i] == 1 && shape[i] > 1);
  if (!fits)
    throw Error(place + ": holds " + shape.str() + " but \"" + input.name + "\" takes " + input.shape.str(),
                "save an array of that shape");
  return values;
}

std::vector<Tensor> run_tensors(const OnnxModel& model, const std::vector<Tensor>& arrays, const Backend& backend,
                                int threads) {
  const bool several = arrays.size() == 1 && !arrays[0].shape().empty() && arrays[0].shape()[0] > 1;
  if (several && model.declared_batch == 1 && !model.batch_opened) return run_rows(model, arrays[0], backend, threads);
  const Graph graph = with_batch_statistics(model.graph);  // the file's word counts: arrays are not pictures
  OpenDims dims;
  for (size_t i = 0; i < arrays.size(); ++i) dims.shapes[graph.value(graph.inputs[i]).name] = arrays[i].shape();
  Plan plan = compile_inference(graph, dims, backend, threads);
  for (size_t i = 0; i < arrays.size(); ++i) copy_from_plain(arrays[i].raw(), plan.input(i));
  plan.forward();
  std::vector<Tensor> results;
  for (size_t i = 0; i < plan.output_count(); ++i) results.push_back(to_plain(plan.output(i)));
  return results;
}

}  // namespace graft
