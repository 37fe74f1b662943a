#include "runtime/core/users.h"
#include "runtime/ops/batch_norm.h"
#include "runtime/ops/convolution.h"
#include "runtime/passes/passes.h"

namespace graft {

void share_norm_gradients(Graph& graph) {
  const Users users(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto* gradient = dynamic_cast<const BatchNormGradient*>(graph.nodes[i].op.get());
    if (!gradient || !gradient->tail.residual) continue;
    const ValueId dy = graph.nodes[i].inputs[0];
    const int source = users.producer(dy);
    const auto* convolution =
        source < 0 ? nullptr
                   : dynamic_cast<const ConvolutionBackwardData*>(graph.nodes[static_cast<size_t>(source)].op.get());
    if (!convolution || users.only_reader(dy) < 0 || convolution->tail.activation.kind != Activation::Kind::none)
      continue;

    auto through = std::make_shared<ConvolutionBackwardData>(*convolution);
    through->norm = {gradient->tail.activation, gradient->epsilon};
    auto rest = std::make_shared<BatchNormInputGradient>();
    rest->epsilon = gradient->epsilon;

    Node &from = graph.nodes[static_cast<size_t>(source)], &node = graph.nodes[i];
    const ValueId x = node.inputs[1], scale = node.inputs[2], mean = node.inputs[4], variance = node.inputs[5],
                  y = node.inputs[6];
    const ValueId d_scale = node.outputs[1], d_bias = node.outputs[2], d_residual = node.outputs[3];
    from.op = through;
    from.inputs.insert(from.inputs.end(), {y, x, mean, variance});
    from.outputs.insert(from.outputs.end(), {d_scale, d_bias});
    node.op = rest;
    node.inputs = {dy, x, scale, mean, variance, d_scale, d_bias};
    node.outputs.resize(1);
    graph.replace_uses(d_residual, dy);
  }
}

}  // namespace graft
