#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "apps/library/feature_reader.h"
#include "augment/loader.h"
#include "augment/pipeline.h"
#include "graft/classifier.h"
#include "importer/model.h"
#include "runtime/plan/row_plan.h"

namespace graft {

/// Ends the graph in this node or value; empty: in its first output alone. Throws Error.
void choose_output(OnnxModel& model, const std::string& output);

/// Runs a model over pictures and hands out one row of results for each, the mean of its views'. Not thread-safe.
class PictureRunner {
 public:
  /// `output`: name of the node or value to read; empty: the model's first output. `features`: a value to read beside
  /// it, or kNoValue. Throws Error.
  PictureRunner(OnnxModel model, const RunSettings& settings, const std::string& output = "",
                ValueId features = kNoValue);

  /// Numbers of a row. RunSettings::pictures must be given, or pictures have run.
  size_t width() const { return outputs_.at(0).width; }

  /// `features` is empty where none are read.
  using Row = std::function<void(size_t index, std::span<const float> values, std::span<const float> features)>;
  using Failed = std::function<void(size_t index, const std::string& reason)>;
  /// Calls `row` in order. A picture that cannot be read is told to the listener and handed to `failed`. Returns how
  /// many those were.
  size_t run(const std::string& phase, const std::vector<std::string>& paths, const Row& row, const Failed& failed,
             Listener* listener);
  /// The same of files in memory.
  size_t run(const std::string& phase, std::span<const EncodedPictureView> pictures, const Row& row,
             const Failed& failed, Listener* listener);
  /// What the network reads of a file in memory: views × height × width × channels. Any number of threads may call it,
  /// while another runs. Throws Error where the file cannot be read.
  std::vector<float> prepare(const EncodedPictureView& picture) const;
  /// Runs what prepare() gave. Throws Error for anything else.
  void run_prepared(const std::vector<std::span<const float>>& pictures, const Row& row);
  /// Throws Error for a picture without pixels.
  void run(const std::string& phase, std::span<const PictureView> pictures, const Row& row, Listener* listener);

 private:
  size_t run(const std::string& phase, std::vector<LoadRequest> requests, const Row& row, const Failed& failed,
             Listener* listener);
  void look_on_disk(const Graph& graph, ValueId features);
  size_t run_from_disk(const std::string& phase, const std::vector<LoadRequest>& requests, const Row& row,
                       const Failed& failed, Listener* listener);
  RowPlan make_plan(const OnnxModel& model, size_t rows);
  RowPlan& plan_for(size_t pictures);
  void begin(RowPlan& plan, Listener* listener);
  void tell_notes(Listener* listener);
  void tell_slowness(bool one_by_one, Listener* listener);
  /// Rows of a plan for so many pictures.
  size_t rows_for(size_t pictures) const;
  void read(RowPlan& plan);
  void hand_out(const Row& row, size_t index, size_t place);

  ComputeSettings compute_;
  Preprocessing preprocessing_;
  Pipeline pipeline_;
  size_t largest_batch_;
  std::optional<OnnxModel> model_;  // as long as further plans may be made of it
  std::optional<RowPlan> single_, several_;
  std::shared_ptr<FeatureFiles> files_;
  std::optional<FeatureReader> reader_;  // of what lies below the head, where features are kept on disk
  std::optional<RowPlan> head_;          // what reads that; none: its rows are the results
  struct Output {
    size_t width = 0;
    std::vector<float> rows{};  // of a batch, plain
  };
  std::vector<Output> outputs_;     // that are read
  std::vector<std::string> notes_;  // about the model, not yet told
  bool slowness_told_ = false;
};

}  // namespace graft
