#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "graft/dataset.h"
#include "graft/evaluate.h"

namespace graft {

/// How two models differ on the same pictures. Positive: the second has more.
struct Difference {
  double value = 0;   // mean over the pictures, second minus first
  Interval interval;  // paired bootstrap: 95 % of sets drawn from the pictures, both models judged on the same ones
  /// Whether the interval leaves no room for none at all.
  bool beyond_chance() const { return interval.low > 0 || interval.high < 0; }
};

struct Comparison {
  size_t pictures = 0;  // that both could read
  /// Of what is right: the answer, or every label of a picture. Measured values: of the mean absolute error.
  Difference score;
  Difference loss;
  /// Pictures that they answer differently, by their place among the files, those that part their losses most first;
  /// measured values have none.
  std::vector<size_t> differ;
  size_t only_first_right = 0, only_second_right = 0;
};

/// Both evaluations are of `files`, by models of the same task and classes. Throws Error (invalid_argument) where they
/// are not, or where no picture is in both.
Comparison compare(const Evaluation& first, const Evaluation& second, const std::vector<LabelledFile>& files);

/// Whether a label's probability reaches its threshold. Of several labels alone; Evaluation e made the prediction.
bool label_holds(const Prediction& prediction, size_t label, const Evaluation& e);

/// The names that a picture is answered with: one class, or each label whose probability reaches its threshold.
std::vector<std::string> answer_of(const Prediction& prediction, const Evaluation& evaluation);

/// Whether a prediction is right: the answer is the true class, every label is on the right side of its threshold. Not
/// for measured values.
bool is_right(const Prediction& prediction, const LabelledFile& file, const Evaluation& evaluation);

}  // namespace graft
