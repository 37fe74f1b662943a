#pragma once

#include <vector>

#include "runtime/cuda/launcher.h"
#include "runtime/cuda/table.h"

namespace graft::cuda {

inline constexpr int64_t kPiece = 1024;  // neighbours in one tensor that are worked on together

/// Which part of which tensor a piece is.
struct Piece {
  int32_t tensor;
  int32_t index;
};

/// Tensors of a device cut into pieces, so that one kernel serves all of them whatever their sizes.
class Pieces {
 public:
  /// `counts`: of each tensor's elements.
  Pieces(const std::vector<int64_t>& counts, const Device& device)
      : counts_(counts.size(), device), first_(counts.size() + 1, device), pieces_(number(counts), device) {
    Piece* next = pieces_.host();
    for (size_t t = 0; t < counts.size(); ++t) {
      counts_.host()[t] = counts[t];
      first_.host()[t] = next - pieces_.host();
      for (int64_t i = 0; i * kPiece < counts[t]; ++i) *next++ = {static_cast<int32_t>(t), static_cast<int32_t>(i)};
    }
    first_.host()[counts.size()] = next - pieces_.host();
    counts_.upload();
    first_.upload();
    pieces_.upload();
    device.synchronize();
  }
  int64_t tensors() const { return static_cast<int64_t>(counts_.count()); }
  int64_t count() const { return static_cast<int64_t>(pieces_.count()); }
  const Piece* pieces() const { return pieces_.device(); }
  const int64_t* counts() const { return counts_.device(); }
  /// Each tensor's first piece, and behind them the number of all.
  const int64_t* first() const { return first_.device(); }

  /// body(tensor, element) for every element.
  template <typename Body>
  void each(const Launcher& launcher, const Body& body) const {
    launcher.each(count() * kPiece, Each<Body>{body, pieces(), counts()});
  }

  // Public because nvcc makes kernels of them.
  template <typename Body>
  struct Each {
    Body body;
    const Piece* pieces;
    const int64_t* counts;
    GRAFT_DEVICE void operator()(int64_t i) const {
      const Piece piece = pieces[i / kPiece];
      const int64_t at = piece.index * kPiece + i % kPiece;
      if (at < counts[piece.tensor]) body(piece.tensor, at);
    }
  };

 private:
  static size_t number(const std::vector<int64_t>& counts) {
    int64_t all = 0;
    for (int64_t count : counts) all += (count + kPiece - 1) / kPiece;
    return static_cast<size_t>(all);
  }
  Table<int64_t> counts_, first_;
  Table<Piece> pieces_;
};

/// One sum a tensor, and one over all of them; in the same order each time.
class TensorSums {
 public:
  TensorSums(const Pieces& pieces, const Device& device)
      : tensors_(pieces.tensors()),
        parts_(static_cast<size_t>(pieces.count()), device),
        sums_(static_cast<size_t>(tensors_ + 1), device) {}

  /// `measure(tensor, element)` gives the double that is added up.
  template <typename Measure>
  void compute(const Launcher& launcher, const Pieces& pieces, const Measure& measure) {
    launcher.rows(pieces.count(), SumPiece<Measure>{measure, pieces.pieces(), pieces.counts(), parts_.device()});
    launcher.rows(tensors_, SumRange{parts_.device(), pieces.first(), sums_.device()});
    launcher.rows(1, SumAll{sums_.device(), tensors_});
  }
  /// By tensor; the last is that of all.
  const double* device() const { return sums_.device(); }
  const double* all() const { return sums_.device() + tensors_; }

  template <typename Measure>
  struct SumPiece {
    Measure measure;
    const Piece* pieces;
    const int64_t* counts;
    double* parts;
    GRAFT_DEVICE void operator()(int64_t i, Row row) const {
      const Piece piece = pieces[i];
      const int64_t begin = piece.index * kPiece, count = counts[piece.tensor],
                    end = begin + kPiece < count ? begin + kPiece : count;
      double sum = 0;
      for (int64_t at = begin + row.lane(); at < end; at += row.size()) sum += measure(piece.tensor, at);
      sum = row.sum(sum);
      if (row.lane() == 0) parts[i] = sum;
    }
  };
  struct SumRange {
    const double* parts;
    const int64_t* first;
    double* sums;
    GRAFT_DEVICE void operator()(int64_t t, Row row) const {
      double sum = 0;
      for (int64_t i = first[t] + row.lane(); i < first[t + 1]; i += row.size()) sum += parts[i];
      sum = row.sum(sum);
      if (row.lane() == 0) sums[t] = sum;
    }
  };
  struct SumAll {
    double* sums;
    int64_t tensors;
    GRAFT_DEVICE void operator()(int64_t, Row row) const {
      double sum = 0;
      for (int64_t i = row.lane(); i < tensors; i += row.size()) sum += sums[i];
      sum = row.sum(sum);
      if (row.lane() == 0) sums[tensors] = sum;
    }
  };

 private:
  int64_t tensors_;
  Table<double> parts_, sums_;
};

}  // namespace graft::cuda
