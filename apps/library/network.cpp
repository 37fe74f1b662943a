#include "apps/library/network.h"

#include "finetune/heads/join_layers.h"
#include "finetune/losses/loss.h"
#include "runtime/core/error.h"
#include "runtime/passes/passes.h"

namespace graft {
namespace {

/// The loss that is meant where none is given.
std::string default_loss(Task task, const std::string& head) {
  if (task == Task::regression) return "mse";
  if (task == Task::multi_label) return "bce";
  return parse_head(head).name == "svm" ? "hinge" : "cross-entropy";
}

/// Its name may carry settings ("mlp:64").
Choice given_head(const FinetuneSettings& s) {
  Choice head = parse_head(s.head.name);
  for (const auto& [name, text] : s.head.values) head.values[name] = text;
  return head;
}

Choice given_loss(const FinetuneSettings& s, Task task) {
  return {s.loss.name.empty() ? default_loss(task, s.head.name) : s.loss.name, s.loss.values};
}

}  // namespace

Network make_network(const Graph& base, const FinetuneSettings& s, int64_t classes, bool joined) {
  Network network;
  network.graph = base;
  // An auxiliary head serves the layers below it; where those are frozen it would train for nobody.
  const bool auxiliary = s.auxiliary_weight > 0 && s.freeze != "all";
  network.head = graft_head(network.graph, {classes, s.seed, auxiliary, chosen_head(s), s.features});
  if (joined) network.joined_parts = join_layers(network.graph, network.head.parameters);
  if (s.stochastic_depth > 0) {
    network.skippable_branches = add_stochastic_depth(network.graph, static_cast<float>(s.stochastic_depth));
    if (network.skippable_branches == 0)
      throw Error("the model has no residual branches", "leave it out").about("stochastic-depth");
  }
  network.freeze = apply_freeze(network.graph, {s.freeze, s.batch_norm}, network.head.parameters);
  return network;
}

Choice chosen_head(const FinetuneSettings& s) { return narrowed(given_head(s), head_components()); }

Choice chosen_loss(const FinetuneSettings& s, Task task) { return narrowed(given_loss(s, task), loss_components()); }

void check_components(const FinetuneSettings& s, Task task) {
  make_head(given_head(s));
  make_loss(given_loss(s, task));
}

}  // namespace graft
