#include "runtime/ops/reduce.h"

#include <algorithm>
#include <cmath>

#include "runtime/core/integer.h"
#include "runtime/core/parallel.h"
#include "runtime/cpu/float32_rows.h"
#include "runtime/cpu/kernel_table.h"
#include "runtime/cpu/onednn.h"
#include "runtime/cpu/row_sums.h"
#include "runtime/cpu/vector/vector.h"
#include "runtime/cpu/walk.h"
#include "runtime/ops/broadcast.h"

namespace graft::cpu {
namespace {

/// Strides of a reduced output along the input's dimensions (0 where reduced), whether the dimensions were kept or
/// dropped.
Strides strides_along_input(const std::vector<bool>& reduced, const Operand& y, bool keep_dims) {
  Strides result(reduced.size(), 0);
  size_t next = 0;
  for (size_t i = 0; i < reduced.size(); ++i) {
    if (reduced[i]) {
      if (keep_dims) ++next;
      continue;
    }
    result[i] = y.strides[next++];
  }
  return result;
}

template <typename T>
class ReduceKernel final : public Kernel {
 public:
  ReduceKernel(const Reduce& op, const KernelRequest& r)
      : kind_(op.kind),
        elements_(r.outputs[0].shape.elements()),
        walk_(r.inputs[0].shape,
              {r.inputs[0].strides, strides_along_input(op.reduced(r.inputs[0].shape.rank()), r.outputs[0],
                                                        op.keep_dims || op.global_pool)}) {
    const int64_t inputs = r.inputs[0].shape.elements();
    count_ = elements_ == 0 ? 1.0 : static_cast<double>(inputs) / static_cast<double>(elements_);
  }
  size_t scratch_bytes() const override {
    return static_cast<size_t>(kind_ == K::log_sum_exp ? 2 * elements_ : elements_) * sizeof(Sum);
  }
  void run(const KernelArguments& a) override {
    const T* x = static_cast<const T*>(a.inputs[0]);
    T* y = static_cast<T*>(a.outputs[0]);
    Sum* total = static_cast<Sum*>(a.scratch);
    if (kind_ == K::log_sum_exp) return log_sum_exp(x, y, total, total + elements_);
    std::fill_n(total, elements_, start());
    walk_.run_parallel(1, kGrain, [&](const auto& at, int64_t n, const auto& step) {
      for (int64_t i = 0; i < n; ++i) accumulate(total[at[1] + i * step[1]], static_cast<Sum>(x[at[0] + i * step[0]]));
    });
    for (int64_t i = 0; i < elements_; ++i) y[i] = static_cast<T>(finish(total[i]));
  }

 private:
  using Sum = std::conditional_t<std::is_floating_point_v<T>, double, int64_t>;
  using K = Reduce::Kind;
  /// Around the largest, so that nothing overflows.
  void log_sum_exp(const T* x, T* y, Sum* total, Sum* largest) {
    std::fill_n(largest, elements_, std::numeric_limits<Sum>::lowest());
    std::fill_n(total, elements_, Sum{0});
    walk_.run_parallel(1, kGrain, [&](const auto& at, int64_t n, const auto& step) {
      for (int64_t i = 0; i < n; ++i)
        largest[at[1] + i * step[1]] = std::max(largest[at[1] + i * step[1]], static_cast<Sum>(x[at[0] + i * step[0]]));
    });
    if constexpr (std::is_floating_point_v<Sum>) {
      walk_.run_parallel(1, kGrain, [&](const auto& at, int64_t n, const auto& step) {
        for (int64_t i = 0; i < n; ++i)
          total[at[1] + i * step[1]] +=
              std::exp(static_cast<Sum>(x[at[0] + i * step[0]]) - largest[at[1] + i * step[1]]);
      });
      for (int64_t i = 0; i < elements_; ++i) y[i] = static_cast<T>(largest[i] + std::log(total[i]));
    }
  }
  Sum start() const {
    switch (kind_) {
      case K::max:  // of nothing
        if constexpr (std::is_floating_point_v<Sum>) return -std::numeric_limits<Sum>::infinity();
        return static_cast<Sum>(std::numeric_limits<T>::lowest());
      case K::min:
        if constexpr (std::is_floating_point_v<Sum>) return std::numeric_limits<Sum>::infinity();
        return static_cast<Sum>(std::numeric_limits<T>::max());
      case K::prod:
        return 1;
      default:
        return 0;
    }
  }
  static Sum plus(Sum a, Sum b) {
    if constexpr (std::is_integral_v<Sum>)
      return wrapping_add(a, b);
    else
      return a + b;
  }
  static Sum times(Sum a, Sum b) {
    if constexpr (std::is_integral_v<Sum>)
      return wrapping_multiply(a, b);
    else
      return a * b;
  }
  static Sum magnitude(Sum v) {
    if constexpr (std::is_integral_v<Sum>)
      return v < 0 ? wrapping_negate(v) : v;
    else
      return std::fabs(v);
  }
  void accumulate(Sum& total, Sum v) const {
    switch (kind_) {
      case K::mean:
      case K::sum:
      case K::log_sum:
        total = plus(total, v);
        return;
      case K::max:  // NaN wins
        if (v > total || v != v) total = v;
        return;
      case K::min:
        if (v < total || v != v) total = v;
        return;
      case K::prod:
        total = times(total, v);
        return;
      case K::sum_square:
      case K::l2:
        total = plus(total, times(v, v));
        return;
      case K::l1:
        total = plus(total, magnitude(v));
        return;
      case K::log_sum_exp:
        return;  // has its own loops
    }
  }
  Sum finish(Sum total) const {
    const auto real = static_cast<double>(total);
    if (kind_ == K::mean) return from_real(real / count_);
    if (kind_ == K::l2) return from_real(std::sqrt(real));
    if (kind_ == K::log_sum) return from_real(std::log(real));
    return total;
  }
  static Sum from_real(double v) {
    if constexpr (std::is_integral_v<Sum>)
      return saturating_cast<Sum>(v);
    else
      return v;
  }
  Reduce::Kind kind_;
  int64_t elements_;
  double count_ = 1;
  Walk<2> walk_;
};

/// Mean over the spatial dimensions of a channels-last picture: the end of most networks.
class GlobalAverageKernel final : public Kernel {
 public:
  explicit GlobalAverageKernel(const Operand& x)
      : batch_(x.shape[0]), channels_(x.shape[1]), pixels_(x.shape[2] * x.shape[3]) {}
  void run(const KernelArguments& a) override {
    const auto* x = static_cast<const float*>(a.inputs[0]);
    auto* y = static_cast<float*>(a.outputs[0]);
    const int64_t blocks = (channels_ + kChannels - 1) / kChannels;
    parallel_for(batch_ * blocks, std::max<int64_t>(1, kGrain / (kChannels * pixels_ + 1)),
                 [&](int64_t first, int64_t last) {
                   for (int64_t unit = first; unit < last; ++unit) {
                     const int64_t n = unit / blocks, c = unit % blocks * kChannels;
                     const int64_t count = std::min(kChannels, channels_ - c);
                     float* const sums = y + n * channels_ + c;
                     std::fill_n(sums, count, 0.0f);
                     for (int64_t p = 0; p < pixels_; ++p)
                       vector_loops().add_scaled(count, x + (n * pixels_ + p) * channels_ + c,
                                                 1.0f / static_cast<float>(pixels_), sums);
                   }
                 });
  }

 private:
  static constexpr int64_t kChannels = 256;  // a picture's channels are shared out among threads in such blocks
  int64_t batch_, channels_, pixels_;
};

class SumToKernel final : public Kernel {
 public:
  SumToKernel(const SumTo& op, const KernelRequest& r)
      : scale_(op.scale),
        elements_(op.target.elements()),
        walk_(r.inputs[0].shape,
              {r.inputs[0].strides, broadcast_strides(r.outputs[0].shape, r.outputs[0].strides, r.inputs[0].shape)}) {}
  size_t scratch_bytes() const override { return static_cast<size_t>(elements_) * sizeof(double); }
  void run(const KernelArguments& a) override {
    const auto* x = static_cast<const float*>(a.inputs[0]);
    auto* y = static_cast<float*>(a.outputs[0]);
    auto* total = static_cast<double*>(a.scratch);
    std::fill_n(total, elements_, 0.0);
    walk_.run_parallel(1, kGrain, [&](const auto& at, int64_t n, const auto& step) {
      for (int64_t i = 0; i < n; ++i) total[at[1] + i * step[1]] += static_cast<double>(x[at[0] + i * step[0]]);
    });
    for (int64_t i = 0; i < elements_; ++i) y[i] = scale_ * static_cast<float>(total[i]);
  }

 private:
  float scale_;
  int64_t elements_;
  Walk<2> walk_;
};

/// The input's strides under the shape `from`, which differs from its own only by extents of 1.
Strides strides_under(const Operand& x, const Shape& from) {
  Strides result(from.size(), 0);
  size_t next = 0;
  for (size_t i = 0; i < from.size(); ++i) {
    if (from[i] == 1) continue;
    while (x.shape[next] == 1) ++next;
    result[i] = x.strides[next++];
  }
  return result;
}

class BroadcastToKernel final : public Kernel {
 public:
  BroadcastToKernel(const BroadcastTo& op, const KernelRequest& r)
      : scale_(op.scale), walk_(op.target, {r.outputs[0].strides, strides_under(r.inputs[0], op.from)}) {}
  void run(const KernelArguments& a) override {
    const auto* x = static_cast<const float*>(a.inputs[0]);
    auto* y = static_cast<float*>(a.outputs[0]);
    walk_.run_parallel(0, kGrain, [&](const auto& at, int64_t n, const auto& step) {
      for (int64_t i = 0; i < n; ++i) y[at[0] + i * step[0]] = scale_ * x[at[1] + i * step[1]];
    });
  }

 private:
  float scale_;
  Walk<2> walk_;
};

std::unique_ptr<Kernel> make_reduce(const Reduce& op, const KernelRequest& r) {
  const Operand& x = r.inputs[0];
  const bool spatial = x.shape.rank() == 4 && op.reduced(4) == std::vector<bool>{false, false, true, true};
  if (spatial && op.kind == Reduce::Kind::mean && x.dtype == DType::f32 &&
      x.strides == channels_last_strides(x.shape)) {
    return std::make_unique<GlobalAverageKernel>(x);
  }
  std::unique_ptr<Kernel> kernel;
  if (op.kind == Reduce::Kind::log_sum_exp && x.dtype != DType::f32 && x.dtype != DType::f64)
    throw Error("ReduceLogSumExp of integers is not supported");
  visit_arithmetic(x.dtype, [&](auto tag) { kernel = std::make_unique<ReduceKernel<decltype(tag)>>(op, r); });
  return kernel;
}

template <typename K, typename Op>
std::unique_ptr<Kernel> make(const Op& op, const KernelRequest& request) {
  require_f32(request);
  return std::make_unique<K>(op, request);
}

}  // namespace

void register_reduce(KernelTable& table) {
  table.add<Reduce>(make_reduce);
  table.add<SumTo>([](const SumTo& op, const KernelRequest& r) {
    require_f32(r);
    auto rows = RowSums<Float32Rows>::make(op, r);
    return rows ? std::move(rows) : std::make_unique<SumToKernel>(op, r);
  });
  table.add<BroadcastTo>(make<BroadcastToKernel, BroadcastTo>);
}

}  // namespace graft::cpu
