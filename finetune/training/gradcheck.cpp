#include "finetune/training/gradcheck.h"

#include <algorithm>
#include <cmath>

#include "finetune/training/parameters.h"
#include "runtime/core/error.h"
#include "runtime/core/random.h"
#include "runtime/plan/plan.h"

namespace graft {
namespace {

constexpr float kSteps[] = {3e-2f, 1e-2f, 3e-3f, 1e-3f};

void fill_normal(const View& view, uint64_t key) {
  Random random(key);
  for (int64_t i = 0; i < view.shape.elements(); ++i) view.as<float>()[i] = random.normal();
}

double inner(const float* a, const float* b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

/// 0 … n-1, or `count` of them with even distances.
std::vector<int64_t> spread(int64_t n, int64_t count) {
  std::vector<int64_t> places;
  for (int64_t i = 0; i < std::min(n, count); ++i) places.push_back(n <= count ? i : i * (n - 1) / (count - 1));
  return places;
}

}  // namespace

struct GradientChecker::State {
  struct Slope {
    std::string name;
    std::shared_ptr<Tensor> tensor;
    std::vector<float> gradient;
  };
  TrainingPlan training;
  std::vector<Slope> slopes;
  uint64_t seed;

  double value() {
    Plan& plan = training.plan;
    plan.refresh();
    plan.forward({seed, 0});
    double sum = 0;
    for (size_t s = 0; s < training.scores; ++s) {
      const View y = plan.output(s);
      sum += inner(plan.input(training.first_seed + s).as<float>(), y.as<float>(), y.shape.elements());
    }
    return sum;
  }

  /// (analytic, numerical, relative error) of the slope along `direction`, with the step that agrees best.
  GradientCheck along(const Slope& s, const std::vector<float>& direction, float scale) {
    auto w = s.tensor->data<float>();
    const std::vector<float> original(w.begin(), w.end());
    GradientCheck best{s.name, inner(s.gradient.data(), direction.data(), s.tensor->elements()), 0, HUGE_VAL};
    for (const float step : kSteps) {
      const float epsilon = step * scale;
      const auto moved = [&](float amount) {
        for (size_t i = 0; i < w.size(); ++i) w[i] = original[i] + amount * direction[i];
        return value();
      };
      const double numerical = (moved(epsilon) - moved(-epsilon)) / (2 * static_cast<double>(epsilon));
      const double error =
          std::fabs(numerical - best.analytic) / std::max({std::fabs(numerical), std::fabs(best.analytic), 1e-6});
      if (error < best.relative_error) {
        best.numerical = numerical;
        best.relative_error = error;
      }
    }
    std::copy(original.begin(), original.end(), w.begin());
    return best;
  }
};

GradientChecker::GradientChecker(const Graph& graph, const OpenDims& dims, const Backend& backend, uint64_t seed,
                                 int threads)
    : state_(std::make_unique<State>(State{compile_training(graph, dims, backend, threads), {}, seed})) {
  require_row_major_gradients(state_->training);
  Plan& plan = state_->training.plan;
  for (size_t i = 0; i < plan.input_count(); ++i) fill_normal(plan.input(i), mix(seed, i));
  state_->value();
  plan.backward({seed, 0});
  const auto names = constant_names(graph);
  for (const auto& [tensor, output] : state_->training.gradients) {
    const float* gradient = plan.output(output).as<float>();
    state_->slopes.push_back({names.at(tensor.get()), tensor, {gradient, gradient + tensor->elements()}});
  }
}

GradientChecker::~GradientChecker() = default;

std::vector<GradientCheck> GradientChecker::check() {
  std::vector<GradientCheck> results;
  for (size_t k = 0; k < state_->slopes.size(); ++k) {
    const State::Slope& s = state_->slopes[k];
    Random random(mix(mix(state_->seed, 0x646972), k));
    // A direction that leans on the gradient itself keeps the slope well above the noise of single precision.
    const double norm = inner(s.gradient.data(), s.gradient.data(), s.tensor->elements());
    const float lean = norm > 0 ? static_cast<float>(1 / std::sqrt(norm)) : 0.0f,
                breadth = 1 / std::sqrt(static_cast<float>(s.gradient.size()));
    std::vector<float> direction(s.gradient.size());
    for (size_t i = 0; i < direction.size(); ++i)
      direction[i] = lean * s.gradient[i] + 0.3f * breadth * random.normal();
    results.push_back(state_->along(s, direction, 1));
  }
  state_->training.plan.refresh();
  return results;
}

GradientErrors GradientChecker::check_elements(const std::string& parameter, int64_t side) {
  const auto found = std::find_if(state_->slopes.begin(), state_->slopes.end(),
                                  [&](const State::Slope& s) { return s.name == parameter; });
  if (found == state_->slopes.end()) throw Error("\"" + parameter + "\" is no trained parameter");
  const State::Slope& s = *found;
  const int64_t rows = s.tensor->shape().rank() > 1 ? s.tensor->shape()[0] : 1, columns = s.tensor->elements() / rows;
  GradientErrors result{parameter, spread(rows, side), spread(columns, side), {}};
  double largest = 0, square = 0;
  for (float g : s.gradient) largest = std::max(largest, std::fabs(static_cast<double>(g)));
  for (float w : s.tensor->data<float>()) square += static_cast<double>(w) * static_cast<double>(w);
  // A step is a part of what weights are usually: one weight moves the sum little.
  const float scale = 10 * static_cast<float>(std::sqrt(square / static_cast<double>(s.tensor->elements())) + 1e-3);
  std::vector<float> direction(s.gradient.size(), 0.0f);
  for (int64_t row : result.rows)
    for (int64_t column : result.columns) {
      const auto at = static_cast<size_t>(row * columns + column);
      direction[at] = 1;
      const GradientCheck c = state_->along(s, direction, scale);
      direction[at] = 0;
      result.error.push_back(std::fabs(c.numerical - c.analytic) / std::max(largest, 1e-12));
    }
  state_->training.plan.refresh();
  return result;
}

}  // namespace graft
