#include <gtest/gtest.h>

#include <cmath>

#include "finetune/optimizers/optimizer.h"
#include "runtime/core/random.h"
#include "runtime/core/training_kernels.h"
#include "runtime/cpu/cpu_backend.h"
#include "runtime/cuda/device_backend.h"

namespace graft {
namespace {

const Shape kShapes[] = {
    {1}, {1023}, {32, 32}, {50, 50}};  // less than a piece, a whole one, several; vectors and matrices
constexpr int kSteps = 7;

struct Setup {
  std::vector<Parameter> parameters;
  std::vector<std::vector<float>> gradients;
  Setup() {
    Random random(11);
    for (const Shape& shape : kShapes) {
      const int64_t count = shape.elements();
      auto tensor = std::make_shared<Tensor>(DType::f32, shape);
      for (float& v : tensor->data<float>()) v = random.uniform(-1, 1);
      gradients.emplace_back(static_cast<size_t>(count));
      Parameter p;
      p.tensor = tensor;
      p.lr_scale = count == 1024 ? 0.1f : 1.0f;
      p.weight_decay = count == 1 ? 0.0f : 0.01f;
      p.l1 = count == 2500 ? 1e-3f : 0.0f;
      parameters.push_back(p);
    }
    for (size_t i = 0; i < parameters.size(); ++i) parameters[i].gradient = gradients[i].data();
  }
  void draw(uint64_t step) {
    Random random(100 + step);
    for (auto& g : gradients)
      for (float& v : g) v = random.uniform(-1, 1);
  }
};

const TrainingKernels& kernels() { return *cuda::emulated_backend(cpu_backend()).training_kernels(); }

/// Both start alike, and see the same gradients.
void expect_same(const Choice& choice) {
  const std::string& name = choice.name;
  Setup on_host, on_device;
  const OptimizerPtr optimizer = make_optimizer(choice);
  OptimizerState state = optimizer->make_state(on_host.parameters),
                 device_state = optimizer->make_state(on_device.parameters);
  ASSERT_TRUE(kernels().has_optimizer(name)) << name;
  std::vector<ParameterView> parameters;  // the emulated device takes any memory
  for (size_t i = 0; i < on_device.parameters.size(); ++i) {
    const Parameter& p = on_device.parameters[i];
    ParameterView d{p.tensor->data<float>().data(),
                    p.gradient,
                    {},
                    p.tensor->elements(),
                    p.lr_scale,
                    p.weight_decay,
                    p.l1,
                    p.tensor->shape().rank() > 1 ? p.tensor->shape()[0] : 0};
    for (size_t s = 0; s < device_state.slots(); ++s) d.slots[s] = device_state.of(i, s).data();
    parameters.push_back(d);
  }
  const auto update = kernels().make_optimizer(choice, parameters);
  ASSERT_NE(update, nullptr);
  for (int step = 1; step <= kSteps; ++step) {
    on_host.draw(static_cast<uint64_t>(step));
    on_device.draw(static_cast<uint64_t>(step));
    const float lr = 0.1f / static_cast<float>(step);
    optimizer->step(lr, step, on_host.parameters, state);
    update->prepare(lr, step);
    update->apply();
  }
  for (size_t i = 0; i < on_host.parameters.size(); ++i) {
    const auto expected = on_host.parameters[i].tensor->data<float>(),
               found = on_device.parameters[i].tensor->data<float>();
    for (size_t k = 0; k < expected.size(); ++k)
      ASSERT_NEAR(found[k], expected[k], 2e-6f * std::max(1.0f, std::fabs(expected[k])))
          << name << ", parameter " << i << ", element " << k;
  }
}

TEST(FusedOptimizer, EveryRuleIsTheProcessors) {
  for (const std::string& name : optimizer_names()) {
    if (name == "lbfgs") continue;  // a whole descent
    SCOPED_TRACE(name);
    expect_same({name});
  }
}

TEST(FusedOptimizer, OptionsReachTheRule) {
  const SettingValues values{{"amsgrad", "true"},     {"decoupled", "true"}, {"centred", "true"},
                             {"dampening", "0.2"},    {"lr-decay", "0.1"},   {"rms-momentum", "0.5"},
                             {"update-clip", "0.25"}, {"beta1", "0.7"},      {"initial-accumulator", "0.3"},
                             {"decay-power", "0.5"}};
  for (const char* name : {"adam", "adamw", "nadam", "radam", "rmsprop", "momentum", "adagrad", "adafactor", "lion"}) {
    SCOPED_TRACE(name);
    expect_same(narrowed({name, values}, optimizer_components()));
  }
}

TEST(FusedOptimizer, WholeDescentsAreNotKnown) {
  for (const char* name : {"lbfgs", "no such rule"}) EXPECT_FALSE(kernels().has_optimizer(name)) << name;
}

TEST(FusedOptimizer, NothingChangesWhereTheFlagIsNotSet) {
  for (const char* name : {"adam", "lars", "lamb", "adafactor"}) {
    SCOPED_TRACE(name);
    std::vector<float> weights(40, 1.0f), before = weights, gradient(40, 0.5f), a(40, 0.25f), b(40, 0.125f),
                                          c(40, 0.0f);
    const auto update = kernels().make_optimizer(
        {name}, {{weights.data(), gradient.data(), {a.data(), b.data(), c.data()}, 40, 1, 0, 0, 8}});
    int flag = 0;
    update->prepare(0.1f, 1);
    update->apply(&flag);
    EXPECT_EQ(weights, before);
    EXPECT_EQ(a, std::vector<float>(40, 0.25f));
    flag = 1;
    update->prepare(0.1f, 1);
    update->apply(&flag);
    EXPECT_NE(weights, before);
  }
}

}  // namespace
}  // namespace graft
