#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "runtime/core/backend.h"
#include "runtime/core/parallel.h"
#include "runtime/core/strided_copy.h"

namespace graft::cpu {

/// One copy between parts of an input and the output; offsets in bytes.
struct Piece {
  size_t input = 0;
  int64_t from = 0, to = 0;
  StridedCopy copy;
};

/// Elements below which a copy is not worth another thread.
inline constexpr int64_t kCopyGrain = 1 << 13;

/// One copy by all threads.
inline void copy_in_parallel(const StridedCopy& copy, const void* from, void* to) {
  parallel_for(copy.rows(), std::max<int64_t>(kCopyGrain / std::max<int64_t>(copy.row_elements(), 1), 1),
               [&](int64_t first, int64_t last) { copy.run_rows(from, to, first, last); });
}

/// Every operator that only moves elements is a list of strided copies, fixed when the plan is made. Threads share out
/// the elements of all of them together, so that one picture keeps them all busy.
class CopyKernel final : public Kernel {
 public:
  CopyKernel(std::vector<Piece> pieces, int64_t output_elements, size_t element_bytes, std::vector<std::byte> fill = {})
      : pieces_(std::move(pieces)), elements_(output_elements), element_bytes_(element_bytes), fill_(std::move(fill)) {
    for (const Piece& p : pieces_) {
      first_element_.push_back(copied_);
      copied_ += p.copy.rows() * p.copy.row_elements();
    }
  }
  void run(const KernelArguments& a) override {
    auto* out = static_cast<std::byte*>(a.outputs[0]);
    if (!fill_.empty())
      parallel_for(elements_, kCopyGrain, [&](int64_t first, int64_t last) { fill(out, first, last); });
    parallel_for(copied_, kCopyGrain, [&](int64_t first, int64_t last) {
      auto i = static_cast<size_t>(std::upper_bound(first_element_.begin(), first_element_.end(), first) -
                                   first_element_.begin() - 1);
      for (; i < pieces_.size() && first_element_[i] < last; ++i) {
        const Piece& p = pieces_[i];
        const int64_t row = std::max<int64_t>(p.copy.row_elements(), 1), begin = first_element_[i];
        // The row that an edge of the share falls into belongs to the thread in front of the edge.
        const auto rows_before = [&](int64_t element) {
          return std::clamp<int64_t>((element - begin + row - 1) / row, 0, p.copy.rows());
        };
        p.copy.run_rows(static_cast<const std::byte*>(a.inputs[p.input]) + p.from, out + p.to,
                        first <= begin ? 0 : rows_before(first), rows_before(last));
      }
    });
  }

 private:
  void fill(std::byte* out, int64_t first, int64_t last) const {
    if (std::count(fill_.begin(), fill_.end(), fill_[0]) == std::ssize(fill_)) {
      std::memset(out + static_cast<size_t>(first) * element_bytes_, static_cast<int>(fill_[0]),
                  static_cast<size_t>(last - first) * element_bytes_);
      return;
    }
    for (int64_t i = first; i < last; ++i)
      std::memcpy(out + static_cast<size_t>(i) * element_bytes_, fill_.data(), element_bytes_);
  }

  std::vector<Piece> pieces_;
  std::vector<int64_t> first_element_;  // of each piece, counted over all of them
  int64_t elements_, copied_ = 0;
  size_t element_bytes_;
  std::vector<std::byte> fill_;
};

/// A whole tensor, walked with the strides `from`.
inline std::unique_ptr<Kernel> whole(const Operand& x, const Shape& shape, const Strides& from, const Operand& y) {
  const size_t bytes = size_of(x.dtype);
  std::vector<Piece> pieces{{0, 0, 0, StridedCopy(bytes, shape, from, y.strides)}};
  return std::make_unique<CopyKernel>(std::move(pieces), y.shape.elements(), bytes);
}

}  // namespace graft::cpu
