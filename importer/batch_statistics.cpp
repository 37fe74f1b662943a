#include "importer/batch_statistics.h"

#include "runtime/core/error.h"
#include "runtime/core/users.h"
#include "runtime/ops/batch_norm.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/reshape.h"

namespace graft {
namespace {

bool is_in_training(const Node& node) {
  const auto* norm = dynamic_cast<const BatchNorm*>(node.op.get());
  return norm && norm->in_training;
}

/// Appends a node and takes it off again, for its place in the order; its outputs stay values of the graph.
Node made(Graph& graph, const std::string& name, OperatorPtr op, std::vector<ValueId> inputs, size_t outputs) {
  std::vector<std::string> names;
  for (size_t i = 0; i < outputs; ++i) names.push_back(graph.unused_name(name + ":" + std::to_string(i)));
  graph.append_node(name, std::move(op), std::move(inputs), names);
  Node node = std::move(graph.nodes.back());
  graph.nodes.pop_back();
  return node;
}

/// x (N×C×…) as rows of its channels.
class Rows {
 public:
  Rows(Graph& graph, std::vector<Node>& nodes, const Node& norm) : graph_(graph), nodes_(nodes), norm_(norm) {}

  ValueId of(ValueId x) {
    shape_ = graph_.value(x).shape;
    if (shape_.rank() < 2 || shape_[1] < 1)
      throw Error("a batch norm in training mode of " + shape_.str() + " has no channels", "the file is damaged");
    std::vector<int64_t> last{0};
    for (int64_t i = 2; i < shape_.rank(); ++i) last.push_back(i);
    last.push_back(1);
    Shape moved;
    for (int64_t i : last) moved.push_back(shape_[static_cast<size_t>(i)]);
    return reshaped(transposed(x, last, moved, "last"), {-1, shape_[1]}, {moved.elements() / shape_[1], shape_[1]},
                    "rows");
  }
  /// The other way; the result is `y`.
  void back(ValueId rows, ValueId y) {
    std::vector<int64_t> apart{-1}, first{0, shape_.rank() - 1};
    for (size_t i = 2; i < shape_.size(); ++i) apart.push_back(shape_[i]), first.push_back(static_cast<int64_t>(i) - 1);
    apart.push_back(shape_[1]);
    Shape moved = apart;
    moved[0] = shape_[0];
    transposed(reshaped(rows, apart, moved, "apart"), first, shape_, "first");
    nodes_.back().outputs[0] = y;
  }

 private:
  ValueId transposed(ValueId x, const std::vector<int64_t>& order, const Shape& shape, const char* suffix) {
    auto op = std::make_shared<Transpose>();
    op->permutation = order;
    return add(std::move(op), {x}, shape, suffix);
  }
  ValueId reshaped(ValueId x, const std::vector<int64_t>& target, const Shape& shape, const char* suffix) {
    const ValueId to = graph_.add_constant(graph_.unused_name(norm_.name + ":" + suffix + ":shape"),
                                           Tensor::copy_of<int64_t>({static_cast<int64_t>(target.size())}, target));
    return add(std::make_shared<Reshape>(), {x, to}, shape, suffix);
  }
  ValueId add(OperatorPtr op, std::vector<ValueId> inputs, const Shape& shape, const char* suffix) {
    nodes_.push_back(made(graph_, norm_.name + ":" + suffix, std::move(op), std::move(inputs), 1));
    graph_.value(nodes_.back().outputs[0]).shape = shape;
    return nodes_.back().outputs[0];
  }

  Graph& graph_;
  std::vector<Node>& nodes_;
  const Node& norm_;
  Shape shape_;
};

enum class Form : uint8_t { fixed, of_pictures, of_rows };

/// Puts the training form in place of norms: kernels take pictures, or rows of channels, as which all else goes.
void take_batch_form(Graph& graph, const std::vector<Form>& forms) {
  std::vector<Node> old = std::move(graph.nodes), nodes;
  graph.nodes.clear();
  for (size_t i = 0; i < old.size(); ++i) {
    if (forms[i] == Form::fixed) {
      nodes.push_back(std::move(old[i]));
      continue;
    }
    const Node& node = old[i];
    auto op = std::make_shared<BatchNormTraining>();
    op->epsilon = dynamic_cast<const BatchNorm&>(*node.op).epsilon;
    Rows rows(graph, nodes, node);
    const bool as_rows = forms[i] == Form::of_rows;
    const ValueId x = as_rows ? rows.of(node.inputs[0]) : node.inputs[0];
    Node norm = made(graph, node.name, op, {x, node.inputs[1], node.inputs[2]}, 3);
    const Shape shape = graph.value(x).shape;
    graph.value(norm.outputs[0]).shape = shape;
    for (size_t output : {size_t{1}, size_t{2}}) graph.value(norm.outputs[output]).shape = {shape[1]};
    const ValueId y = norm.outputs[0];
    if (!as_rows) norm.outputs[0] = node.outputs[0];
    nodes.push_back(std::move(norm));
    if (as_rows) rows.back(y, node.outputs[0]);
  }
  graph.nodes = std::move(nodes);
}

/// For a norm in training mode.
Form form_of(const Graph& graph, const Node& norm, bool follows_input) {
  const int64_t rank = graph.value(norm.inputs[0]).shape.rank();
  return rank == 2 || (rank == 4 && follows_input) ? Form::of_pictures : Form::of_rows;
}

}  // namespace

void take_own_statistics(Graph& graph) {
  const std::vector<bool> follows_input = values_following_inputs(graph);
  std::vector<bool> reshaped(graph.value_count(), false);
  std::vector<Form> forms;
  for (const Node& node : graph.nodes) {
    const bool is_reshape = dynamic_cast<const Reshape*>(node.op.get()) != nullptr;
    for (ValueId id : node.outputs) reshaped[static_cast<size_t>(id)] = is_reshape;
    forms.push_back(Form::fixed);
    if (!is_in_training(node)) continue;
    const auto x = static_cast<size_t>(node.inputs[0]);
    if (!follows_input[x] || reshaped[x]) forms.back() = form_of(graph, node, follows_input[x]);
  }
  take_batch_form(graph, forms);
}

Graph with_batch_statistics(const Graph& graph) {
  Graph own = graph;
  std::vector<Form> forms;
  for (const Node& node : own.nodes) forms.push_back(is_in_training(node) ? form_of(own, node, true) : Form::fixed);
  take_batch_form(own, forms);
  return own;
}

}  // namespace graft
