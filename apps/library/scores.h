#pragma once

#include <span>
#include <string>
#include <vector>

#include "graft/task.h"
#include "importer/model.h"
#include "runtime/core/graph.h"

namespace graft {

/// True where the graph's first output holds probabilities: a softmax or a sigmoid makes it, be it cast, clipped or
/// reshaped afterwards.
bool ends_in_probabilities(const Graph& graph);

/// Name of what the first output's softmax reads: probabilities have lost how wrong a wrong answer is. Empty where that
/// output is made by no softmax.
std::string scores_before_softmax(const Graph& graph);

/// Whether nothing says that the first output is of classes: it has no labels, and no classifier, softmax or sigmoid
/// makes it. Its numbers are features, as far as that can be seen.
bool seems_to_end_in_features(const OnnxModel& model);

/// An output's name: its label, or its number.
std::string output_label(const std::vector<std::string>& labels, int index);

/// A row of the model's output as probabilities, in place; measured values stay. One score alone is that of a yes.
/// `done`: the output holds probabilities already. `temperature`: of the softmax over classes.
void to_probabilities(std::span<float> scores, Task task, bool done, double temperature = 1);

/// "top-1 97.40 %", "mAP 91.20 %", "R² 0.8312".
std::string score_text(Task task, double score);
/// Three digits.
std::string short_number(double value);

}  // namespace graft
