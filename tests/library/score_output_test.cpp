#include "apps/library/score_output.h"

#include <gtest/gtest.h>

#include "runtime/ops/gemm.h"
#include "runtime/ops/softmax.h"

namespace graft {
namespace {

/// Features, a classifier's scores, and numbers that no picture changes.
OnnxModel several() {
  OnnxModel model;
  Graph& g = model.graph;
  const ValueId x = g.add_input("features", DType::f32, {1, 6});
  const ValueId embedded = g.add("embedded", std::make_shared<Softmax>(), {x});
  const ValueId w = g.add_constant("w", Tensor::zeros(DType::f32, {6, 4}));
  const ValueId scores = g.add("scores", std::make_shared<Gemm>(), {embedded, w});
  g.outputs = {g.add_constant("version", Tensor::zeros(DType::f32, {1, 4})), embedded, scores};
  return model;
}

TEST(ScoreOutput, AClassifierComesFirstAndTheOthersAreTold) {
  OnnxModel model = several();
  put_classifier_first(model);
  EXPECT_EQ(model.graph.value(model.graph.outputs[0]).name, "scores");
  ASSERT_EQ(model.notes.size(), 1u);
  EXPECT_EQ(model.notes[0], "of 3 outputs \"scores\" is read, not \"version\", \"embedded\"");
}

TEST(ScoreOutput, ProbabilitiesComeBeforeADenseLayer) {
  OnnxModel model = several();
  Graph& g = model.graph;
  const ValueId p = g.add("p", std::make_shared<Softmax>(), {g.find("scores")});
  g.outputs = {g.find("scores"), p};
  put_classifier_first(model);
  EXPECT_EQ(g.value(g.outputs[0]).name, "p");
  restore_output_order(model);
  EXPECT_EQ(g.value(g.outputs[0]).name, "scores");
}

TEST(ScoreOutput, WithoutOneWhatDependsOnThePictureDoes) {
  OnnxModel model = several();
  model.graph.outputs.resize(2);
  put_classifier_first(model);
  EXPECT_EQ(model.graph.value(model.graph.outputs[0]).name, "embedded");
  EXPECT_EQ(model.notes.size(), 1u);
}

TEST(ScoreOutput, OfOneThereIsNothingToSay) {
  OnnxModel model = several();
  model.graph.outputs.resize(1);
  put_classifier_first(model);
  EXPECT_TRUE(model.notes.empty());
}

}  // namespace
}  // namespace graft
