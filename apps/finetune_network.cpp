#include "apps/finetune_network.h"

#include <sstream>

#include "runtime/core/error.h"
#include "runtime/passes/passes.h"

namespace graft::app {

Network make_network(const Graph& base, const FinetuneOptions& o, int64_t classes) {
  Network network;
  network.graph = base;
  // An auxiliary head serves the layers below it; where those are frozen it would train for nobody.
  const bool auxiliary = o.train.supervision.auxiliary_weight > 0 && o.freeze.policy != "all";
  network.head = graft_head(network.graph, {classes, o.dropout, o.common.seed, o.vanilla_dropout, auxiliary,
                                            parse_head(o.head, o.head_init)});
  if (o.stochastic_depth > 0) {
    network.skippable_branches = add_stochastic_depth(network.graph, o.stochastic_depth);
    if (network.skippable_branches == 0)
      throw Error("--stochastic-depth: the model has no residual branches", "leave it out");
  }
  network.freeze = apply_freeze(network.graph, o.freeze, network.head.parameters);
  return network;
}

HeadKind parse_head(const std::string& head, const std::string& initialiser) {
  HeadKind kind;
  if (head == "conv")
    kind.layers = HeadKind::Layers::convolution;
  else if (head.starts_with("mlp:")) {
    kind.layers = HeadKind::Layers::mlp;
    std::istringstream hidden(head.substr(4));
    if (!(hidden >> kind.hidden) || !hidden.eof() || kind.hidden < 1 || kind.hidden > 65536)
      throw Error("--head " + head + ": needs the hidden layer's size", "write mlp:256");
  } else if (head != "linear" && head != "svm") {
    throw Error("--head " + head + ": unknown head", "use linear, mlp:H, svm or conv");
  }
  if (initialiser.empty()) return kind;
  if (initialiser == "he")
    kind.initialiser = {Initialiser::Kind::he_fan_in, 0};
  else if (initialiser == "xavier")
    kind.initialiser = {Initialiser::Kind::xavier, 0};
  else if (std::istringstream sigma(initialiser.starts_with("gaussian:") ? initialiser.substr(9) : "");
           sigma >> kind.initialiser.sigma && sigma.eof() && kind.initialiser.sigma > 0) {
    kind.initialiser.kind = Initialiser::Kind::gaussian;
  } else {
    throw Error("--head-init " + initialiser + ": unknown", "use gaussian:0.01, he or xavier");
  }
  kind.hidden_initialiser = kind.initialiser;
  return kind;
}

std::string default_loss(Task task, const std::string& head) {
  if (task == Task::regression) return "mse";
  if (task == Task::multi_label) return "bce";
  return head == "svm" ? "hinge" : "cross-entropy";
}

}  // namespace graft::app
