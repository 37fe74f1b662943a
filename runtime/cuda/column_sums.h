#pragma once

#include <algorithm>

#include "runtime/cuda/launcher.h"

namespace graft::cuda {

/// Sums over the rows of a row-major rows × channels array, `sums` of them for each channel. Rows are dealt out in
/// parts whose sums are added in a fixed order, so that the same device gives the same bits each time.
class ColumnSums {
 public:
  ColumnSums(int64_t rows, int64_t channels, int sums, const Launcher& launcher)
      : rows_(rows), channels_(channels), sums_(sums) {
    const int64_t full = int64_t{2048} * launcher.multiprocessors() * 2;
    parts_ =
        std::clamp<int64_t>(full / std::max<int64_t>(channels, 1), 1, std::max<int64_t>(1, rows / kRowsWorthAPart));
    groups_ = parts_ > kFew ? kFew : 0;
  }

  size_t scratch_bytes() const {
    return static_cast<size_t>((parts_ + groups_ + 1) * channels_ * sums_) * sizeof(double);
  }
  /// Where compute() leaves the sums: [sum][channel].
  const double* result(const void* scratch) const { return static_cast<const double*>(scratch); }

  /// `measure(row, channel, float out[])` gives what is added up, where `out` holds as many numbers as there are sums.
  template <int sums, typename Measure>
  void compute(const Launcher& launcher, const Measure& measure, void* scratch) const {
    auto *result = static_cast<double*>(scratch), *parts = result + channels_ * sums_,
         *groups = parts + parts_ * channels_ * sums_;
    launcher.each(parts_ * channels_,
                  AddRows<sums, Measure>{measure, parts_ == 1 ? result : parts, rows_, channels_, parts_});
    const double* from = parts;
    int64_t left = parts_;
    if (groups_ > 0) {
      launcher.each(groups_ * channels_ * sums_, AddParts{parts, groups, channels_ * sums_, parts_, groups_});
      from = groups;
      left = groups_;
    }
    if (parts_ > 1) launcher.each(channels_ * sums_, AddParts{from, result, channels_ * sums_, left, 1});
  }

  // Bodies are public because nvcc makes kernels of them.
  template <int sums, typename Measure>
  struct AddRows {
    Measure measure;
    double* to;
    int64_t rows, channels, parts;
    GRAFT_DEVICE void operator()(int64_t i) const {
      const int64_t part = i / channels, c = i - part * channels, last = rows * (part + 1) / parts;
      double total[sums] = {};
      for (int64_t row = rows * part / parts; row < last;) {
        // A few rows in single precision, which costs nothing in accuracy that halves or floats had.
        float few[sums] = {};
        for (const int64_t stop = row + kRowsInFloat < last ? row + kRowsInFloat : last; row < stop; ++row) {
          float one[sums];
          measure(row, c, one);
          for (int s = 0; s < sums; ++s) few[s] += one[s];
        }
        for (int s = 0; s < sums; ++s) total[s] += static_cast<double>(few[s]);
      }
      for (int s = 0; s < sums; ++s) to[(part * sums + s) * channels + c] = total[s];
    }
  };

  struct AddParts {
    const double* from;
    double* to;
    int64_t width, parts, groups;
    GRAFT_DEVICE void operator()(int64_t i) const {
      const int64_t group = i / width, column = i - group * width;
      double total = 0;
      for (int64_t part = parts * group / groups; part < parts * (group + 1) / groups; ++part)
        total += from[part * width + column];
      to[i] = total;
    }
  };

 private:
  static constexpr int64_t kRowsWorthAPart = 16, kFew = 64, kRowsInFloat = 32;
  int64_t rows_, channels_, sums_, parts_, groups_;
};

}  // namespace graft::cuda
