#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graft/classifier.h"
#include "graft/dataset.h"
#include "graft/listener.h"
#include "graft/model.h"
#include "graft/picture.h"

namespace graft {

/// The middle 95 % of what a figure comes to on sets drawn from the pictures with replacement.  [Efron & Tibshirani
/// 1993, the percentile interval]
struct Interval {
  double low = 0, high = 0;
};

/// A point of the ROC and precision-recall curves: what a threshold on the probability lets through, everything that is
/// at least as likely.
struct CurvePoint {
  double threshold = 0;
  double true_positive_rate = 0, false_positive_rate = 0, precision = 0;  // true positive rate: the recall, too
};

/// Figures of a model with one class a picture.
struct ClassFigures {
  double top1 = 0, top5 = 0;  // accuracy, 0 to 1
  std::vector<double> top;    // accuracy within the best 1, 2, … 10, as far as there are classes
  Interval top1_interval;
  double loss = 0;  // mean cross-entropy, in nats
  Interval loss_interval;
  double macro_precision = 0, macro_recall = 0, macro_f1 = 0;  // means over the classes that occur
  Interval macro_f1_interval;
  double calibration_error = 0;  // expected, over 15 bins of confidence
  double temperature = 1;        // that makes the probabilities most likely
  double loss_at_temperature = 0, calibration_error_at_temperature = 0;
  std::optional<double> roc_auc;   // of two classes that both occur
  std::vector<int64_t> confusion;  // classes × classes; rows: true class, columns: predicted
  struct OfClass {
    int64_t pictures = 0, predicted = 0;
    double precision = 0, recall = 0, f1 = 0;  // 0 where the class never occurs, or is never predicted
    /// By the probability of the class, its pictures against all others; none where there are only the ones or the
    /// others. [as scikit-learn's roc_auc_score and average_precision_score, one against the rest]
    std::optional<double> roc_auc, average_precision;
    std::vector<CurvePoint> curve;  // from the highest threshold on; of many at most 500
  };
  std::vector<OfClass> per_class;
};

/// Figures of a model with several labels a picture.
struct LabelFigures {
  double mean_average_precision = 0;  // over the labels that occur
  Interval mean_average_precision_interval;
  double exact = 0;     // share of pictures with every label right
  double macro_f1 = 0;  // at the labels' thresholds, over the labels that occur
  struct OfLabel {
    int64_t pictures = 0;                      // that have it
    double threshold = 0.5;                    // the model's own for this label, a probability
    double precision = 0, recall = 0, f1 = 0;  // at that threshold
    std::optional<double> roc_auc, average_precision;
    double best_threshold = 0.5, f1_at_best = 0;  // the probability of the largest F1
    std::vector<CurvePoint> curve;
  };
  std::vector<OfLabel> per_label;
};

/// Figures of a model of measured values, in their units.
struct ValueFigures {
  double r2 = 0, mean_absolute_error = 0, root_mean_squared_error = 0;
  Interval r2_interval, mean_absolute_error_interval;
  struct OfValue {
    double r2 = 0, mean_absolute_error = 0, root_mean_squared_error = 0;
  };
  std::vector<OfValue> per_value;
};

/// What the model makes of one picture.
struct Prediction {
  size_t file = 0;  // index into the evaluated files
  /// One class a picture: which is true and which is answered, their probabilities, and how many classes the model
  /// finds more likely than the true one.
  int truth = -1, answer = -1, rank = 0;
  float score = 0, truth_score = 0;
  /// Cross-entropy in nats, the mean of the labels' cross-entropies, or the mean squared error.
  double loss = 0;
  /// Several labels: the probability of each; measured values: the model's.
  std::vector<float> values{};
};

/// What a model is worth on labelled pictures.
struct Evaluation {
  Task task = Task::classes;            // says which of the figures there are
  int64_t pictures = 0;                 // that could be read
  std::vector<std::string> classes;     // of the model's outputs
  std::vector<SkippedPicture> skipped;  // index: into the evaluated files
  std::optional<ClassFigures> of_classes;
  std::optional<LabelFigures> of_labels;
  std::optional<ValueFigures> of_values;
  std::vector<Prediction> predictions;  // of those that could be read, in the files' order
};

/// Runs the model over files of a dataset. `classes`: Dataset::classes, matched with the model's labels by name
/// (several labels and measured values: in the model's order); where it has none, by number where all classes are
/// numbers of outputs, else by position. Calls may run in several threads at the same time. Throws Error:
/// invalid_argument where the model's outputs are not the data's classes; bad_data where no picture can be read; else
/// as Classifier.
Evaluation evaluate(const Model& model, const std::vector<LabelledFile>& files, const std::vector<std::string>& classes,
                    const RunSettings& settings = {}, Listener* listener = nullptr);

/// The same of the dataset's test part; where it has none of what validates, else of what trains.
Evaluation evaluate(const Model& model, const Dataset& dataset, const RunSettings& settings = {},
                    Listener* listener = nullptr);

}  // namespace graft
