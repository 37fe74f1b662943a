#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "graft/preprocessing.h"
#include "runtime/core/graph.h"

namespace graft {

/// Key in Metadata::other: how many of the last outputs are auxiliary heads, which only train.
inline constexpr const char* kAuxiliaryOutputs = "graft.auxiliary_outputs";

/// What an ONNX file says about itself beside the graph.
struct Metadata {
  std::vector<std::string> labels;  // class names in the order of the outputs
  std::string task;                 // "multi-label", "regression"; empty: one class a picture
  std::optional<Preprocessing> preprocessing;
  std::map<std::string, std::string> other;
};

/// Height and width of a picture, in pixels.
struct PictureSize {
  int64_t height = 224, width = 224;
};

/// An ONNX file as the importer reads it; graft::Model is made of it.
struct OnnxModel {
  Graph graph;
  Metadata metadata;
  std::string path;
  int64_t opset = 0, ir_version = 0;
  PictureSize usual_size;            // of a picture whose size the file leaves open: one that fits the network
  std::vector<std::string> notes;    // what was guessed or replaced, each in one line
  bool preprocesses_inside = false;  // metadata.preprocessing follows from the graph's front
  int64_t declared_batch = 0;        // first extent of input 0 as the file fixes it; 0 where it is open there
  size_t outputs_moved = 0;          // index in the file of the output that was put first, before others
  bool batch_opened = false;         // and that it could be made open; elsewhere the graph's input has it, too

  struct Picture {
    int64_t channels = 0, height = 0, width = 0;  // 0 where the file leaves the extent open
  };
  /// What input 0 takes. Throws Error when it is not N×C×H×W.
  Picture picture() const;
};

}  // namespace graft
