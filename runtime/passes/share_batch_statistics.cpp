#include "runtime/ops/batch_norm.h"
#include "runtime/ops/convolution.h"
#include "runtime/passes/passes.h"

namespace graft {

void share_batch_statistics(Graph& graph) {
  const auto producer = graph.producers();
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto* norm = dynamic_cast<const BatchNormTraining*>(graph.nodes[i].op.get());
    const int source = norm ? producer[static_cast<size_t>(graph.nodes[i].inputs[0])] : -1;
    const auto* convolution =
        source < 0 ? nullptr : dynamic_cast<const Convolution*>(graph.nodes[static_cast<size_t>(source)].op.get());
    if (!convolution || !convolution->tail.empty() || convolution->statistics) continue;
    auto measuring = std::make_shared<Convolution>(*convolution);
    measuring->statistics = true;
    auto applying = std::make_shared<BatchNorm>();
    applying->epsilon = norm->epsilon;
    applying->tail = norm->tail;
    Node &from = graph.nodes[static_cast<size_t>(source)], &node = graph.nodes[i];
    const ValueId mean = node.outputs[1], variance = node.outputs[2];
    from.op = measuring;
    from.outputs.insert(from.outputs.end(), {mean, variance});
    std::vector<ValueId> inputs{node.inputs[0], node.inputs[1], node.inputs[2], mean, variance};
    if (norm->tail.residual) inputs.push_back(node.inputs[3]);
    node.op = applying;
    node.inputs = std::move(inputs);
    node.outputs.resize(1);
  }
}

}  // namespace graft
