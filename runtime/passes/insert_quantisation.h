#pragma once

#include <map>
#include <vector>

#include "runtime/core/graph.h"
#include "runtime/ops/quantised_product.h"

namespace graft {

/// Nodes that may be computed on 8-bit integers: convolutions of one group and dense layers whose weights are known.
std::vector<size_t> quantisable_layers(const Graph& graph);

/// Whether an operator's results are some of its inputs' numbers, so that it may work on bytes of the same steps.
bool keeps_steps(const Operator& op);

/// A value that is quantised; those of one group share their steps, since what joins them only moves numbers.
struct QuantisedValue {
  ValueId value;
  size_t group;
};

/// What is quantised where the nodes in `layers` are: what they read, what a sum of such layers adds, and what a
/// maximum or a concatenation in front of them reads.
std::vector<QuantisedValue> values_to_quantise(const Graph& graph, const std::vector<size_t>& layers);

/// Steps of 8-bit unsigned numbers from `low` to `high`, 0 among them exactly.
Steps steps_between(float low, float high);

/// Puts QuantizeLinear and DequantizeLinear behind the values, and a DequantizeLinear behind the layers' weights (int8,
/// one scale for each output, symmetric) and biases (int32), as ONNX Runtime and OpenVINO look for them. `means`: of
/// the channels of what a layer reads; what rounding its weights adds to its results on the average is taken off its
/// bias (Nagel et al. 2019, arXiv 1906.04721, section 4.2). The weights of other nodes stay as they are.
void insert_quantisation(Graph& graph, const std::vector<size_t>& layers, const std::map<ValueId, Steps>& steps,
                         const std::map<ValueId, std::vector<float>>& means);

}  // namespace graft
