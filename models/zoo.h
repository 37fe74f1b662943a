#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graft/preprocessing.h"

namespace graft {

/// A file of the ONNX Model Zoo, by what its repository says of it: size and SHA-256 in bytes and hexadecimal, the
/// preprocessing that it was trained with. The text belongs to the program.
struct ZooModel {
  std::string_view name, source;  // "resnet50", "timm"; two files of one name differ in their source
  int64_t bytes = 0;
  std::string_view sha256;
  int64_t side = 224;
  double crop = 0.875;   // of the short side, before the middle is cut out
  std::string_view fit;  // "crop" of the short side, "squash" of both sides
  std::string_view interpolation, order, scale, mean, deviation;
  int64_t classes = 0;       // 0: no scores
  std::string_view licence;  // empty: none is stated with the file
  std::string_view told_by;  // what says so of the preprocessing
  std::string_view url;

  Preprocessing preprocessing() const;
  /// ImageNet's names in the order of the scores, for its 1000 classes, or 1001 with the background first; else none.
  std::vector<std::string> labels() const;
  /// "resnet", of resnet50 and resnet152d.
  std::string_view family() const;
  /// What names this file alone: "zoo:resnet50", or "zoo:timm/resnet50" where another has its name.
  std::string reference() const;
};

/// ImageNet's names in the order that networks of so many scores have, 1000 or 1001 with the background first; else
/// none.
std::vector<std::string> imagenet_labels(int64_t classes);

/// All files, by name.
const std::vector<ZooModel>& zoo_models();

/// Those of a name, which may say the source: "timm/resnet50".
std::vector<const ZooModel*> zoo_models_named(std::string_view name);

/// The name that is nearest to a mistyped one; empty where none is near.
std::string nearest_zoo_name(std::string_view name);

/// Files of so many bytes: whether a local file is one of them, its SHA-256 tells.
std::vector<const ZooModel*> zoo_models_of_size(int64_t bytes);

}  // namespace graft
