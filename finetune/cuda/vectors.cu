#include "finetune/optimizers/device_vectors.h"

#include <cmath>

#include "finetune/cuda/pieces.h"
#include "runtime/cuda/device_backend.h"

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

struct ClipValues {
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

struct ScaleToNorm {
  float* const* x;
  const double* squares;
  double limit;
  GRAFT_DEVICE void operator()(int32_t t, int64_t i) const {
    const double factor = limit / (std::sqrt(*squares) + 1e-6);
    if (factor < 1) x[t][i] *= static_cast<float>(factor);
  }
};

struct Climb {
  float* const* w;
  const float* const* g;
  const double* squares;
  double rho;
  const int* flag;
  GRAFT_DEVICE void operator()(int32_t t, int64_t i) const {
    if (*flag) w[t][i] += static_cast<float>(rho / (std::sqrt(*squares) + 1e-12)) * g[t][i];
  }
};

struct Average {
  float* const* a;
  const float* const* w;
  float take;
  const int* flag;
  GRAFT_DEVICE void operator()(int32_t t, int64_t i) const {
    if (*flag) a[t][i] += take * (w[t][i] - a[t][i]);
  }
};

class Vectors final : public DeviceVectors {
 public:
  Vectors(const std::vector<int64_t>& counts, const Launcher& launcher, const Device& device)
      : launcher_(launcher), device_(device), pieces_(counts, device), squares_(pieces_, device), flag_(1, device) {
    *flag_.host() = 1;
    flag_.upload();
    device_.synchronize();
  }
  List list(const std::vector<float*>& addresses) override { return keep(lists_, addresses); }
  Factors factors(const std::vector<float>& values) override { return keep(factors_, values); }
  void copy(List to, List from) override { pieces_.each(launcher_, Copy{at(to), at(from)}); }
  void unscale(List x, float factor) override {
    squares_.compute(launcher_, pieces_, Square{at(x)});
    launcher_.each(1, SetFlag{squares_.all(), flag_.device()});
    if (factor != 1) scale(x, factor);
  }
  void scale(List x, float factor) override { pieces_.each(launcher_, Scale{at(x), factor}); }
  void add(List sum, List x, float factor, bool first) override {
    pieces_.each(launcher_, Add{at(sum), at(x), factor, first});
  }
  void blend(List to, List from, Factors keep, Factors take) override {
    pieces_.each(launcher_, Blend{at(to), at(from), factors_[static_cast<size_t>(keep)]->device(),
                                  factors_[static_cast<size_t>(take)]->device()});
  }
  void clip_values(List x, float limit) override { pieces_.each(launcher_, ClipValues{at(x), limit}); }
  void clip_norm(List x, double limit) override {
    squares_.compute(launcher_, pieces_, Square{at(x)});
    pieces_.each(launcher_, ScaleToNorm{at(x), squares_.all(), limit});
  }
  void perturb(List w, List g, double rho) override {
    squares_.compute(launcher_, pieces_, Square{at(g)});
    pieces_.each(launcher_, Climb{at(w), at(g), squares_.all(), rho, flag_.device()});
  }
  void average(List a, List w, float decay) override {
    pieces_.each(launcher_, Average{at(a), at(w), 1 - decay, flag_.device()});
  }
  const int* flag() const override { return flag_.device(); }
  void ask() override { flag_.download(); }
  bool flag_stands() const override { return *flag_.host() != 0; }

 private:
  /// Sends them over; returns the number under which they stand.
  template <typename T>
  int keep(std::vector<std::unique_ptr<Table<T>>>& tables, const std::vector<T>& values) {
    auto& table = *tables.emplace_back(std::make_unique<Table<T>>(values.size(), device_));
    std::copy(values.begin(), values.end(), table.host());
    table.upload();
    device_.synchronize();
    return static_cast<int>(tables.size() - 1);
  }
  float* const* at(List list) const { return lists_[static_cast<size_t>(list)]->device(); }
  const Launcher& launcher_;
  const Device& device_;
  Pieces pieces_;
  TensorSums squares_;
  Table<int> flag_;
  std::vector<std::unique_ptr<Table<float*>>> lists_;
  std::vector<std::unique_ptr<Table<float>>> factors_;
};

class Extension final : public DeviceVectorsExtension {
 public:
  Extension(const Launcher& launcher, const Device& device) : launcher_(launcher), device_(device) {}
  std::unique_ptr<DeviceVectors> make(const std::vector<int64_t>& counts) const override {
    return std::make_unique<Vectors>(counts, launcher_, device_);
  }

 private:
  const Launcher& launcher_;
  const Device& device_;
};

const ExtensionEntry kVectors(DeviceVectorsExtension::kName,
                              [](const Launcher& launcher, const Device& device) -> std::unique_ptr<BackendExtension> {
                                return std::make_unique<Extension>(launcher, device);
                              });

}  // namespace
}  // namespace graft::cuda
