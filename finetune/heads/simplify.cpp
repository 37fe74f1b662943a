#include "finetune/heads/simplify.h"

#include "runtime/ops/dropout.h"
#include "runtime/ops/lrn.h"
#include "runtime/passes/passes.h"

namespace graft {

SimplifyResult remove_lrn_and_dropout(Graph& graph) {
  SimplifyResult result;
  std::vector<bool> dead(graph.nodes.size(), false);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const bool lrn = dynamic_cast<const Lrn*>(graph.nodes[i].op.get()) != nullptr,
               dropout = dynamic_cast<const Dropout*>(graph.nodes[i].op.get()) != nullptr;
    if (!lrn && !dropout) continue;
    dead[i] = true;
    (lrn ? result.lrn : result.dropout) += 1;
    graph.replace_uses(graph.nodes[i].outputs[0], graph.nodes[i].inputs[0]);
  }
  erase_nodes(graph, dead);
  return result;
}

}  // namespace graft
