#pragma once

#include <optional>
#include <string>
#include <vector>

#include "importer/model.h"
#include "runtime/passes/passes.h"
#include "runtime/plan/row_plan.h"

namespace graft {

/// The shape with a batch of 1 in front where it is that of one picture without.
Shape batched(const Value& input, Shape shape);

/// `values` as this input takes them: in its type, and with a batch of 1 where they are one picture without. `place`:
/// how an Error calls them. Throws Error where the shape does not fit.
Tensor fitted_to(const Value& input, Tensor values, const std::string& place);

/// A model over arrays as the network takes them, of fixed shapes, as often as it is wanted. Not thread-safe.
class TensorRunner {
 public:
  /// A shape for each of the graph's inputs. Throws Error.
  TensorRunner(const OnnxModel& model, const std::vector<Shape>& shapes, const Backend& backend, int threads);
  /// The graph's outputs; `arrays` have the shapes and the inputs' dtypes.
  std::vector<Tensor> run(const std::vector<Tensor>& arrays);

 private:
  std::optional<RowPlan> rows_;  // of a model that is fixed to one picture and gets several
  std::optional<Plan> plan_;
};

/// The model's outputs for these inputs, row-major. A model that its file fixes to one picture gives a row for each of
/// several all the same. `arrays`: one an input, as fitted_to gives them. Throws Error.
std::vector<Tensor> run_tensors(const OnnxModel& model, const std::vector<Tensor>& arrays, const Backend& backend,
                                int threads);

}  // namespace graft
