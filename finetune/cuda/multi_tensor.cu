#include "finetune/cuda/training_kernels.h"

#include <cmath>

#include "finetune/cuda/pieces.h"

namespace graft::cuda {
namespace {

struct Copy {
  float* const* to;
  const float* const* from;
  GRAFT_DEVICE void operator()(int32_t t, int64_t i) const { to[t][i] = from[t][i]; }
};

struct Scale {
  float* const* x;
  float factor;
  GRAFT_DEVICE void operator()(int32_t t, int64_t i) const { x[t][i] *= factor; }
};

struct Add {
  float* const* sum;
  const float* const* x;
  float factor;
  int first;
  GRAFT_DEVICE void operator()(int32_t t, int64_t i) const {
    sum[t][i] = (first ? 0.0f : sum[t][i]) + factor * x[t][i];
  }
};

struct Blend {
  float* const* to;
  const float* const* from;
  const float *keep, *take;
  GRAFT_DEVICE void operator()(int32_t t, int64_t i) const { to[t][i] = keep[t] * to[t][i] + take[t] * from[t][i]; }
};

struct ClipByValue {
  float* const* x;
  float limit;
  GRAFT_DEVICE void operator()(int32_t t, int64_t i) const {
    const float v = x[t][i];
    x[t][i] = v > limit ? limit : v < -limit ? -limit : v;
  }
};

struct Square {
  const float* const* x;
  GRAFT_DEVICE double operator()(int32_t t, int64_t i) const {
    const auto v = static_cast<double>(x[t][i]);
    return v * v;
  }
};

/// Sums of squares of single precision numbers are finite in double where the numbers are.
struct SetFlag {
  const double* squares;
  int* flag;
  GRAFT_DEVICE void operator()(int64_t) const { *flag = *squares - *squares == 0; }
};

struct ClipByNorm {
  float* const* x;
  const double* squares;
  double limit;
  GRAFT_DEVICE void operator()(int32_t t, int64_t i) const {
    const double factor = limit / (std::sqrt(*squares) + 1e-6);
    if (factor < 1) x[t][i] *= static_cast<float>(factor);
  }
};

struct Perturb {
  float* const* w;
  const float* const* g;
  const double* squares;
  double rho;
  const int* flag;
  GRAFT_DEVICE void operator()(int32_t t, int64_t i) const {
    if (*flag) w[t][i] += static_cast<float>(rho / (std::sqrt(*squares) + 1e-12)) * g[t][i];
  }
};

struct Lerp {
  float* const* a;
  const float* const* x;
  float weight;
  const int* flag;
  GRAFT_DEVICE void operator()(int32_t t, int64_t i) const {
    if (*flag) a[t][i] += weight * (x[t][i] - a[t][i]);
  }
};

class DeviceMultiTensor final : public MultiTensor {
 public:
  DeviceMultiTensor(const std::vector<int64_t>& counts, const Launcher& launcher)
      : launcher_(launcher),
        pieces_(counts, launcher.device()),
        squares_(pieces_, launcher.device()),
        flag_(1, launcher.device()) {
    *flag_.host() = 1;
    flag_.upload();
    launcher_.device().synchronize();
  }
  List add_list(const std::vector<float*>& addresses) override { return List{upload(lists_, addresses)}; }
  Factors add_factors(const std::vector<float>& values) override { return Factors{upload(factors_, values)}; }
  void copy(List to, List from) override { pieces_.each(launcher_, Copy{at(to), at(from)}); }
  void scale(List x, float factor) override { pieces_.each(launcher_, Scale{at(x), factor}); }
  void unscale(List x, float factor) override {
    squares_.compute(launcher_, pieces_, Square{at(x)});
    launcher_.each(1, SetFlag{squares_.all(), flag_.device()});
    if (factor != 1) scale(x, factor);
  }
  void add(List sum, List x, float factor, bool first) override {
    pieces_.each(launcher_, Add{at(sum), at(x), factor, first});
  }
  void blend(List to, List from, Factors keep, Factors take) override {
    pieces_.each(launcher_, Blend{at(to), at(from), at(keep), at(take)});
  }
  void lerp(List a, List x, float weight) override {
    pieces_.each(launcher_, Lerp{at(a), at(x), weight, flag_.device()});
  }
  void clip_by_value(List x, float limit) override { pieces_.each(launcher_, ClipByValue{at(x), limit}); }
  void clip_by_norm(List x, double limit) override {
    squares_.compute(launcher_, pieces_, Square{at(x)});
    pieces_.each(launcher_, ClipByNorm{at(x), squares_.all(), limit});
  }
  void perturb(List w, List g, double rho) override {
    squares_.compute(launcher_, pieces_, Square{at(g)});
    pieces_.each(launcher_, Perturb{at(w), at(g), squares_.all(), rho, flag_.device()});
  }
  const int* finite_flag() const override { return flag_.device(); }
  void download_flag() override { flag_.download(); }
  bool was_finite() const override { return *flag_.host() != 0; }

 private:
  /// Returns the index under which they are kept.
  template <typename T>
  int upload(std::vector<std::unique_ptr<Table<T>>>& tables, const std::vector<T>& values) {
    auto& table = *tables.emplace_back(std::make_unique<Table<T>>(values.size(), launcher_.device()));
    std::copy(values.begin(), values.end(), table.host());
    table.upload();
    launcher_.device().synchronize();
    return static_cast<int>(tables.size() - 1);
  }
  float* const* at(List list) const { return lists_[static_cast<size_t>(list)]->device(); }
  const float* at(Factors factors) const { return factors_[static_cast<size_t>(factors)]->device(); }
  const Launcher& launcher_;
  Pieces pieces_;
  TensorSums squares_;
  Table<int> flag_;
  std::vector<std::unique_ptr<Table<float*>>> lists_;
  std::vector<std::unique_ptr<Table<float>>> factors_;
};

}  // namespace

std::unique_ptr<MultiTensor> make_multi_tensor(const std::vector<int64_t>& counts, const Launcher& launcher) {
  return std::make_unique<DeviceMultiTensor>(counts, launcher);
}

}  // namespace graft::cuda
