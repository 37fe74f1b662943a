#pragma once

#include <string>
#include <vector>

#include "importer/model.h"
#include "runtime/passes/passes.h"

namespace graft {

/// The shape with a batch of 1 in front where it is that of one picture without.
Shape batched(const Value& input, Shape shape);

/// `values` as this input takes them: in its type, and with a batch of 1 where they are one picture without. `place`:
/// how an Error calls them. Throws Error where the shape does not fit.
Tensor fitted_to(const Value& input, Tensor values, const std::string& place);

/// The model's outputs for these inputs, row-major. A model that its file fixes to one picture gives a row for each of
/// several all the same. `arrays`: one an input, as fitted_to gives them. Throws Error.
std::vector<Tensor> run_tensors(const OnnxModel& model, const std::vector<Tensor>& arrays, const Backend& backend,
                                int threads);

}  // namespace graft
