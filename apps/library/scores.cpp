#include "apps/library/scores.h"

#include <cmath>
#include <iomanip>
#include <sstream>

#include "finetune/heads/ending.h"
#include "finetune/metrics/metrics.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/softmax.h"
#include "runtime/ops/unary.h"

namespace graft {

namespace {

/// The softmax or sigmoid that makes the first output, clipped or cast at most; null where none does.
const Node* last_probabilities(const Graph& graph) {
  const auto producer = graph.producers();
  for (ValueId at = graph.outputs[0];;) {
    const int index = producer[static_cast<size_t>(at)];
    if (index < 0) return nullptr;
    const Node& node = graph.nodes[static_cast<size_t>(index)];
    const auto* unary = dynamic_cast<const Unary*>(node.op.get());
    if (const auto* softmax = dynamic_cast<const Softmax*>(node.op.get()))
      return softmax->form == Softmax::Form::probability ? &node : nullptr;
    if (unary && unary->kind == Unary::Kind::sigmoid) return &node;
    const bool passes = node.op->is_reshape() || dynamic_cast<const Cast*>(node.op.get()) ||
                        (unary && unary->kind == Unary::Kind::clip);
    if (!passes) return nullptr;
    at = node.inputs[0];
  }
}

}  // namespace

bool ends_in_probabilities(const Graph& graph) { return is_probabilities(graph, graph.outputs[0]); }

std::string scores_before_softmax(const Graph& graph) {
  const Node* node = last_probabilities(graph);
  return node && dynamic_cast<const Softmax*>(node->op.get()) ? graph.value(node->inputs[0]).name : std::string();
}

bool seems_to_end_in_features(const OnnxModel& model) {
  const Graph& graph = model.graph;
  if (graph.outputs.empty() || !model.metadata.labels.empty() || !model.metadata.task.empty()) return false;
  return !ends_in_probabilities(graph) && find_ending(graph, graph.outputs[0]).classifiers.empty();
}

std::string output_label(const std::vector<std::string>& labels, int index) {
  const auto i = static_cast<size_t>(index);
  return i < labels.size() ? labels[i] : std::to_string(index);
}

void to_probabilities(std::span<float> scores, Task task, bool done, double temperature) {
  if (done || task == Task::regression) return;
  if (task == Task::classes && temperature != 1)
    for (float& v : scores) v = static_cast<float>(static_cast<double>(v) / temperature);
  if (task == Task::multi_label || scores.size() == 1)
    for (float& v : scores) v = 1 / (1 + std::exp(-v));
  else
    softmax_rows(scores, scores.size());
}

std::string score_text(Task task, double score) {
  std::ostringstream text;
  text << std::fixed;
  if (task == Task::regression)
    text << "R² " << std::setprecision(4) << score;
  else
    text << (task == Task::multi_label ? "mAP " : "top-1 ") << std::setprecision(2) << score * 100 << " %";
  return text.str();
}

std::string short_number(double value) {
  std::ostringstream text;
  text << std::setprecision(3) << value;
  return text.str();
}

}  // namespace graft
