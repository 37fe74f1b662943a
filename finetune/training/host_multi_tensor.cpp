#include <cmath>
#include <cstring>

#include "finetune/optimizers/norms.h"
#include "finetune/training/host_kernels.h"
#include "runtime/core/isa.h"

namespace graft {
namespace {

void scale_elements(float* x, int64_t n, float factor) {
  cpu::on_best_isa([=] {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) x[i] *= factor;
  });
}

void clip_elements(float* x, int64_t n, float limit) {
  cpu::on_best_isa([=] {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) x[i] = x[i] > limit ? limit : x[i] < -limit ? -limit : x[i];
  });
}

void add_elements(float* sum, const float* x, int64_t n, float factor, bool first) {
  const float keep = first ? 0.0f : 1.0f;
  cpu::on_best_isa([=] {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) sum[i] = keep * sum[i] + factor * x[i];
  });
}

void lerp_elements(float* a, const float* x, int64_t n, float weight) {
  cpu::on_best_isa([=] {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) a[i] += weight * (x[i] - a[i]);
  });
}

class HostMultiTensor final : public MultiTensor {
 public:
  explicit HostMultiTensor(const std::vector<int64_t>& counts) : counts_(counts), all_(counts.size()) {
    std::iota(all_.begin(), all_.end(), size_t{0});
  }
  List add_list(const std::vector<float*>& addresses) override {
    lists_.push_back(addresses);
    return List{static_cast<int>(lists_.size() - 1)};
  }
  Factors add_factors(const std::vector<float>& values) override {
    factors_.push_back(values);
    return Factors{static_cast<int>(factors_.size() - 1)};
  }

  void copy(List to, List from) override {
    for_each([&](size_t t, int64_t first, int64_t count) {
      std::memcpy(at(to, t) + first, at(from, t) + first, static_cast<size_t>(count) * sizeof(float));
    });
  }
  void scale(List x, float factor) override {
    for_each([&](size_t t, int64_t first, int64_t count) { scale_elements(at(x, t) + first, count, factor); });
  }
  void unscale(List x, float factor) override {
    finite_ = std::isfinite(norm(x));
    if (factor != 1) scale(x, factor);
  }
  void add(List sum, List x, float factor, bool first_time) override {
    for_each([&](size_t t, int64_t first, int64_t count) {
      add_elements(at(sum, t) + first, at(x, t) + first, count, factor, first_time);
    });
  }
  // Not a loop for several instruction sets: fused multiplications would round otherwise, and the tensors are small.
  void blend(List to, List from, Factors keep, Factors take) override {
    for (const size_t t : all_) {
      float* const y = at(to, t);
      const float* const x = at(from, t);
      const float kept = factor(keep, t), taken = factor(take, t);
      for (int64_t i = 0; i < counts_[t]; ++i) y[i] = kept * y[i] + taken * x[i];
    }
  }
  void lerp(List a, List x, float weight) override {
    if (!finite_) return;
    for_each([&](size_t t, int64_t first, int64_t count) {
      lerp_elements(at(a, t) + first, at(x, t) + first, count, weight);
    });
  }
  void clip_by_value(List x, float limit) override {
    for_each([&](size_t t, int64_t first, int64_t count) { clip_elements(at(x, t) + first, count, limit); });
  }
  void clip_by_norm(List x, double limit) override {
    const double factor = limit / (norm(x) + 1e-6);  // PyTorch's guard
    if (factor < 1) scale(x, static_cast<float>(factor));
  }
  void perturb(List w, List g, double rho) override {
    if (!finite_) return;
    const auto factor = static_cast<float>(rho / (norm(g) + 1e-12));
    for_each([&](size_t t, int64_t first, int64_t count) {
      float* const weights = at(w, t) + first;
      const float* const slopes = at(g, t) + first;
      for (int64_t i = 0; i < count; ++i) weights[i] += factor * slopes[i];
    });
  }

  const int* finite_flag() const override { return &finite_; }
  void download_flag() override {}
  bool was_finite() const override { return finite_ != 0; }

 private:
  int64_t elements(size_t t) const { return counts_[t]; }
  /// body(tensor, first element, how many)
  template <typename Body>
  void for_each(const Body& body) const {
    for_each_range(
        all_, [&](size_t t) { return elements(t); },
        [&](size_t t, int64_t first, int64_t last) { body(t, first, last - first); });
  }
  double norm(List x) const {
    double total = 0;
    for (const double s : sums_of_pieces(
             counts_.size(), all_, [&](size_t t) { return elements(t); },
             [&](size_t t, int64_t first, int64_t last) { return sum_of_squares(at(x, t) + first, last - first); }))
      total += s;
    return std::sqrt(total);
  }
  float* at(List list, size_t tensor) const { return lists_[static_cast<size_t>(list)][tensor]; }
  float factor(Factors factors, size_t tensor) const { return factors_[static_cast<size_t>(factors)][tensor]; }

  std::vector<int64_t> counts_;
  std::vector<size_t> all_;  // 0, 1, … for all tensors
  std::vector<std::vector<float*>> lists_;
  std::vector<std::vector<float>> factors_;
  int finite_ = 1;
};

}  // namespace

std::unique_ptr<MultiTensor> make_host_multi_tensor(const std::vector<int64_t>& counts) {
  return std::make_unique<HostMultiTensor>(counts);
}

}  // namespace graft
