#include "finetune/heads/ending.h"

#include <algorithm>
#include <optional>

#include "runtime/core/dimensions.h"
#include "runtime/core/error.h"
#include "runtime/core/users.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/dropout.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/lp_normalise.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/quantise.h"
#include "runtime/ops/rearrange.h"
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
  const auto* norm = dynamic_cast<const LpNormalise*>(&op);
  const bool of_scores = unary && (unary->kind == Unary::Kind::sigmoid || unary->kind == Unary::Kind::round ||
                                   (unary->kind == Unary::Kind::clip && as_activation(*unary).alpha < 0));
  return op.is_reshape() || of_scores || (norm && norm->p == 1) || dynamic_cast<const Softmax*>(&op) ||
         dynamic_cast<const Dropout*>(&op) || dynamic_cast<const Cast*>(&op) || dynamic_cast<const Quantise*>(&op) ||
         dynamic_cast<const Dequantise*>(&op);
}

/// What may stand behind probabilities, but behind a dense layer would make features of its numbers.
bool is_of_probabilities(const Operator& op) {
  const auto* unary = dynamic_cast<const Unary*>(&op);
  using enum Unary::Kind;
  return unary &&
         (unary->kind == clip || unary->kind == log || unary->kind == exp || unary->kind == sqrt || unary->kind == neg);
}

bool makes_probabilities(const Operator& op) {
  const auto* unary = dynamic_cast<const Unary*>(&op);
  return dynamic_cast<const Softmax*>(&op) || (unary && unary->kind == Unary::Kind::sigmoid);
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
    bool bent = false;               // by what only probabilities bear
    std::vector<size_t> selections;  // the last first
  };

  Ending from(ValueId at, Seen seen) {
    for (;;) {
      const Node* node = maker(at);
      if (!node || ++steps_ > kMostSteps) return {};
      const Operator& op = *node->op;
      if (dynamic_cast<const Gemm*>(&op))
        return seen.bent || seen.pooled || !seen.selections.empty() ? Ending{} : classifier(*node, {});
      if (dynamic_cast<const MatMul*>(&op)) return seen.bent ? Ending{} : of_product(*node, seen);
      if (dynamic_cast<const Convolution*>(&op)) return seen.bent ? Ending{} : of_convolution(*node, seen);
      if (makes_probabilities(op)) seen.bent = false;
      if (const ValueId scores = spelled_out(*node); scores != kNoValue) {
        seen.bent = false;
        seen.softmax = true;
        at = scores;
        continue;
      }
      if (const ValueId same = rearranged(*node); same != kNoValue) {
        at = same;
        continue;
      }
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
      if (!is_passed_over(op) && is_of_probabilities(op)) {
        seen.bent = true;
        at = node->inputs[0];
        continue;
      }
      if (!is_passed_over(op) && !is_pooling(op) && !activation) return {};
      if (activation && !seen.pooled) return {};  // a dense layer's activation: what follows it are features
      seen.activated = seen.activated || activation;
      at = node->inputs[0];
    }
  }

  bool is_probabilities(ValueId at) const {
    bool raised = false;  // eˣ of what is found
    for (const Node* node = maker(at); node; node = maker(at)) {
      const auto* unary = dynamic_cast<const Unary*>(node->op.get());
      const auto* norm = dynamic_cast<const LpNormalise*>(node->op.get());
      if (const auto* softmax = dynamic_cast<const Softmax*>(node->op.get()))
        return (softmax->form == Softmax::Form::log_probability) == raised;
      if (raised) return false;
      if ((unary && unary->kind == Unary::Kind::sigmoid) || (norm && norm->p == 1) || spelled_out(*node) != kNoValue)
        return true;
      const ValueId same = rearranged(*node);
      const bool passes = same != kNoValue || node->op->is_reshape() || dynamic_cast<const Cast*>(node->op.get()) ||
                          (unary && unary->kind == Unary::Kind::clip);
      raised = unary && unary->kind == Unary::Kind::exp;
      if (!passes && !raised) return false;
      at = same != kNoValue ? same : node->inputs[0];
    }
    return false;
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
    // So does a layer that leaves an eighth of the numbers it reads, or less: no trunk ends in so few.
    const bool few = !seen.activated && y[1] * 8 <= shape(node.inputs[0])[1];
    const bool told = seen.softmax || dropped || few || y[1] == 1000 || y[1] == 1001;
    // Without a bias it is one on the pooled features alone, or where its output is scores for certain.
    const bool has_bias = node.inputs.size() > 2 && node.inputs[2] != kNoValue;
    const bool classifies = is_pointwise(dynamic_cast<const Convolution&>(*node.op)) && (has_bias || single || told) &&
                            (single || seen.pooled) && (!seen.activated || told);
    if (!classifies) return {};
    Ending ending;
    ending.classifiers.push_back({node.name, node.inputs[0]});
    return ending;
  }

  /// The scores that a node adds, or averages where they are stacked, or puts side by side; nothing for any other node.
  std::vector<ValueId> summands(const Node& node) const {
    const auto* binary = dynamic_cast<const Binary*>(node.op.get());
    const auto* parts = dynamic_cast<const Concat*>(node.op.get());
    if (parts && shape(node.outputs[0]).rank() == 2 && resolve_axis(parts->axis, 2) == 1 &&
        std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) { return follows_input(id); }))
      return node.inputs;
    if (binary && (binary->kind == Binary::Kind::add || binary->kind == Binary::Kind::max) &&
        binary->activation.kind == Activation::Kind::none && follows_input(node.inputs[0]) &&
        follows_input(node.inputs[1]) && shape(node.inputs[0]) == shape(node.inputs[1]))
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
      // A scale for each class is what dynamic quantisation by channels leaves, behind a product of integers.
      const Node* integers = maker(own);
      const bool rescaled = integers && binary->kind == Kind::mul && dynamic_cast<const Cast*>(integers->op.get());
      if (rescaled && by.elements() == shape(own).back()) return own;
      if (added && !follows_input(other) && !shape(own).empty() && !by.empty() && by.elements() == shape(own).back() &&
          by.back() == shape(own).back())
        return own;
    }
    return kNoValue;
  }

  /// What a softmax is made of that is spelled out, exp(x)/Σ exp(x), where x may have had its maximum subtracted; and
  /// what is divided by its own sum. kNoValue for any other node.
  ValueId spelled_out(const Node& node) const {
    const auto* binary = dynamic_cast<const Binary*>(node.op.get());
    if (!binary || binary->kind != Binary::Kind::div || binary->activation.kind != Activation::Kind::none)
      return kNoValue;
    const ValueId own = node.inputs[0];
    const Node* sum = maker(node.inputs[1]);
    // It may be kept from 0, and stretched.
    for (int i = 0; sum && !sum->inputs.empty() && i < kMostSteps; ++i) {
      if (dynamic_cast<const Reduce*>(sum->op.get())) break;
      const ValueId inner = changed(*sum);
      if (inner == kNoValue && sum->op->type() != "Clip" && sum->op->type() != "Expand" && sum->op->type() != "Max")
        return kNoValue;
      sum = maker(inner == kNoValue ? sum->inputs[0] : inner);
    }
    const auto* reduce = sum ? dynamic_cast<const Reduce*>(sum->op.get()) : nullptr;
    if (!reduce || (reduce->kind != Reduce::Kind::sum && reduce->kind != Reduce::Kind::l1) || sum->inputs[0] != own)
      return kNoValue;
    // Over classes: columns of a matrix, or channels of maps; of three dimensions they could be places, too.
    const int64_t rank = shape(own).rank();
    if ((rank != 2 && rank != 4) || reduce->reduced(rank) != only_dimension(rank, 1)) return kNoValue;
    const Node* power = maker(own);
    const auto* exponential = power ? dynamic_cast<const Unary*>(power->op.get()) : nullptr;
    if (!exponential || exponential->kind != Unary::Kind::exp) return own;
    const Node* shifted = maker(power->inputs[0]);
    const auto* difference = shifted ? dynamic_cast<const Binary*>(shifted->op.get()) : nullptr;
    const Node* most = difference ? maker(shifted->inputs[1]) : nullptr;
    const auto* largest = most ? dynamic_cast<const Reduce*>(most->op.get()) : nullptr;
    const bool is_shifted = largest && difference->kind == Binary::Kind::sub && largest->kind == Reduce::Kind::max &&
                            most->inputs[0] == shifted->inputs[0];
    return is_shifted ? shifted->inputs[0] : power->inputs[0];
  }

  /// The scores, or their maps, that a node transposes, or picks some of, or puts beside what is left to 1; kNoValue
  /// for any other.
  ValueId rearranged(const Node& node) const {
    if (dynamic_cast<const Transpose*>(node.op.get())) {
      const auto order = dynamic_cast<const Transpose&>(*node.op).order(shape(node.inputs[0]).rank());
      // Maps as N×H×W×K, or scores among extents of 1.
      const Shape& x = shape(node.inputs[0]);
      const bool is_map = x.rank() == 4 && order[0] == 0;
      const bool is_list = std::count_if(x.begin() + 1, x.end(), [](int64_t extent) { return extent != 1; }) <= 1;
      return is_map || is_list ? node.inputs[0] : kNoValue;
    }
    const bool is_matrix = !node.inputs.empty() && shape(node.outputs[0]).rank() == 2 &&
                           shape(node.inputs[0]).rank() == 2 && shape(node.outputs[0])[0] == shape(node.inputs[0])[0];
    const auto* gather = dynamic_cast<const Gather*>(node.op.get());
    if (is_matrix && gather && resolve_axis(gather->axis, 2) == 1 && !follows_input(node.inputs[1]))
      return node.inputs[0];
    if (is_matrix && (dynamic_cast<const Slice*>(node.op.get()) || dynamic_cast<const SplitSlice*>(node.op.get())))
      return node.inputs[0];
    const auto* both = dynamic_cast<const Concat*>(node.op.get());
    if (!both || node.inputs.size() != 2) return kNoValue;
    for (const size_t i : {size_t{0}, size_t{1}}) {
      const Node* rest = maker(node.inputs[1 - i]);
      const auto* difference = rest ? dynamic_cast<const Binary*>(rest->op.get()) : nullptr;
      if (difference && difference->kind == Binary::Kind::sub && rest->inputs[1] == node.inputs[i] &&
          !follows_input(rest->inputs[0]))
        return node.inputs[i];
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

bool is_probabilities(const Graph& graph, ValueId output) { return Walk(graph).is_probabilities(output); }

}  // namespace graft
