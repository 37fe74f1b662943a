// Gradual unfreezing: what trains when, and that a resumed run goes the same way.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "runtime/core/error.h"
#include "tests/backend.h"
#include "tests/finetune/job.h"

namespace graft {
namespace {

/// Values of each trained-or-not weight of a layer, by the order of layers.
std::vector<std::vector<float>> layer_weights(const Graph& graph) {
  std::vector<std::vector<float>> weights;
  for (const Node& node : graph.nodes) {
    if (node.op->type() != "Conv" && node.op->type() != "Gemm") continue;
    const auto values = graph.value(node.inputs[1]).constant->data<float>();
    weights.emplace_back(values.begin(), values.end());
  }
  return weights;
}

TrainOptions unfreezing_options(int epochs) {
  TrainOptions o = small_options(epochs);
  o.schedule = {"constant"};
  o.unfreezing = {2, 1, BatchNormPolicy::automatic};
  o.averaging.decay = 0.5f;
  o.optimizer = {"adam"};
  return o;
}

TEST(Unfreezing, TrainsOneLayerMoreAfterEachTwoEpochs) {
  for (const int epochs : {2, 4, 6}) {
    Job job = make_job("all");
    const auto before = layer_weights(job.graph);
    TrainOptions o = unfreezing_options(epochs);
    o.averaging.decay = 0;
    run(job, o, 4);
    const auto after = layer_weights(job.graph);
    ASSERT_EQ(before.size(), after.size());
    for (size_t i = 0; i < before.size(); ++i) {
      const size_t from_top = before.size() - 1 - i;
      if (from_top > static_cast<size_t>(epochs / 2 - 1)) {
        EXPECT_EQ(before[i], after[i]) << epochs << " epochs, layer " << from_top << " below the head";
      }
    }
    EXPECT_NE(before.back(), after.back());
  }
}

TEST(Unfreezing, MovesWhatItReaches) {
  Job job = make_job("all");
  const auto before = layer_weights(job.graph);
  TrainOptions o = unfreezing_options(3);
  o.unfreezing = {1, 100, BatchNormPolicy::automatic};  // the second epoch trains everything
  std::vector<bool> moved(before.size(), false);
  TrainListener listener;
  listener.epoch = [&](const EpochReport& e) {
    const auto now = layer_weights(job.graph);
    for (size_t i = 0; i < now.size(); ++i) {
      if (e.epoch == 1) {
        EXPECT_EQ(now[i] == before[i], i + 1 < now.size()) << "layer " << i;
      }
      moved[i] = moved[i] || now[i] != before[i];
    }
  };
  const ArraySource training("demo", 3, 4, 64, 1), validation("demo", 3, 2, 64, 2);
  train(job.graph, job.head.parameters, training, validation, 3, o, listener, test_backend());
  for (size_t i = 0; i < moved.size(); ++i) EXPECT_TRUE(moved[i]) << "layer " << i;
}

TEST(Unfreezing, ResumesBitForBitWithinAStageAndBetweenTwo) {
  namespace fs = std::filesystem;
  const fs::path path = fs::temp_directory_path() / ("graft_unfreezing" + std::to_string(::getpid()));
  const ArraySource training("demo", 3, 4, 64, 1), validation("demo", 3, 2, 64, 2);
  Job whole = make_job("all");
  run(whole, unfreezing_options(5), 4);
  for (const int first : {1, 2, 3, 4}) {
    Job part = make_job("all");
    TrainOptions o = unfreezing_options(first);
    o.checkpoint.path = path.string();
    train(part.graph, part.head.parameters, training, validation, 3, o, {}, test_backend());
    Job rest = make_job("all");
    o.length.epochs = 5;
    o.checkpoint.resume = true;
    train(rest.graph, rest.head.parameters, training, validation, 3, o, {}, test_backend());
    EXPECT_EQ(all_parameters(rest.graph), all_parameters(whole.graph)) << "stopped after " << first;
  }
  fs::remove(path);
}

TEST(Unfreezing, DoesNotGoWithADescent) {
  Job job = make_job("all");
  TrainOptions o = unfreezing_options(2);
  o.optimizer = {"lbfgs"};
  EXPECT_THROW(run(job, o, 4), Error);
}

}  // namespace
}  // namespace graft
