#pragma once

#include <functional>
#include <string>
#include <vector>

#include "apps/common.h"
#include "augment/loader.h"
#include "runtime/plan/row_plan.h"

namespace graft::app {

/// Runs a model over a list of pictures and hands out one row of results for each.
class PictureRunner {
 public:
  /// `output`: name of the value to read; empty: the model's first output.
  PictureRunner(Model model, const Preprocessing& preprocessing, const CommonOptions& common, size_t pictures,
                const std::string& output = "");
  size_t width() const { return width_; }

  using Row = std::function<void(size_t index, std::span<const float> values)>;
  using Failed = std::function<void(size_t index, const std::string& reason)>;
  /// Calls row in order, with a progress bar named `task`. A picture that cannot be read is named on stderr, handed to
  /// `failed` and makes the exit status "some skipped". Returns how many those were.
  size_t run(const std::string& task, const std::vector<std::string>& paths, const Row& row, const Failed& failed = {});

 private:
  bool quiet_;
  Pipeline pipeline_;
  size_t batch_;
  RowPlan plan_;
  size_t width_ = 0;
};

/// Index of a model's class as text: its label, or the number.
std::string class_name(const Metadata& metadata, int index);

/// True when the model's output is already a softmax.
bool ends_in_softmax(const Graph& graph);

}  // namespace graft::app
