#include "runtime/ops/dropout.h"

#include <gtest/gtest.h>

#include <cmath>

#include "runtime/ops/binary.h"
#include "runtime/plan/plan.h"
#include "tests/backend.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

/// x·w with a trained w, through a dropout: outputs of the training plan and of the inference plan.
struct Both {
  TrainingPlan training;
  Plan inference;
};
Both plans(const Dropout& dropout, const Shape& shape) {
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, shape), w = g.add_constant("w", Tensor::of<float>({}, {1.0f}));
  g.value(w).trainable = true;
  g.outputs = {g.add("y", make_binary(Binary::Kind::mul), {g.add("drop", std::make_shared<Dropout>(dropout), {x}), w})};
  return {compile_training(g, {}, test_backend()), compile_inference(g, {}, test_backend())};
}

double mean_of(const View& v) {
  double sum = 0;
  for (int64_t i = 0; i < v.shape.elements(); ++i)
    sum += static_cast<double>(v.as<float>()[i]) / static_cast<double>(v.shape.elements());
  return sum;
}

/// Inverted: x in use. Vanilla: (1 - p)·x in use. Each the mean of what training sees.
TEST(Dropout, BothFormsKeepTheirExpectation) {
  for (const bool vanilla : {false, true}) {
    Dropout d;
    d.ratio = 0.3f;
    d.vanilla = vanilla;
    Both both = plans(d, {100, 1000});
    for (Plan* plan : {&both.training.plan, &both.inference}) std::fill_n(plan->input(0).as<float>(), 100000, 2.0f);
    both.training.plan.forward({1, 1});
    both.inference.forward();
    EXPECT_NEAR(mean_of(both.inference.output(0)), vanilla ? 1.4 : 2.0, 1e-4);
    EXPECT_NEAR(mean_of(both.training.plan.output(0)), mean_of(both.inference.output(0)), 0.02);
    const float kept = vanilla ? 2.0f : 2.0f / 0.7f;
    for (int i = 0; i < 1000; ++i) {
      const float v = both.training.plan.output(0).as<float>()[i];
      EXPECT_TRUE(v == 0 || std::fabs(v - kept) < 1e-5f) << v;
    }
  }
}

TEST(Dropout, WholeSamplesComeOrGoTogether) {
  Dropout d;
  d.ratio = 0.5f;
  d.whole_samples = true;
  Both both = plans(d, {400, 2, 3, 3});
  std::fill_n(both.training.plan.input(0).as<float>(), 400 * 18, 1.0f);
  both.training.plan.forward({1, 1});
  int kept = 0;
  for (int n = 0; n < 400; ++n) {
    const float* sample = both.training.plan.output(0).as<float>() + n * 18;
    for (int i = 1; i < 18; ++i) EXPECT_EQ(sample[i], sample[0]);
    EXPECT_TRUE(sample[0] == 0 || sample[0] == 2);
    kept += sample[0] > 0;
  }
  EXPECT_NEAR(kept, 200, 40);
}

}  // namespace
}  // namespace graft
