#include "finetune/optimizers/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <set>

#include "runtime/core/error.h"
#include "runtime/core/random.h"
#include "runtime/core/thread_limit.h"
#include "tests/finetune/fixture.h"

namespace graft {
namespace {

using nlohmann::json;

/// 100 steps on f(w) = Σ a_i (w_i - b_i)² / 2 against PyTorch (tests/fixtures/make_optimizers.py) and the formulas of
/// papers whose rules it lacks (make_papers.py). The difference is relative to the largest weight: single weights pass
/// through zero.
TEST(Optimizers, GoWherePyTorchAndThePapersGo) {
  json f = fixture("optimizers.json");
  const auto papers = fixture("papers.json");
  for (const json& c : papers.at("optimizers")) f.at("cases").push_back(c);
  const auto a = f.at("a").get<std::vector<float>>(), b = f.at("b").get<std::vector<float>>(),
             start = f.at("start").get<std::vector<float>>();
  const auto steps = f.at("steps").get<std::vector<int64_t>>();
  std::set<std::string> checked;
  for (const json& c : f.at("cases")) {
    const auto rule = c.at("rule").get<std::string>();
    checked.insert(rule);
    const OptimizerPtr optimizer = make_optimizer({rule, setting_values_in(c.at("options"))});
    const auto n = static_cast<int64_t>(start.size());
    const int64_t rows = c.value("rows", rule == "lars" ? 1 : 0);  // 0: a vector
    auto w = std::make_shared<Tensor>(Tensor::copy_of<float>(rows > 0 ? Shape{rows, n / rows} : Shape{n}, start));
    std::vector<float> gradient(start.size());
    const std::vector<Parameter> parameters{{"w", w, gradient.data(), 1, c.at("decay").get<float>()}};
    OptimizerState state = optimizer->make_state(parameters);
    double worst = 0;
    size_t at = 0;
    for (int64_t step = 1; step <= 100; ++step) {
      for (size_t i = 0; i < start.size(); ++i) gradient[i] = a[i] * (w->data<float>()[i] - b[i]);
      optimizer->step(c.at("lr").get<float>(), step, parameters, state);
      if (step != steps[at]) continue;
      const auto expected = c.at("w").at(at++).get<std::vector<double>>();
      double largest = 0;
      for (double v : expected) largest = std::max(largest, std::fabs(v));
      for (size_t i = 0; i < start.size(); ++i)
        worst = std::max(worst, std::fabs(static_cast<double>(w->data<float>()[i]) - expected[i]) / largest);
    }
    EXPECT_LT(worst, 1e-6) << c.at("name");
    std::printf("%-28s %.1e\n", c.at("name").get<std::string>().c_str(), worst);
  }
  checked.insert("lbfgs");  // a descent of its own: linear_head_test.cpp
  checked.insert("gd");     // sgd's rule on the whole set
  const auto names = optimizer_names();
  EXPECT_EQ(checked, std::set<std::string>(names.begin(), names.end()));
}

std::shared_ptr<Tensor> drawn(const Shape& shape, uint64_t seed) {
  auto t = std::make_shared<Tensor>(DType::f32, shape);
  Random random(seed);
  for (float& v : t->data<float>()) v = random.normal();
  return t;
}

/// A resumed run makes a new optimizer from the old state; threads share one pass over tensors of odd sizes.
TEST(Optimizers, StateAndStepAreAllThatCountsWhateverTheThreads) {
  for (const std::string& name : optimizer_names()) {
    if (make_optimizer({name})->minimises()) continue;
    const auto run = [&](bool renew, int threads) {
      const ThreadLimit limit(threads);
      std::vector<Parameter> parameters;
      std::vector<std::shared_ptr<Tensor>> gradients;
      for (const Shape& shape : {Shape{70001}, Shape{3}, Shape{16385}, Shape{1}, Shape{301, 7, 33}}) {
        const int64_t n = shape.elements();
        gradients.push_back(drawn(shape, static_cast<uint64_t>(n)));
        parameters.push_back(
            {"p", drawn(shape, static_cast<uint64_t>(n) + 1), gradients.back()->data<float>().data(), 1, 0.01f, 1e-3f});
      }
      OptimizerPtr optimizer = make_optimizer({name});
      OptimizerState state = optimizer->make_state(parameters);
      for (int64_t step = 1; step <= 6; ++step) {
        if (renew && step == 4) optimizer = make_optimizer({name});
        optimizer->step(0.01f, step, parameters, state);
      }
      std::vector<float> all;
      for (const Parameter& p : parameters)
        all.insert(all.end(), p.tensor->data<float>().begin(), p.tensor->data<float>().end());
      return all;
    };
    const auto whole = run(false, 1);
    for (const auto& other : {run(true, 1), run(false, 3)})
      EXPECT_EQ(std::memcmp(whole.data(), other.data(), whole.size() * sizeof(float)), 0) << name;
  }
}

TEST(Optimizers, ScaleTheRateOfEachParameter) {
  const OptimizerPtr sgd = make_optimizer({"sgd"});
  auto w = std::make_shared<Tensor>(Tensor::of<float>({1}, {1.0f}));
  float gradient[] = {1};
  const std::vector<Parameter> parameters{{"w", w, gradient, 0.1f, 0}};
  OptimizerState state = sgd->make_state(parameters);
  sgd->step(0.5f, 1, parameters, state);
  EXPECT_FLOAT_EQ(w->data<float>()[0], 0.95f);
}

TEST(Optimizers, PullBySignAndSize) {
  auto w = std::make_shared<Tensor>(Tensor::of<float>({3}, {2.0f, -2.0f, 0.0f}));
  float gradient[] = {0, 0, 0};
  const OptimizerPtr sgd = make_optimizer({"sgd"});
  const std::vector<Parameter> parameters{{"w", w, gradient, 1, 0.25f, 0.5f}};
  OptimizerState state = sgd->make_state(parameters);
  sgd->step(1, 1, parameters, state);  // elastic net: w - 0.25·w - 0.5·sign(w)
  EXPECT_FLOAT_EQ(w->data<float>()[0], 1.0f);
  EXPECT_FLOAT_EQ(w->data<float>()[1], -1.0f);
  EXPECT_FLOAT_EQ(w->data<float>()[2], 0.0f);
}

TEST(Optimizers, AdafactorRemembersARowAndAColumn) {
  const OptimizerPtr adafactor = make_optimizer({"adafactor"});
  const auto matrix = std::make_shared<Tensor>(DType::f32, Shape{6, 2, 5}),
             vector = std::make_shared<Tensor>(DType::f32, Shape{7});
  const OptimizerState state = adafactor->make_state({{"m", matrix}, {"v", vector}});
  EXPECT_EQ(state.slots(), 1u);
  EXPECT_EQ(state.of(0, 0).size(), 6u + 10u);
  EXPECT_EQ(state.of(1, 0).size(), 7u);
}

TEST(Optimizers, AnUnknownNameIsRefused) { EXPECT_THROW(make_optimizer({"nonsense"}), Error); }

}  // namespace
}  // namespace graft
