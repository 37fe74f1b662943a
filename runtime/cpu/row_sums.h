#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>

#include "runtime/core/backend.h"
#include "runtime/core/parallel.h"
#include "runtime/cpu/row_pieces.h"
#include "runtime/ops/broadcast.h"
#include "runtime/ops/reduce.h"

namespace graft::cpu {

/// Sums over rows in pieces, so that the number of threads changes no bit: floats of a few rows, then doubles.
class PiecewiseSums {
 public:
  static constexpr int64_t kRowsInFloat = 32;

  PiecewiseSums(int64_t rows, int64_t columns) : rows_(rows), columns_(columns) {}
  size_t scratch_bytes() const { return static_cast<size_t>(kRowPieces * columns_) * (sizeof(double) + sizeof(float)); }
  /// `add(row, sums, piece)` adds a row to `columns` floats. Pieces run side by side, the rows of one in order.
  template <typename Add>
  void run(void* scratch, const Add& add) const {
    parallel_parts(kRowPieces, thread_count(), [&](int64_t piece, int64_t) {
      double* const total = totals(scratch) + piece * columns_;
      float* const few = reinterpret_cast<float*>(totals(scratch) + kRowPieces * columns_) + piece * columns_;
      std::fill_n(total, columns_, 0.0);
      const int64_t end = first_row_of_piece(rows_, piece + 1);
      for (int64_t row = first_row_of_piece(rows_, piece); row < end;) {
        std::fill_n(few, columns_, 0.0f);
        for (const int64_t last = std::min(end, row + kRowsInFloat); row < last; ++row) add(row, few, piece);
        for (int64_t c = 0; c < columns_; ++c) total[c] += static_cast<double>(few[c]);
      }
    });
  }
  /// After run().
  double sum(const void* scratch, int64_t column) const {
    double all = 0;
    for (int64_t piece = 0; piece < kRowPieces; ++piece)
      all += static_cast<const double*>(scratch)[piece * columns_ + column];
    return all;
  }

 private:
  static double* totals(void* scratch) { return static_cast<double*>(scratch); }
  int64_t rows_, columns_;
};

/// SumTo from rows × columns to columns, both row-major; null where it is another sum.
template <typename Rows>
class RowSums final : public Kernel {
 public:
  static std::unique_ptr<Kernel> make(const SumTo& op, const KernelRequest& r) {
    const Operand &x = r.inputs[0], &y = r.outputs[0];
    const Strides plain = plain_strides(x.shape), moves = broadcast_strides(y.shape, y.strides, x.shape);
    const int64_t columns = y.shape.elements(), rows = columns > 0 ? x.shape.elements() / columns : 0;
    if (x.strides != plain || rows < kFewestRows || columns < 16) return nullptr;
    for (size_t d = 0; d < x.shape.size(); ++d) {
      const int64_t expected = plain[d] >= columns ? 0 : plain[d];
      if (x.shape[d] > 1 && moves[d] != expected) return nullptr;
    }
    return std::make_unique<RowSums>(op.scale, rows, columns);
  }

  RowSums(float scale, int64_t rows, int64_t columns) : scale_(scale), columns_(columns), sums_(rows, columns) {}
  size_t scratch_bytes() const override { return sums_.scratch_bytes(); }
  void run(const KernelArguments& a) override {
    const auto* x = static_cast<const typename Rows::Number*>(a.inputs[0]);
    auto* y = static_cast<typename Rows::Number*>(a.outputs[0]);
    sums_.run(a.scratch, [&](int64_t row, float* sums, int64_t) { Rows::add(columns_, x + row * columns_, sums); });
    constexpr int64_t kPiece = 256;
    parallel_for((columns_ + kPiece - 1) / kPiece, 4, [&](int64_t first, int64_t last) {
      float piece[kPiece];
      for (int64_t c = first * kPiece; c < std::min(columns_, last * kPiece); c += kPiece) {
        const int64_t n = std::min(kPiece, columns_ - c);
        float* const to = Rows::target(y + c, piece);
        for (int64_t i = 0; i < n; ++i) to[i] = scale_ * static_cast<float>(sums_.sum(a.scratch, c + i));
        Rows::write(n, to, y + c);
      }
    });
  }

 private:
  static constexpr int64_t kFewestRows = 4 * kRowPieces;  // fewer are better shared out by columns
  float scale_;
  int64_t columns_;
  PiecewiseSums sums_;
};

}  // namespace graft::cpu
