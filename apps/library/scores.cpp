#include "apps/library/scores.h"

#include <cmath>
#include <iomanip>
#include <sstream>

#include "finetune/metrics/metrics.h"
#include "runtime/ops/softmax.h"

namespace graft {

namespace {

/// The softmax that makes the first output, be it reshaped afterwards; null where none does.
const Node* last_softmax(const Graph& graph) {
  const auto producer = graph.producers();
  for (ValueId at = graph.outputs[0];;) {
    const int index = producer[static_cast<size_t>(at)];
    if (index < 0) return nullptr;
    const Node& node = graph.nodes[static_cast<size_t>(index)];
    if (const auto* softmax = dynamic_cast<const Softmax*>(node.op.get()))
      return softmax->form == Softmax::Form::probability ? &node : nullptr;
    if (!node.op->is_reshape()) return nullptr;
    at = node.inputs[0];
  }
}

}  // namespace

bool ends_in_softmax(const Graph& graph) { return last_softmax(graph) != nullptr; }

std::string scores_before_softmax(const Graph& graph) {
  const Node* softmax = last_softmax(graph);
  return softmax ? graph.value(softmax->inputs[0]).name : std::string();
}

std::string output_label(const std::vector<std::string>& labels, int index) {
  const auto i = static_cast<size_t>(index);
  return i < labels.size() ? labels[i] : std::to_string(index);
}

void to_probabilities(std::span<float> scores, Task task, bool softmax) {
  if (task == Task::multi_label)
    for (float& v : scores) v = 1 / (1 + std::exp(-v));
  else if (task == Task::classes && !softmax)
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
