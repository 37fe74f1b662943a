#include "finetune/heads/head.h"

#include "finetune/heads/head_builder.h"
#include "runtime/core/error.h"
#include "runtime/core/random.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/dropout.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/pool.h"
#include "runtime/ops/reduce.h"
#include "runtime/ops/reshape.h"
#include "runtime/ops/softmax.h"
#include "runtime/ops/unary.h"
#include "runtime/passes/passes.h"

namespace graft {
namespace {

bool is_pooling(const Operator& op) {
  const auto* reduce = dynamic_cast<const Reduce*>(&op);
  return reduce && reduce->kind == Reduce::Kind::mean;
}

/// What may stand behind a classifier: it makes probabilities of scores, or the same scores in another form. A clip
/// from 0 on is an activation.
bool is_passed_over(const Operator& op) {
  const auto* unary = dynamic_cast<const Unary*>(&op);
  const bool of_scores = unary && (unary->kind == Unary::Kind::sigmoid ||
                                   (unary->kind == Unary::Kind::clip && as_activation(*unary).alpha < 0));
  return op.is_reshape() || of_scores || dynamic_cast<const Softmax*>(&op) || dynamic_cast<const Dropout*>(&op) ||
         dynamic_cast<const Cast*>(&op);
}

/// The operand that one number scales, divides or moves; kNoValue for any other node.
ValueId scaled(const Graph& graph, const Node& node) {
  const auto* binary = dynamic_cast<const Binary*>(node.op.get());
  using Kind = Binary::Kind;
  if (!binary || binary->activation.kind != Activation::Kind::none ||
      (binary->kind != Kind::add && binary->kind != Kind::sub && binary->kind != Kind::mul &&
       binary->kind != Kind::div))
    return kNoValue;
  for (size_t i = 0; i < 2; ++i) {
    const Value& other = graph.value(node.inputs[1 - i]);
    if (other.constant && other.shape.elements() == 1 && !graph.value(node.inputs[i]).constant) return node.inputs[i];
  }
  return kNoValue;
}

bool is_pointwise(const Convolution& c) {
  return c.window.kernel.height == 1 && c.window.kernel.width == 1 && c.groups == 1;
}

/// How the model ends.
struct Ending {
  int classifier = -1;  // node index, or -1
  int last_softmax = -1;
};

Ending find_ending(const Graph& graph, ValueId output) {
  const auto producer = graph.producers();
  Ending ending;
  bool pooled = false, activated = false;
  for (ValueId at = output;;) {
    const int index = producer[static_cast<size_t>(at)];
    if (index < 0) return ending;
    const Node& node = graph.nodes[static_cast<size_t>(index)];
    const Operator& op = *node.op;
    if (dynamic_cast<const Gemm*>(&op)) {
      ending.classifier = pooled ? -1 : index;
      return ending;
    }
    if (const auto* c = dynamic_cast<const Convolution*>(&op)) {
      // A 1×1 convolution is a classifier when its maps are averaged afterwards, or are 1×1 themselves. Trunks of
      // residual blocks also end in one, but then its output is added to something, which stops the walk before it gets
      // here.
      const Shape& y = graph.value(node.outputs[0]).shape;
      const bool single = y[2] == 1 && y[3] == 1;
      // Behind a ReLU it could as well be the last layer of a trunk; a softmax, a dropout or ImageNet's number of
      // classes tells.
      const int before = producer[static_cast<size_t>(node.inputs[0])];
      const bool dropped =
          before >= 0 && dynamic_cast<const Dropout*>(graph.nodes[static_cast<size_t>(before)].op.get());
      const bool told = ending.last_softmax >= 0 || dropped || y[1] == 1000 || y[1] == 1001;
      // Without a bias it is one on the pooled features alone, or where its output is scores for certain.
      const bool has_bias = node.inputs.size() > 2 && node.inputs[2] != kNoValue;
      const bool classifies =
          is_pointwise(*c) && (has_bias || single || told) && (single || pooled) && (!activated || told);
      if (classifies) {
        ending.classifier = index;
      }
      return ending;
    }
    if (dynamic_cast<const Softmax*>(&op)) ending.last_softmax = index;
    pooled = pooled || is_pooling(op);
    if (const ValueId operand = scaled(graph, node); operand != kNoValue) {
      at = operand;
      continue;
    }
    const auto* unary = dynamic_cast<const Unary*>(&op);
    const bool activation = unary && unary->kind == Unary::Kind::relu;  // SqueezeNet has one behind its classifier
    if (!is_passed_over(op) && !is_pooling(op) && !activation) return ending;
    if (activation && !pooled) return ending;  // a dense layer's activation: what follows it are features
    activated = activated || activation;
    at = node.inputs[0];
  }
}

/// Makes N×D of whatever the model ends in.
ValueId as_features(Graph& graph, ValueId at) {
  const Shape& x = graph.value(at).shape;
  if (x.rank() == 4 && (x[2] > 1 || x[3] > 1)) {
    auto pool = std::make_shared<Reduce>();
    pool->global_pool = true;
    at = graph.add("head_pool", pool, {at});
  }
  if (graph.value(at).shape.rank() != 2) at = graph.add("head_flatten", std::make_shared<Flatten>(), {at});
  return at;
}

/// Where the new head of an output goes on, and the node it replaces (empty when there is none).
std::pair<ValueId, std::string> find_features(Graph& graph, ValueId output) {
  const Shape& y = graph.value(output).shape;
  if (graph.value(output).dtype != DType::f32 || y.rank() < 2) {
    throw Error("output \"" + graph.value(output).name + "\" is " + y.str() + ", neither scores nor features", {},
                ErrorCode::unsupported);
  }
  const Ending ending = find_ending(graph, output);
  if (ending.classifier < 0) return {as_features(graph, output), ""};
  const Node old = graph.nodes[static_cast<size_t>(ending.classifier)];
  // For a 1×1 convolution: linear maps then an average equal an average then a linear map, so the new head is a dense
  // layer on averaged features, and one vector a picture can be cached instead of maps. A ReLU between them goes with
  // the old one.
  return {as_features(graph, old.inputs[0]), old.name};
}

void prepare(Graph& graph) {
  if (graph.outputs.empty()) throw Error("the model has no output");
  canonicalise_dense(graph);
}

}  // namespace

GraftedHead graft_head(Graph& graph, const HeadRequest& request) {
  prepare(graph);
  const std::vector<ValueId> old = graph.outputs;
  const Shape scores = graph.value(old[0]).shape;
  const auto [features, replaced] = find_features(graph, old[0]);
  GraftedHead head{replaced, {}, graph.value(features).shape[1]};
  const HeadPtr kind = make_head(request.head);
  const auto appended = [&](const std::string& name, uint64_t seed, ValueId from) {
    HeadBuilder builder(graph, name, request.classes, seed, head.parameters);
    return kind->append(builder, from);
  };
  graph.outputs = {appended("head", request.seed, features)};
  for (size_t i = 1; i < old.size() && request.auxiliary; ++i) {
    const Value& value = graph.value(old[i]);
    if (value.dtype != DType::f32 || value.shape != scores) continue;
    const auto [inner, classifier] = find_features(graph, old[i]);
    graph.outputs.push_back(appended("auxiliary" + std::to_string(i) + ".head", mix(request.seed, i), inner));
  }
  remove_dead_code(graph);
  return head;
}

void cut_head(Graph& graph) {
  prepare(graph);
  const auto [features, replaced] = find_features(graph, graph.outputs[0]);
  graph.outputs = {features};
  remove_dead_code(graph);
}

}  // namespace graft
