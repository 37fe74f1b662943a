#include "apps/finetune_network.h"

#include "runtime/core/error.h"
#include "runtime/passes/passes.h"

namespace graft::app {

Network make_network(const Graph& base, const FinetuneOptions& o, int64_t classes) {
  Network network;
  network.graph = base;
  // An auxiliary head serves the layers below it; where those are frozen it would train for nobody.
  const bool auxiliary = o.train.supervision.auxiliary_weight > 0 && o.freeze.policy != "all";
  network.head = graft_head(network.graph, {classes, o.common.seed, auxiliary, chosen_head(o)});
  if (o.stochastic_depth > 0) {
    network.skippable_branches = add_stochastic_depth(network.graph, o.stochastic_depth);
    if (network.skippable_branches == 0)
      throw Error("--stochastic-depth: the model has no residual branches", "leave it out");
  }
  network.freeze = apply_freeze(network.graph, o.freeze, network.head.parameters);
  return network;
}

Choice chosen_head(const FinetuneOptions& o) {
  Choice head = parse_head(o.head);
  for (const auto& [name, text] : o.head_values) head.values[name] = text;
  return narrowed(head, head_components());
}

Choice chosen_loss(const FinetuneOptions& o) {
  return narrowed({o.loss.empty() ? default_loss(task_named(o.task), o.head) : o.loss, o.loss_values},
                  loss_components());
}

std::string default_loss(Task task, const std::string& head) {
  if (task == Task::regression) return "mse";
  if (task == Task::multi_label) return "bce";
  return parse_head(head).name == "svm" ? "hinge" : "cross-entropy";
}

}  // namespace graft::app
