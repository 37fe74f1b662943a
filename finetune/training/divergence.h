#pragma once

#include <span>
#include <string>
#include <vector>

#include "finetune/optimizers/optimizer.h"
#include "runtime/passes/passes.h"
#include "runtime/plan/plan.h"

namespace graft {

/// The first weights, in the network's order, that hold what is no finite number; empty: all are finite.
std::string first_broken_weights(const std::vector<Parameter>& parameters);

/// " of layer "NAME" (TYPE)": the first that reads the weights of this name; empty where none does.
std::string reader_of(const Graph& graph, const std::string& weights);

/// The first layer, in the order of computation, whose output on this batch holds what is no finite number, as
/// `"NAME" (TYPE)`; empty where evaluation finds none, since batch norms that normalise by the batch and dropout are
/// not as in training, or where an input is on the device alone. `inputs`: f32, one for each of the graph's, of
/// dims.batch rows. The outputs of a few layers at a time are kept, by a pass for each few.
std::string first_layer_not_finite(const Graph& graph, const OpenDims& dims, const Backend& backend, int threads,
                                   std::span<const float* const> inputs);

}  // namespace graft
