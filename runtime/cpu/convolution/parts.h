#pragma once

#include <algorithm>
#include <vector>

#include "runtime/core/thread_limit.h"
#include "runtime/cpu/onednn.h"
#include "runtime/ops/window.h"

namespace graft::cpu {

/// Part of a picture, or of a batch of them, that one of oneDNN's primitives computes in one thread. Parts follow from
/// the shape alone: oneDNN chooses its kernels, and with them the order of its sums, by what it is given, and the
/// number of threads must not change a bit.
struct Part {
  Operand x, y;
  Window2d window;
  int64_t x_offset = 0, y_offset = 0;  // elements
};

inline constexpr int64_t kMostParts = 16;  // of a batch

/// Some images of a batch each, as even as can be.
std::vector<Part> parts_of_images(const Window2d& window, const Operand& x, const Operand& y, int64_t count);

/// What threads share of a convolution of `products` multiply-adds: images where there are enough, else rows of each.
/// Empty where rows do not lie in one piece, or a part would see nothing but padding.
std::vector<Part> parts_of_convolution(const Window2d& window, const Operand& x, const Operand& y, int64_t products);

/// A primitive for each part of a result, which threads share: several are single-threaded, a single one is shared by
/// `threads` of oneDNN's own.
class PrimitiveParts {
 public:
  PrimitiveParts(size_t parts, int threads)
      : count_(static_cast<int64_t>(parts)), primitive_threads_(parts > 1 ? 1 : threads) {
    slots_ = std::min<int64_t>(count_, thread_count());
    parts_.reserve(parts);
  }

  bool several() const { return count_ > 1; }
  /// oneDNN fixes in a primitive how many threads run it: descriptions are made within.
  ThreadLimit while_describing() const { return ThreadLimit(primitive_threads_); }

  struct Place {
    int argument;  // DNNL_ARG_…
    dnnl::memory::desc desc;
    int64_t offset;  // elements before it
  };
  /// Returns the primitive's arguments, to which those that all parts share are added.
  PrimitiveArguments& add(const dnnl::primitive& primitive, const Place& read, const Place& written,
                          const dnnl::memory::desc& scratch) {
    Compiled& part = parts_.emplace_back(Compiled{
        primitive, unbound(read.desc), unbound(written.desc), unbound(scratch), {}, read.offset, written.offset});
    part.arguments.add(read.argument, part.read);
    part.arguments.add(written.argument, part.written);
    part.arguments.add(DNNL_ARG_SCRATCHPAD, part.scratch);
    slot_scratch_ = std::max(slot_scratch_, (scratch.get_size() + 63) / 64 * 64);
    return part.arguments;
  }

  size_t scratch_bytes() const { return slot_scratch_ * static_cast<size_t>(slots_); }

  /// `after(part)`: in the part's thread, once it is computed.
  template <typename After>
  void run(const float* read, float* written, void* scratch, const After& after) {
    const auto run_part = [&](int64_t p, int64_t slot) {
      Compiled& part = parts_[static_cast<size_t>(p)];
      part.read.set_data_handle(const_cast<float*>(read + part.read_offset));
      part.written.set_data_handle(written + part.written_offset);
      part.scratch.set_data_handle(static_cast<std::byte*>(scratch) + static_cast<size_t>(slot) * slot_scratch_);
      const ThreadLimit limit(primitive_threads_);
      part.arguments.execute(part.primitive);
      after(p);
    };
    if (several())
      parallel_parts(count_, slots_, run_part);
    else
      run_part(0, 0);
  }

 private:
  struct Compiled {
    dnnl::primitive primitive;
    dnnl::memory read, written, scratch;
    PrimitiveArguments arguments;
    int64_t read_offset, written_offset;
  };
  int64_t count_, slots_ = 1;
  int primitive_threads_;
  size_t slot_scratch_ = 0;
  std::vector<Compiled> parts_;
};

}  // namespace graft::cpu
