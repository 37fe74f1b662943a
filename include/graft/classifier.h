#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graft/device.h"
#include "graft/listener.h"
#include "graft/model.h"
#include "graft/picture.h"
#include "graft/preprocessing.h"
#include "graft/task.h"

namespace graft {

/// How a model runs over pictures.
struct RunSettings {
  ComputeSettings compute;
  std::optional<Preprocessing> preprocessing;  // none: preprocessing_for(model)
  /// Views of each picture whose outputs (scores before a softmax) are averaged: center | flip | five-crop | ten-crop |
  /// multi-scale, with short sides behind it ("ten-crop:256:320"); empty: center. All views of a picture are in one
  /// batch, however small that is asked for.
  std::string views{};
  /// Pictures of the largest call, where that is known: then what is needed for it is made at once, and the model's own
  /// weights are let go. 0: made at the first call, once for single pictures and once for several.
  size_t pictures = 0;
};

/// One class of a picture, or one measured value.
struct Score {
  int index = 0;      // of the model's output
  std::string label;  // the model's name for it, or the index where it has none
  float score = 0;    // probability 0 to 1; regression: the value, in its own unit
  bool holds = true;  // several labels: the probability reaches the label's threshold, 0.5 where the model has none
};

/// What a model says of one picture.
struct Classification {
  std::vector<Score> top;  // best first; regression: all values in their own order; empty where `error` is not
  std::string error;       // why the picture could not be read
  /// How unlike the training's pictures this one is: the share of held-back pictures of the training's own kind that
  /// lie nearer to it, 0 to 1. Nothing where the model keeps nothing to tell it by.
  std::optional<double> ood_score{};
};

/// A picture as a network reads it: what Classifier::prepare of the same model and settings gave.
struct PreparedPicture {
  std::vector<float> values;
};

/// A model that names what pictures show. One thread at a time may use one; several may run in several threads.
class Classifier {
 public:
  /// Throws Error: as preprocessing_for and device_info; unsupported for a model that cannot run on pictures or whose
  /// first output holds no float32 row for each of them; out_of_memory.
  explicit Classifier(const Model& model, const RunSettings& settings = {});
  ~Classifier();
  Classifier(Classifier&&) noexcept;
  Classifier& operator=(Classifier&&) noexcept;

  Task task() const;
  /// Of the output; empty where the model names none.
  const std::vector<std::string>& labels() const;
  /// The name of an output: its label, or its number.
  std::string label(int index) const;
  /// Of several labels: the probability from which on each is there; empty: 0.5.
  const std::vector<float>& thresholds() const;
  /// Whether the model keeps something to tell by what is like none of its training pictures.
  bool detects_ood() const;

  /// A result for each file, in order; `top`: how many classes of each, all of a regression's. A file that cannot be
  /// read has an `error`. Throws Error (out_of_memory, internal).
  std::vector<Classification> classify(const std::vector<std::string>& paths, size_t top = 5,
                                       Listener* listener = nullptr);
  /// The same of pictures in memory. Throws Error (invalid_argument) for a picture without pixels.
  std::vector<Classification> classify(std::span<const PictureView> pictures, size_t top = 5,
                                       Listener* listener = nullptr);

  /// The same of picture files in memory. What cannot be read has an `error`.
  std::vector<Classification> classify(std::span<const EncodedPictureView> pictures, size_t top = 5,
                                       Listener* listener = nullptr);

  /// classify() in two steps, for whoever prepares pictures while others are computed: prepare() may be called by any
  /// number of threads, also while another classifies. It throws Error where the file cannot be read.
  PreparedPicture prepare(const EncodedPictureView& picture) const;
  std::vector<Classification> classify(std::span<const PreparedPicture> pictures, size_t top = 5);

  /// For many pictures: calls `row` with a picture's index and its probabilities (or measured values), one for each
  /// output, and its Classification::ood_score, in order, as soon as its batch is computed, or `failed` with the
  /// reason. The scores are valid during the call. Returns how many failed.
  using Row = std::function<void(size_t index, std::span<const float> scores, std::optional<double> ood_score)>;
  using Failed = std::function<void(size_t index, const std::string& reason)>;
  size_t run(const std::vector<std::string>& paths, const Row& row, const Failed& failed = {},
             Listener* listener = nullptr);
  size_t run(std::span<const EncodedPictureView> pictures, const Row& row, const Failed& failed = {},
             Listener* listener = nullptr);
  void run(std::span<const PictureView> pictures, const Row& row, Listener* listener = nullptr);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The `top` best of a row of scores, best first, ties to the smaller index; all of a regression's, in their order.
/// `thresholds`: see Classifier::thresholds.
std::vector<Score> best_scores(std::span<const float> scores, Task task, const std::vector<std::string>& labels,
                               size_t top, std::span<const float> thresholds = {});

}  // namespace graft
