#include "finetune/heads/ending.h"

#include <algorithm>
#include <optional>

#include "runtime/core/error.h"
#include "runtime/core/users.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/dropout.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/lp_normalise.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/quantise.h"
#include "runtime/ops/reduce.h"
#include "runtime/ops/softmax.h"
#include "runtime/ops/unary.h"

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
         dynamic_cast<const Cast*>(&op) || dynamic_cast<const Quantise*>(&op) || dynamic_cast<const Dequantise*>(&op);
}

bool is_pointwise(const Convolution& c) {
  return c.window.kernel.height == 1 && c.window.kernel.width == 1 && c.groups == 1;
}

class Walk {
 public:
  explicit Walk(const Graph& graph)
      : graph_(graph), producer_(graph.producers()), follows_input_(values_following_inputs(graph)) {}

  /// What has been seen between the output and here.
  struct Seen {
    bool pooled = false, activated = false, softmax = false;
    std::vector<size_t> selections;  // the last first
  };

  Ending from(ValueId at, Seen seen) {
    for (;;) {
      const Node* node = maker(at);
      if (!node || ++steps_ > kMostSteps) return {};
      const Operator& op = *node->op;
      if (dynamic_cast<const Gemm*>(&op))
        return seen.pooled || !seen.selections.empty() ? Ending{} : classifier(*node, {});
      if (dynamic_cast<const MatMul*>(&op)) return of_product(*node, seen);
      if (dynamic_cast<const Convolution*>(&op)) return of_convolution(*node, seen);
      if (const auto both = joined(*node, seen)) return *both;
      seen.softmax = seen.softmax || dynamic_cast<const Softmax*>(&op);
      if (is_selection(*node)) {
        seen.pooled = seen.pooled || is_pooling(op);
        seen.selections.push_back(static_cast<size_t>(node - graph_.nodes.data()));
        at = node->inputs[0];
        continue;
      }
      seen.pooled = seen.pooled || is_pooling(op);
      if (const ValueId operand = changed(*node); operand != kNoValue) {
        at = operand;
        continue;
      }
      const auto* unary = dynamic_cast<const Unary*>(&op);
      const bool activation = unary && unary->kind == Unary::Kind::relu;  // SqueezeNet has one behind its classifier
      if (!is_passed_over(op) && !is_pooling(op) && !activation) return {};
      if (activation && !seen.pooled) return {};  // a dense layer's activation: what follows it are features
      seen.activated = seen.activated || activation;
      at = node->inputs[0];
    }
  }

 private:
  bool follows_input(ValueId id) const { return follows_input_[static_cast<size_t>(id)]; }
  const Node* maker(ValueId id) const {
    const int index = id == kNoValue ? -1 : producer_[static_cast<size_t>(id)];
    return index < 0 ? nullptr : &graph_.nodes[static_cast<size_t>(index)];
  }
  const Shape& shape(ValueId id) const { return graph_.value(id).shape; }

  Ending classifier(const Node& node, const Seen& seen) const {
    Ending ending;
    ending.classifiers.push_back({node.name, features_of(node.inputs[0])});
    ending.selections.assign(seen.selections.rbegin(), seen.selections.rend());
    return ending;
  }

  /// A product with weights: of rows, or of all tokens, from which something behind it picks.
  Ending of_product(const Node& node, const Seen& seen) const {
    if (follows_input(node.inputs[1]) || shape(node.inputs[1]).rank() != 2) return {};
    const bool of_tokens = shape(node.inputs[0]).rank() == 3;
    const bool rows = shape(node.inputs[0]).rank() == 2 && seen.selections.empty() && !seen.pooled;
    if (!rows && (!of_tokens || seen.selections.empty() || seen.activated)) return {};
    return classifier(node, of_tokens ? seen : Seen{});
  }

  Ending of_convolution(const Node& node, const Seen& seen) const {
    // A 1×1 convolution is a classifier when its maps are averaged afterwards, or are 1×1 themselves. Trunks of
    // residual blocks also end in one, but then its output is added to something, which stops the walk before it gets
    // here.
    const Shape& y = shape(node.outputs[0]);
    if (y.rank() != 4) return {};
    const bool single = y[2] == 1 && y[3] == 1;
    // Behind a ReLU it could as well be the last layer of a trunk; a softmax, a dropout or ImageNet's number of
    // classes tells.
    const Node* before = maker(node.inputs[0]);
    const bool dropped = before && dynamic_cast<const Dropout*>(before->op.get());
    const bool told = seen.softmax || dropped || y[1] == 1000 || y[1] == 1001;
    // Without a bias it is one on the pooled features alone, or where its output is scores for certain.
    const bool has_bias = node.inputs.size() > 2 && node.inputs[2] != kNoValue;
    const bool classifies = is_pointwise(dynamic_cast<const Convolution&>(*node.op)) && (has_bias || single || told) &&
                            (single || seen.pooled) && (!seen.activated || told);
    if (!classifies) return {};
    Ending ending;
    ending.classifiers.push_back({node.name, node.inputs[0]});
    return ending;
  }

  /// The scores that a node adds, or averages where they are stacked; nothing for any other node.
  std::vector<ValueId> summands(const Node& node) const {
    const auto* binary = dynamic_cast<const Binary*>(node.op.get());
    if (binary && binary->kind == Binary::Kind::add && binary->activation.kind == Activation::Kind::none &&
        follows_input(node.inputs[0]) && follows_input(node.inputs[1]) &&
        shape(node.inputs[0]) == shape(node.inputs[1]))
      return node.inputs;
    const auto* reduce = dynamic_cast<const Reduce*>(node.op.get());
    if (!reduce || !is_pooling(*reduce) || shape(node.inputs[0]).rank() != 3) return {};
    const std::vector<bool> along = reduce->reduced(3);
    const Node* stack = maker(node.inputs[0]);
    const auto* concat = stack ? dynamic_cast<const Concat*>(stack->op.get()) : nullptr;
    if (!concat || std::count(along.begin(), along.end(), true) != 1) return {};
    const int64_t axis = resolve_axis(concat->axis, 3);
    const bool of_one = std::all_of(stack->inputs.begin(), stack->inputs.end(),
                                    [&](ValueId id) { return shape(id)[static_cast<size_t>(axis)] == 1; });
    return along[static_cast<size_t>(axis)] && of_one && axis < 2 ? stack->inputs : std::vector<ValueId>{};
  }

  /// Where several sums of scores come together: the classifiers of all.
  std::optional<Ending> joined(const Node& node, const Seen& seen) {
    const std::vector<ValueId> parts = summands(node);
    if (parts.empty()) return std::nullopt;
    struct Deeper {  // sums of sums
      int& depth;
      explicit Deeper(int& d) : depth(++d) {}
      ~Deeper() { --depth; }
    } const deeper(depth_);
    if (depth_ > kMostSums) return Ending{};
    Ending all;
    for (size_t i = 0; i < parts.size(); ++i) {
      const ValueId id = parts[i];
      if (std::find(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(i), id) !=
          parts.begin() + static_cast<std::ptrdiff_t>(i))
        continue;
      const Ending one = from(id, seen);
      if (one.classifiers.empty() || (id != parts[0] && one.selections != all.selections)) return Ending{};
      all.selections = one.selections;
      all.classifiers.insert(all.classifiers.end(), one.classifiers.begin(), one.classifiers.end());
    }
    return all;
  }

  /// Picks one token of N×L×K, or averages them.
  bool is_selection(const Node& node) const {
    if (node.inputs.empty() || shape(node.inputs[0]).rank() != 3) return false;
    if (const auto* gather = dynamic_cast<const Gather*>(node.op.get()))
      return (gather->axis == 1 || gather->axis == -2) && !follows_input(node.inputs[1]);
    if (dynamic_cast<const Slice*>(node.op.get())) {
      const Shape &x = shape(node.inputs[0]), &y = shape(node.outputs[0]);
      return y.rank() == 3 && y[1] == 1 && y[2] == x[2];
    }
    const auto* reduce = dynamic_cast<const Reduce*>(node.op.get());
    return reduce && is_pooling(*reduce) && reduce->reduced(3) == std::vector<bool>{false, true, false};
  }

  /// The operand that one number scales, divides or moves, or to which a bias is added; kNoValue for any other node.
  ValueId changed(const Node& node) const {
    const auto* binary = dynamic_cast<const Binary*>(node.op.get());
    using Kind = Binary::Kind;
    if (!binary || binary->activation.kind != Activation::Kind::none ||
        (binary->kind != Kind::add && binary->kind != Kind::sub && binary->kind != Kind::mul &&
         binary->kind != Kind::div))
      return kNoValue;
    for (size_t i = 0; i < 2; ++i) {
      const ValueId own = node.inputs[i], other = node.inputs[1 - i];
      if (!follows_input(own)) continue;
      const Shape& by = shape(other);
      // One number for all: of weights, or measured on the whole batch, as dynamic quantisation does.
      if (by.elements() == 1 && (!follows_input(other) || by.rank() == 0)) return own;
      const bool added = binary->kind == Kind::add || (binary->kind == Kind::sub && i == 0);
      if (added && !follows_input(other) && !shape(own).empty() && !by.empty() && by.elements() == shape(own).back() &&
          by.back() == shape(own).back())
        return own;
    }
    return kNoValue;
  }

  /// x/‖x‖: what is normalised; kNoValue where the value is something else.
  ValueId normalised(ValueId id) const {
    const Node* node = maker(id);
    if (!node) return kNoValue;
    if (dynamic_cast<const LpNormalise*>(node->op.get())) return node->inputs[0];
    const auto* binary = dynamic_cast<const Binary*>(node->op.get());
    if (!binary || binary->kind != Binary::Kind::div) return kNoValue;
    // The norm may be clipped from below and stretched.
    for (const Node* norm = maker(node->inputs[1]); norm && !norm->inputs.empty(); norm = maker(norm->inputs[0])) {
      const auto* reduce = dynamic_cast<const Reduce*>(norm->op.get());
      if (reduce)
        return reduce->kind == Reduce::Kind::l2 && norm->inputs[0] == node->inputs[0] ? node->inputs[0] : kNoValue;
      if (norm->op->type() != "Clip" && norm->op->type() != "Expand" && norm->op->type() != "Max") return kNoValue;
    }
    return kNoValue;
  }

  /// What a classifier's input was before it was quantised, normalised, or projected and normalised.
  ValueId features_of(ValueId input) const {
    const Node* node = maker(input);
    if (node && dynamic_cast<const Dequantise*>(node->op.get()))
      if (const Node* quantised = maker(node->inputs[0]);
          quantised && dynamic_cast<const Quantise*>(quantised->op.get()))
        return quantised->inputs[0];
    const ValueId inner = normalised(input);
    if (inner == kNoValue) return input;
    const Node* projection = maker(inner);
    const bool is_projection =
        projection &&
        (dynamic_cast<const Gemm*>(projection->op.get()) || dynamic_cast<const MatMul*>(projection->op.get())) &&
        projection->inputs.size() == 2 && !follows_input(projection->inputs[1]) &&
        shape(projection->inputs[0]).rank() == 2;
    return is_projection ? projection->inputs[0] : inner;
  }

  // Sums of sums double the ways back with each; networks end within a few dozen nodes.
  static constexpr int kMostSteps = 10000, kMostSums = 32;

  const Graph& graph_;
  std::vector<int> producer_;
  std::vector<bool> follows_input_;
  int steps_ = 0, depth_ = 0;
};

}  // namespace

Ending find_ending(const Graph& graph, ValueId output) { return Walk(graph).from(output, {}); }

}  // namespace graft
