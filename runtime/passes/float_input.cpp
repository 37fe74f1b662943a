#include "runtime/passes/float_input.h"

#include "runtime/ops/movement.h"

namespace graft {

bool takes_whole_numbers(const Graph& graph) {
  if (graph.inputs.empty()) return false;
  const DType dtype = graph.value(graph.inputs[0]).dtype;
  return dtype == DType::u8 || dtype == DType::i32 || dtype == DType::i64;
}

bool take_floats(Graph& graph) {
  if (!takes_whole_numbers(graph)) return false;
  const ValueId input = graph.inputs[0];
  const Value value = graph.value(input);
  const ValueId floats = graph.add_input(graph.unused_name(value.name + ":float"), DType::f32, value.shape);
  graph.inputs.pop_back();
  graph.inputs[0] = floats;
  auto cast = std::make_shared<Cast>();
  cast->to = value.dtype;
  graph.nodes.insert(graph.nodes.begin(), Node{kInputCast, std::move(cast), {floats}, {input}});
  return true;
}

}  // namespace graft
