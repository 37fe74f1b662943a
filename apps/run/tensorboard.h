#pragma once

#include <cstdint>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "augment/pixels/image.h"
#include "graft/model.h"

namespace graft::app {

/// A file of events that TensorBoard reads, whole after each call: records of Event messages as TFRecord frames them.
/// [tensorflow/core/util/event.proto, framework/summary.proto, lib/io/record_writer.h]
class EventFile {
 public:
  /// FOLDER/events.out.tfevents.SECONDS.graft. Throws Error (io).
  explicit EventFile(const std::string& folder);
  /// `step`: the epoch.
  void scalars(int64_t step, const std::vector<std::pair<std::string, double>>& values);
  void image(int64_t step, const std::string& tag, const Image& image);
  /// Of each weight of the network with two dimensions or more.
  void weights(int64_t step, const Model& model);

 private:
  void write(int64_t step, const std::string& values);
  void record(const std::string& event);
  std::string path_;
  std::ofstream stream_;
};

/// Rows of features that TensorBoard's projector shows: FOLDER/features.tsv, labels.tsv (class, path) and
/// projector_config.pbtxt. `labels`: one a row.
void write_projector(const std::string& folder, const std::vector<float>& features, size_t width,
                     const std::vector<std::string>& labels, const std::vector<std::string>& paths);

}  // namespace graft::app
