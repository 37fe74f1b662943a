#include "finetune/gradcheck.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "runtime/plan.h"
#include "runtime/base/random.h"

namespace graft {
namespace {

void fill_normal(const View& view, uint64_t key) {
  Random random(key);
  for (int64_t i = 0; i < view.shape.elements(); ++i) view.as<float>()[i] = random.normal();
}

double inner(const float* a, const float* b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

}  // namespace

std::vector<GradientCheck> check_gradients(const Graph& graph, const OpenDims& dims, const Backend& backend, uint64_t seed, int threads) {
  TrainingPlan training = compile_training(graph, dims, backend, threads);
  Plan& plan = training.plan;
  for (size_t i = 0; i < plan.input_count(); ++i) fill_normal(plan.input(i), mix(seed, i));
  const auto value = [&] {
    plan.refresh();
    plan.forward({seed, 0});
    double sum = 0;
    for (size_t s = 0; s < training.scores; ++s) {
      const View y = plan.output(s);
      sum += inner(plan.input(training.first_seed + s).as<float>(), y.as<float>(), y.shape.elements());
    }
    return sum;
  };
  value();
  plan.backward({seed, 0});
  std::map<const Tensor*, std::string> names;
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const Value& v = graph.value(static_cast<ValueId>(i));
    if (v.constant) names[v.constant.get()] = v.name;
  }
  struct Slope {
    std::shared_ptr<Tensor> tensor;
    std::vector<float> direction;
    double analytic;
  };
  std::vector<Slope> slopes;
  for (const auto& [tensor, output] : training.gradients) {
    Slope s{tensor, std::vector<float>(static_cast<size_t>(tensor->elements())), 0};
    Random random(mix(mix(seed, 0x646972), slopes.size()));
    const float* gradient = plan.output(output).as<float>();
    // A direction that leans on the gradient itself keeps the slope well above the noise of single precision.
    double norm = 0;
    for (size_t i = 0; i < s.direction.size(); ++i) norm += static_cast<double>(gradient[i]) * static_cast<double>(gradient[i]);
    const float lean = norm > 0 ? static_cast<float>(1 / std::sqrt(norm)) : 0.0f, spread = 1 / std::sqrt(static_cast<float>(s.direction.size()));
    for (size_t i = 0; i < s.direction.size(); ++i) s.direction[i] = lean * gradient[i] + 0.3f * spread * random.normal();
    s.analytic = inner(gradient, s.direction.data(), tensor->elements());
    slopes.push_back(std::move(s));
  }
  std::vector<GradientCheck> results;
  for (const Slope& s : slopes) {
    auto w = s.tensor->data<float>();
    const std::vector<float> original(w.begin(), w.end());
    GradientCheck best{names[s.tensor.get()], s.analytic, 0, HUGE_VAL};
    for (const float epsilon : {3e-2f, 1e-2f, 3e-3f, 1e-3f}) {
      const auto moved = [&](float amount) {
        for (size_t i = 0; i < w.size(); ++i) w[i] = original[i] + amount * s.direction[i];
        return value();
      };
      const double numerical = (moved(epsilon) - moved(-epsilon)) / (2 * static_cast<double>(epsilon));
      const double error = std::fabs(numerical - s.analytic) / std::max({std::fabs(numerical), std::fabs(s.analytic), 1e-6});
      if (error < best.relative_error) {
        best.numerical = numerical;
        best.relative_error = error;
      }
    }
    std::copy(original.begin(), original.end(), w.begin());
    results.push_back(best);
  }
  plan.refresh();
  return results;
}

}  // namespace graft
