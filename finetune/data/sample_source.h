#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/core/content_key.h"
#include "runtime/core/picture_bytes.h"

namespace graft {

/// A picture in one of its augmented variants. Variant 0 is the plain evaluation view.
struct SampleRef {
  int64_t index = 0;
  uint64_t variant = 0;
};

struct SampleBatch {
  const float* pixels = nullptr;        // slots × height × width × channels
  size_t count = 0;                     // slots in use, from the front
  size_t floats = 0;                    // height × width × channels
  std::span<const std::string> errors;  // one a slot; empty where the sample is good
  PictureBytes bytes{};                 // of a byte_stream(): in the place of `pixels`, for all slots of a batch
};

class SampleStream {
 public:
  virtual ~SampleStream() = default;
  /// The next batch, in the order asked for; false after the last. Valid until the next call.
  virtual bool next(SampleBatch& batch) = 0;
};

/// Where a trainer's pictures come from. Implemented over augment by the program; by arrays in tests.
class SampleSource {
 public:
  virtual ~SampleSource() = default;
  virtual int64_t size() const = 0;
  /// The class; where target() says more, any number that is not negative.
  virtual int label(int64_t index) const = 0;
  /// Targets of several numbers (marks of 0 and 1, measured values); empty where the class says it all.
  virtual std::span<const float> target(int64_t /*index*/) const { return {}; }
  /// Of its loss in training, in proportion to the others; more than 0.
  virtual float weight(int64_t /*index*/) const { return 1; }
  virtual std::unique_ptr<SampleStream> stream(std::vector<SampleRef> order, size_t batch) const = 0;
  /// The same samples as bytes, for a device that makes floats of them. Null where the source has floats alone.
  virtual std::unique_ptr<SampleStream> byte_stream(const std::vector<SampleRef>& /*order*/, size_t /*batch*/) const {
    return nullptr;
  }
  /// What the pixels of these samples are made from, as keys: the same key, the same pixels. Nothing for a sample whose
  /// content cannot be told beforehand; an empty list where none can.
  virtual std::vector<std::optional<ContentKey>> content_keys(const std::vector<SampleRef>& /*samples*/) const {
    return {};
  }
  /// Whether a sample is still what its key was made of; asked once its pixels are made.
  virtual bool is_unchanged(const SampleRef& /*sample*/) const { return true; }
};

/// What a sample with a class weighs, of its own and as one of its class. `class_weights`: empty for all 1.
inline double class_sample_weight(const SampleSource& source, int64_t index, std::span<const float> class_weights) {
  const auto own = static_cast<double>(source.weight(index));
  return class_weights.empty() ? own
                               : own * static_cast<double>(class_weights[static_cast<size_t>(source.label(index))]);
}

}  // namespace graft
