#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "augment/decoded_pictures.h"
#include "augment/pipeline.h"
#include "runtime/core/picture_bytes.h"

namespace graft {

/// One picture to deliver. The pixels are a function of (path or bytes, random_key, pipeline) alone.
struct LoadRequest {
  std::string path;
  uint64_t random_key = 0;
  /// The file's contents, which outlive the loader, where they are in memory: then the path only names the picture.
  std::optional<std::span<const uint8_t>> bytes{};
};

/// Floats as the network takes them, or bytes as the pictures have them, with what remains to be done.
enum class PixelForm : uint8_t { floats, bytes };

/// Delivers batches in the order of the requests while worker threads work up to two batches ahead.
class Loader {
 public:
  struct Batch {
    std::vector<float> pixels;  // batch × views × height × width × channels; slots without a picture are zero
    std::vector<uint8_t> bytes,
        turns;  // in the form of bytes: the same numbers of them, and one PictureBytes::Turn a slot
    std::vector<std::string> errors;  // one a slot; empty where the picture is good
    size_t count = 0;                 // slots in use; fewer than the batch size only in the last batch
    size_t first = 0;                 // index of slot 0 among the requests
  };

  /// `threads` 0: one a core. The pipeline must outlive the loader; for bytes it must have one view. `decoded`: where
  /// decoded pictures are looked for and kept; none: each is decoded as far as it is needed.
  Loader(const Pipeline& pipeline, std::vector<LoadRequest> requests, size_t batch_size, int threads = 0,
         PixelForm form = PixelForm::floats, std::shared_ptr<DecodedPictures> decoded = nullptr);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// The next batch, or null after the last. Valid until the next call.
  const Batch* next();

 private:
  struct Slot {
    Batch batch;
    size_t missing = 0;
  };
  /// Batches whose slots are free again: all delivered but the one in the caller's hands.
  size_t recycled() const { return delivered_ == 0 ? 0 : delivered_ - 1; }
  size_t view_size() const;  // numbers of a view
  void work();
  void load_one(size_t request, Batch& batch, size_t at) const;
  WarpedImage picture(const LoadRequest& wanted) const;
  std::shared_ptr<const Image> shared_picture(const LoadRequest& wanted) const;

  const Pipeline& pipeline_;
  std::vector<LoadRequest> requests_;
  size_t batch_size_, batches_;
  PixelForm form_;
  std::shared_ptr<DecodedPictures> decoded_;
  size_t next_request_ = 0, delivered_ = 0;
  bool stopping_ = false;
  std::deque<Slot> slots_;  // a ring of batches in work
  std::mutex mutex_;
  std::condition_variable work_, ready_;
  std::vector<std::thread> threads_;
};

}  // namespace graft
