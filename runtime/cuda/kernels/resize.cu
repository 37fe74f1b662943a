#include "runtime/ops/resize.h"

#include <algorithm>
#include <vector>

#include "runtime/cuda/indexing.h"
#include "runtime/cuda/kernel_files.h"
#include "runtime/cuda/launched.h"
#include "runtime/cuda/numbers.h"
#include "runtime/cuda/table.h"

namespace graft::cuda {
namespace {

/// A sparse matrix as the device holds it: result i is constant[i] and the weighted sum of taps first[i] to first[i +
/// 1].
class Taps {
 public:
  /// `results` × `extent`; with `backward` its transpose.
  Taps(const Resize::Taps& taps, int64_t extent, bool backward, const Device& device)
      : results_(backward ? extent : static_cast<int64_t>(taps.of.size())),
        first_(static_cast<size_t>(results_ + 1), device),
        index_(count(taps), device),
        weight_(count(taps), device),
        constant_(static_cast<size_t>(results_), device) {
    std::vector<std::vector<Resize::Taps::Tap>> of = taps.of;
    if (backward) {
      of.assign(static_cast<size_t>(extent), {});
      for (size_t i = 0; i < taps.of.size(); ++i)
        for (const auto& [index, weight] : taps.of[i])
          of[static_cast<size_t>(index)].push_back({static_cast<int64_t>(i), weight});
    }
    size_t next = 0;
    for (size_t i = 0; i < of.size(); ++i) {
      first_.host()[i] = static_cast<int>(next);
      constant_.host()[i] = backward ? 0 : taps.constant[i];
      for (const auto& [index, weight] : of[i]) {
        index_.host()[next] = static_cast<int>(index);
        weight_.host()[next++] = weight;
      }
    }
    first_.host()[of.size()] = static_cast<int>(next);
    first_.upload();
    index_.upload();
    weight_.upload();
    constant_.upload();
    device.synchronize();
  }

  struct View {
    const int *first, *index;
    const float *weight, *constant;
  };
  View view() const { return {first_.device(), index_.device(), weight_.device(), constant_.device()}; }
  int64_t results() const { return results_; }

 private:
  static size_t count(const Resize::Taps& taps) {
    size_t all = 0;
    for (const auto& of : taps.of) all += of.size();
    return all;
  }
  int64_t results_;
  Table<int> first_, index_;
  Table<float> weight_, constant_;
};

/// One dimension of before × extent × after.
struct Weigh {
  const float* from;
  float* to;
  Taps::View taps;
  int64_t extent, results, after;
  GRAFT_DEVICE void operator()(int64_t i) const {
    const int64_t column = i % after, result = i / after % results, before = i / after / results;
    float sum = taps.constant[result];
    for (int t = taps.first[result]; t < taps.first[result + 1]; ++t)
      sum += taps.weight[t] * from[(before * extent + taps.index[t]) * after + column];
    to[i] = sum;
  }
};

template <typename From, typename To>
struct Lay {
  const From* from;
  To* to;
  Indexer<2> places;  // to, from
  GRAFT_DEVICE void operator()(int64_t i) const {
    const auto p = places(i);
    to[p.at[0]] = rounded<To>(value_of(from[p.at[1]]));
  }
};

struct Step {
  std::shared_ptr<const Taps> taps;
  int64_t before, extent, after;
};

/// One dimension after the other through row-major copies in float; dimensions in reverse for the gradient. `x` and `y`
/// are the forward operator's.
std::unique_ptr<Kernel> make(const Launcher& launcher, const Resize& op, const KernelRequest& r, bool backward) {
  const Operand &in = r.inputs[0], &out = r.outputs[0], &x = backward ? out : in, &y = backward ? in : out;
  const Indexer<2> load(in.shape, {plain_strides(in.shape), in.strides}),
      store(out.shape, {out.strides, plain_strides(out.shape)});
  if (!is_real(in.dtype) || in.dtype != out.dtype || !load.fits() || !store.fits()) return nullptr;
  const auto taps = op.taps(x.shape);
  Shape shape = x.shape;
  int64_t largest = std::max(x.shape.elements(), y.shape.elements());
  std::vector<Step> steps;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (taps[d].of.empty()) continue;
    Step step{std::make_shared<Taps>(taps[d], shape[d], backward, launcher.device()), 1,
              backward ? y.shape[d] : shape[d], 1};
    for (size_t i = 0; i < d; ++i) step.before *= shape[i];
    for (size_t i = d + 1; i < shape.size(); ++i) step.after *= shape[i];
    shape[d] = y.shape[d];
    largest = std::max(largest, shape.elements());
    steps.push_back(std::move(step));
  }
  if (backward) std::reverse(steps.begin(), steps.end());
  return visit_real(in.dtype, [&](auto tag) {
    using T = decltype(tag);
    return launched(
        [&launcher, load, store, largest, steps = std::move(steps)](const KernelArguments& k) {
          auto *from = static_cast<float*>(k.scratch), *to = from + largest;
          launcher.each(load.count(), Lay<T, float>{static_cast<const T*>(k.inputs[0]), from, load});
          for (const Step& s : steps) {
            launcher.each(s.before * s.taps->results() * s.after,
                          Weigh{from, to, s.taps->view(), s.extent, s.taps->results(), s.after});
            std::swap(from, to);
          }
          launcher.each(store.count(), Lay<float, T>{from, static_cast<T*>(k.outputs[0]), store});
        },
        static_cast<size_t>(2 * largest) * sizeof(float));
  });
}

}  // namespace

void register_resize(KernelTable& table, const Launcher& launcher) {
  table.add<Resize>([&launcher](const Resize& op, const KernelRequest& r) { return make(launcher, op, r, false); });
  table.add<ResizeGradient>(
      [&launcher](const ResizeGradient& op, const KernelRequest& r) { return make(launcher, op.forward, r, true); });
}

}  // namespace graft::cuda
