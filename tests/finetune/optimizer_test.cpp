#include "finetune/optimizers/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "runtime/base/error.h"

namespace graft {
namespace {

// Where PyTorch 2.15 ends after 100 steps; made by tests/fixtures/optimizer_trajectories.py.
const std::map<std::string, std::vector<float>> kPyTorch{
    {"sgd", {0.999973476f, -1.98519886f, 0.299999952f, 3.2679348f}},
    {"momentum", {1.00498462f, -2.0110507f, 0.29513967f, 4.00705004f}},
    {"adam", {1.0078007f, -1.15770984f, 0.247779608f, 3.55110693f}},
    {"momentum_decay", {0.994826257f, -1.97275531f, 0.294056594f, 3.6358068f}},
    {"adam_decay", {0.998411179f, -1.15111816f, 0.246794775f, 3.42677617f}},
};

/// 100 steps on f(w) = Σ a_i (w_i - b_i)² / 2, as the fixture's.
std::vector<float> descend(const std::string& name, float lr, float decay) {
  const OptimizerPtr optimizer = make_optimizer(name, {});
  const float a[] = {1.0f, 0.5f, 2.0f, 0.1f}, b[] = {1.0f, -2.0f, 0.3f, 4.0f};
  auto w = std::make_shared<Tensor>(Tensor::of<float>({4}, {0.0f, 0.5f, -1.0f, 2.0f}));
  float gradient[4];
  std::vector<Parameter> parameters{{"w", w, gradient, 1, decay}};
  std::vector<std::vector<Tensor>> state(1);
  for (int s = 0; s < optimizer->slots(); ++s) state[0].push_back(Tensor::zeros(DType::f32, {4}));
  for (int64_t step = 1; step <= 100; ++step) {
    for (size_t i = 0; i < 4; ++i) gradient[i] = a[i] * (w->data<float>()[i] - b[i]);
    optimizer->step(lr, step, parameters, state);
  }
  return {w->data<float>().begin(), w->data<float>().end()};
}

void expect_as_pytorch(const std::string& fixture, const std::vector<float>& w) {
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(w[i] / kPyTorch.at(fixture)[i], 1, 2e-6) << fixture << " " << i;
}

TEST(Optimizers, EndWherePyTorchEnds) {
  expect_as_pytorch("sgd", descend("sgd", 0.1f, 0));
  expect_as_pytorch("momentum", descend("momentum", 0.05f, 0));
  expect_as_pytorch("momentum_decay", descend("momentum", 0.05f, 0.01f));
  expect_as_pytorch("adam", descend("adam", 0.02f, 0));
  expect_as_pytorch("adam_decay", descend("adam", 0.02f, 0.01f));
}

TEST(Optimizers, ScaleTheRateOfEachParameter) {
  const OptimizerPtr sgd = make_optimizer("sgd", {});
  auto w = std::make_shared<Tensor>(Tensor::of<float>({1}, {1.0f}));
  const float gradient[] = {1};
  std::vector<std::vector<Tensor>> state(1);
  sgd->step(0.5f, 1, {{"w", w, gradient, 0.1f, 0}}, state);
  EXPECT_FLOAT_EQ(w->data<float>()[0], 0.95f);
}

TEST(Optimizers, AnUnknownNameIsRefused) { EXPECT_THROW(make_optimizer("nonsense", {}), Error); }

}  // namespace
}  // namespace graft
