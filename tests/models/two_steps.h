#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <string>

#include "models/registry.h"
#include "runtime/core/random.h"
#include "runtime/plan/plan.h"

namespace graft {

inline Graph all_trainable(const std::string& name) {
  ArchitectureOptions options;
  options.classes = 10;
  Graph graph = build_architecture(name, options);
  for (const Node& node : graph.nodes) {
    const size_t last = node.op->type() == "BatchNormalization" ? 3 : node.inputs.size();
    for (size_t i = 1; i < last; ++i)
      if (node.inputs[i] != kNoValue && graph.value(node.inputs[i]).constant &&
          graph.value(node.inputs[i]).dtype == DType::f32)
        graph.value(node.inputs[i]).trainable = true;
  }
  return graph;
}

inline void fill_inputs(Plan& plan, uint64_t step) {
  for (size_t i = 0; i < plan.input_count(); ++i) {
    Random random(mix(step, i));
    const View in = plan.input(i);
    for (int64_t k = 0; k < in.shape.elements(); ++k) in.as<float>()[k] = random.normal();
  }
}

/// Two steps, so that a dropout's second mask counts too.
inline void take_two_steps(TrainingPlan& training) {
  Plan& plan = training.plan;
  for (uint64_t step = 0; step < 2; ++step) {
    fill_inputs(plan, step);
    plan.forward({1, step});
    plan.backward({1, step});
  }
}

/// Scores, gradients and statistics.
inline void expect_same_bits(const TrainingPlan& a, const TrainingPlan& b) {
  ASSERT_EQ(a.plan.output_count(), b.plan.output_count());
  for (size_t i = 0; i < a.plan.output_count(); ++i) {
    const View one = a.plan.output(i), other = b.plan.output(i);
    EXPECT_EQ(std::memcmp(one.data, other.data, static_cast<size_t>(one.shape.elements()) * sizeof(float)), 0)
        << "output " << i;
  }
}

inline std::string test_name(std::string name) {
  std::replace_if(
      name.begin(), name.end(), [](char k) { return !std::isalnum(static_cast<unsigned char>(k)); }, '_');
  return name;
}

}  // namespace graft
