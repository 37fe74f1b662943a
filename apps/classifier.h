#pragma once

#include <functional>
#include <string>
#include <vector>

#include "apps/common.h"
#include "augment/loader.h"

namespace graft::app {

/// Runs a model over a list of pictures and hands out one row of results for each.
class PictureRunner {
 public:
  /// `output`: name of the value to read; empty: the model's first output.
  PictureRunner(Model model, const Preprocessing& preprocessing, const CommonOptions& common, size_t pictures, const std::string& output = "");
  size_t width() const { return width_; }

  /// Calls row(index, values) in order; where a picture cannot be read, failed(index, reason) instead.
  void run(const std::vector<std::string>& paths, const std::function<void(size_t, std::span<const float>)>& row, const std::function<void(size_t, const std::string&)>& failed,
           const std::function<void(int64_t)>& progress);

 private:
  Pipeline pipeline_;
  size_t batch_;
  Plan plan_;
  size_t width_ = 0;
};

/// Index of a model's class as text: its label, or the number.
std::string class_name(const Metadata& metadata, int index);

/// True when the model's output is already a softmax.
bool ends_in_softmax(const Graph& graph);

}  // namespace graft::app
