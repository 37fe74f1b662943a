#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "importer/mapped_file.h"

namespace graft {

/// Where the bytes of a model's large tensors are: in the model's own file, or in files beside it. They are read
/// straight into their tensors, so that no second copy of them is ever in memory.
class Weights {
 public:
  Weights() = default;  // messages hold all their bytes themselves
  explicit Weights(std::string folder) : folder_(std::move(folder)) {}

  struct Range {
    size_t offset = 0, bytes = 0;
  };

  /// A model file's message without the bytes of its large tensors, which stay behind as ranges of the file: their
  /// tensors name the range as external data at `kOwnFile`. Nothing when the file is no well-formed message.
  std::optional<std::string> take_from(std::shared_ptr<const MappedFile> file);

  static constexpr const char* kOwnFile = "\x01own";
  /// Fills `to` with exactly `bytes` of the range with this index, or of a file beside the model.
  void read_own(size_t range, void* to, size_t bytes) const;
  void read_beside(const std::string& location, size_t offset, void* to, size_t bytes) const;
  /// The size of the model's file, and what was read of files beside it.
  size_t bytes_read() const { return (file_ ? file_->size() : 0) + bytes_beside_; }

 private:
  std::string folder_;
  std::shared_ptr<const MappedFile> file_;
  std::vector<Range> ranges_;
  mutable size_t bytes_beside_ = 0;
};

}  // namespace graft
