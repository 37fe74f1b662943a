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

/// Figures of a model with one class a picture.
struct ClassFigures {
  double top1 = 0, top5 = 0;           // accuracy, 0 to 1
  double top1_low = 0, top1_high = 0;  // 95 % bootstrap interval of top1
  double loss = 0;                     // mean cross-entropy, in nats
  double calibration_error = 0;        // expected, over 15 bins of confidence
  double temperature = 1;              // that makes the probabilities most likely
  double loss_at_temperature = 0, calibration_error_at_temperature = 0;
  std::optional<double> roc_auc;   // of two classes
  std::vector<int64_t> confusion;  // classes × classes; rows: true class, columns: predicted
  struct OfClass {
    int64_t pictures = 0;
    double precision = 0, recall = 0, f1 = 0;  // 0 where the class never occurs, or is never predicted
  };
  std::vector<OfClass> per_class;
};

/// Figures of a model with several labels a picture.
struct LabelFigures {
  double mean_average_precision = 0;
  double exact = 0;  // share of pictures with every label right
};

/// Figures of a model of measured values, in their units.
struct ValueFigures {
  double r2 = 0, mean_absolute_error = 0, root_mean_squared_error = 0;
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
