#pragma once

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

/// Every operator that only moves elements is a list of strided copies, settled when the plan is made.
class CopyKernel final : public Kernel {
 public:
  CopyKernel(std::vector<Piece> pieces, int64_t output_elements, size_t element_bytes, std::vector<std::byte> fill = {})
      : pieces_(std::move(pieces)), elements_(output_elements), element_bytes_(element_bytes), fill_(std::move(fill)) {}
  void run(const KernelArguments& a) override {
    auto* out = static_cast<std::byte*>(a.outputs[0]);
    if (!fill_.empty())
      for (int64_t i = 0; i < elements_; ++i)
        std::memcpy(out + static_cast<size_t>(i) * element_bytes_, fill_.data(), element_bytes_);
    parallel_for(static_cast<int64_t>(pieces_.size()), 1, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        const Piece& p = pieces_[static_cast<size_t>(i)];
        p.copy.run(static_cast<const std::byte*>(a.inputs[p.input]) + p.from, out + p.to);
      }
    });
  }

 private:
  std::vector<Piece> pieces_;
  int64_t elements_;
  size_t element_bytes_;
  std::vector<std::byte> fill_;
};

inline std::unique_ptr<Kernel> whole(const Operand& x, const Shape& shape, const Strides& from, const Operand& y) {
  const size_t bytes = size_of(x.dtype);
  std::vector<Piece> pieces;
  const bool split = shape.rank() > 1 && shape[0] > 1;  // one piece a picture, for the threads
  if (!split) {
    pieces.push_back({0, 0, 0, StridedCopy(bytes, shape, from, y.strides)});
  } else {
    Shape part = shape;
    part[0] = 1;
    const StridedCopy copy(bytes, part, from, y.strides);
    for (int64_t n = 0; n < shape[0]; ++n) {
      pieces.push_back(
          {0, n * from[0] * static_cast<int64_t>(bytes), n * y.strides[0] * static_cast<int64_t>(bytes), copy});
    }
  }
  return std::make_unique<CopyKernel>(std::move(pieces), y.shape.elements(), bytes);
}

}  // namespace graft::cpu
