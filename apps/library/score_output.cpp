#include "apps/library/score_output.h"

#include <algorithm>

#include "finetune/heads/ending.h"
#include "runtime/core/users.h"

namespace graft {

void put_classifier_first(OnnxModel& model) {
  Graph& graph = model.graph;
  std::vector<ValueId>& outputs = graph.outputs;
  if (outputs.size() < 2) return;
  const std::vector<bool> follows_input = values_following_inputs(graph);
  const auto is_classifier = [&](ValueId id) {
    return graph.value(id).dtype == DType::f32 && follows_input[static_cast<size_t>(id)] &&
           !find_ending(graph, id).classifiers.empty();
  };
  // Probabilities are a classifier's for certain; a dense layer may as well end in an embedding.
  auto chosen = std::find_if(outputs.begin(), outputs.end(), [&](ValueId id) {
    return is_classifier(id) && is_probabilities(graph, id) && graph.value(id).shape.back() > 1;
  });
  if (chosen == outputs.end()) chosen = std::find_if(outputs.begin(), outputs.end(), is_classifier);
  if (chosen == outputs.end())
    chosen = std::find_if(outputs.begin(), outputs.end(),
                          [&](ValueId id) { return follows_input[static_cast<size_t>(id)]; });
  if (chosen != outputs.end()) {
    model.outputs_moved = static_cast<size_t>(chosen - outputs.begin());
    std::rotate(outputs.begin(), chosen, chosen + 1);
  }
  std::string others;
  for (size_t i = 1; i < outputs.size(); ++i) others += (i == 1 ? "\"" : ", \"") + graph.value(outputs[i]).name + "\"";
  model.notes.push_back("of " + std::to_string(outputs.size()) + " outputs \"" + graph.value(outputs[0]).name +
                        "\" is read, not " + others);
}

void restore_output_order(OnnxModel& model) {
  std::vector<ValueId>& outputs = model.graph.outputs;
  if (model.outputs_moved >= outputs.size()) return;
  std::rotate(outputs.begin(), outputs.begin() + 1,
              outputs.begin() + static_cast<std::ptrdiff_t>(model.outputs_moved) + 1);
  model.outputs_moved = 0;
}

}  // namespace graft
