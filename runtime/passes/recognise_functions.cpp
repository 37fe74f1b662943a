#include <cmath>
#include <optional>

#include "runtime/core/users.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/unary.h"
#include "runtime/passes/passes.h"

namespace graft {
namespace {

class Recogniser {
 public:
  explicit Recogniser(Graph& graph) : graph_(graph), users_(graph), dead_(graph.nodes.size(), false) {}

  void run() {
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      const auto* unary = dynamic_cast<const Unary*>(graph_.nodes[i].op.get());
      if (!unary) continue;
      if (unary->kind == Unary::Kind::sigmoid) gate(i, Unary::Kind::swish, 1.0f);
      if (unary->kind == Unary::Kind::hard_sigmoid && near(unary->alpha, 1.0f / 6) && near(unary->beta, 0.5f))
        gate(i, Unary::Kind::hard_swish, 0.0f);
      if (unary->kind == Unary::Kind::erf) gelu(i);
    }
    erase_nodes(graph_, dead_);
  }

 private:
  static bool near(float a, float b) { return std::fabs(a - b) < 1e-5f; }

  /// The node that alone reads a value, when it is a plain arithmetic step; -1 otherwise.
  int reader(ValueId id, Binary::Kind kind) const {
    const int index = users_.only_reader(id);
    return is(index, kind) ? index : -1;
  }
  bool is(int index, Binary::Kind kind) const {
    const auto* binary =
        index < 0 ? nullptr : dynamic_cast<const Binary*>(graph_.nodes[static_cast<size_t>(index)].op.get());
    return binary && binary->kind == kind && binary->activation.kind == Activation::Kind::none;
  }
  ValueId other(const Node& node, ValueId id) const { return node.inputs[0] == id ? node.inputs[1] : node.inputs[0]; }
  std::optional<float> number(ValueId id) const {
    const Value& v = graph_.value(id);
    if (!v.constant || v.trainable || v.dtype != DType::f32 || v.constant->elements() != 1) return std::nullopt;
    return v.constant->data<float>()[0];
  }
  bool is_number(ValueId id, float wanted) const {
    const auto n = number(id);
    return n && near(*n, wanted);
  }

  /// Makes node `last` compute `kind` of x, and nodes `steps` vanish.
  void become(size_t last, Unary::Kind kind, float alpha, ValueId x, std::initializer_list<size_t> steps) {
    Node& node = graph_.nodes[last];
    node.op = make_unary(kind, alpha);
    node.inputs = {x};
    for (size_t i : steps) dead_[i] = true;
  }

  /// x·gate(x), the gate being node i.
  void gate(size_t i, Unary::Kind kind, float alpha) {
    const ValueId x = graph_.nodes[i].inputs[0], g = graph_.nodes[i].outputs[0];
    const int product = reader(g, Binary::Kind::mul);
    if (product < 0 || other(graph_.nodes[static_cast<size_t>(product)], g) != x) return;
    become(static_cast<size_t>(product), kind, alpha, x, {i});
  }

  /// x·½·(1 + erf(x/√2)), the erf being node i, with the half before or after.
  void gelu(size_t i) {
    const int scaling = users_.producer(graph_.nodes[i].inputs[0]);
    if (scaling < 0 || dead_[static_cast<size_t>(scaling)]) return;
    const Node& scale = graph_.nodes[static_cast<size_t>(scaling)];
    const bool divided = is(scaling, Binary::Kind::div) && is_number(scale.inputs[1], std::sqrt(2.0f));
    const bool multiplied = is(scaling, Binary::Kind::mul) && is_number(scale.inputs[1], std::sqrt(0.5f));
    if ((!divided && !multiplied) || users_.readers(scale.outputs[0]).size() != 1) return;
    const ValueId x = scale.inputs[0], erf = graph_.nodes[i].outputs[0];
    const int sum = reader(erf, Binary::Kind::add);
    if (sum < 0 || !is_number(other(graph_.nodes[static_cast<size_t>(sum)], erf), 1.0f)) return;
    const ValueId raised = graph_.nodes[static_cast<size_t>(sum)].outputs[0];
    const int product = reader(raised, Binary::Kind::mul);
    if (product < 0) return;
    const auto steps = {static_cast<size_t>(scaling), i, static_cast<size_t>(sum)};
    const Node& times = graph_.nodes[static_cast<size_t>(product)];
    const ValueId factor = other(times, raised);
    if (factor == x) {
      const int halving = reader(times.outputs[0], Binary::Kind::mul);
      if (halving < 0 || !is_number(other(graph_.nodes[static_cast<size_t>(halving)], times.outputs[0]), 0.5f)) return;
      become(static_cast<size_t>(halving), Unary::Kind::gelu, 0, x, steps);
      dead_[static_cast<size_t>(product)] = true;
      return;
    }
    const int half = users_.producer(factor);
    if (!is(half, Binary::Kind::mul) || users_.readers(factor).size() != 1) return;
    const Node& halved = graph_.nodes[static_cast<size_t>(half)];
    if (other(halved, x) == x || !is_number(other(halved, x), 0.5f) || (halved.inputs[0] != x && halved.inputs[1] != x))
      return;
    become(static_cast<size_t>(product), Unary::Kind::gelu, 0, x, steps);
    dead_[static_cast<size_t>(half)] = true;
  }

  Graph& graph_;
  Users users_;
  std::vector<bool> dead_;
};

}  // namespace

void recognise_functions(Graph& graph) { Recogniser(graph).run(); }

}  // namespace graft
