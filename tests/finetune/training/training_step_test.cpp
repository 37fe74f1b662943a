#include "finetune/training/training_step.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "finetune/losses/formulas/distillation.h"
#include "runtime/core/error.h"
#include "runtime/ops/dropout.h"
#include "tests/backend.h"
#include "tests/finetune/job.h"

namespace graft {
namespace {

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i)
    worst = std::max(worst, std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  return worst;
}

/// Weights before and after a run with these changes.
struct Outcome {
  std::vector<float> before, after;
  TrainResult result;
};
Outcome outcome(const std::string& policy, const std::function<void(TrainOptions&)>& change, int epochs = 1) {
  Job job = make_job(policy);
  Outcome o;
  o.before = all_parameters(job.graph);
  TrainOptions options = small_options(epochs);
  options.schedule = {"constant"};
  change(options);
  o.result = run(job, options);
  o.after = all_parameters(job.graph);
  return o;
}

TEST(TrainingStep, AccumulatedBatchesEqualOneLargeOne) {
  for (const bool weighted : {false, true}) {
    const auto with = [&](int64_t batch, int64_t accumulate) {
      return outcome("last:3",
                     [&](TrainOptions& o) {
                       o.batch = batch;
                       o.gradient.accumulate = accumulate;
                       o.optimizer = {"sgd"};
                       if (weighted) o.supervision.class_weights = {1, 5, 0.5f};
                     })
          .after;
    };
    const auto large = with(8, 1), parts = with(4, 2);
    EXPECT_LT(largest_difference(large, parts), 1e-5);
    EXPECT_GT(largest_difference(large, with(4, 1)), 1e-4);
  }
}

/// A limit that nothing reaches has all gradients wait for the pass to end.
TEST(TrainingStep, UpdatesInTheMidstOfThePassChangeNoBit) {
  for (const std::string& name : optimizer_names()) {
    if (name == "lbfgs" || name == "gd") continue;  // they have gradients of the whole set
    SCOPED_TRACE(name);
    const auto with = [&](float limit) {
      return outcome("all", [&](TrainOptions& o) {
        o.optimizer = {name};
        o.averaging.decay = 0.9f;
        o.gradient.clip_value = limit;
      });
    };
    const Outcome along = with(0), afterwards = with(1e30f);
    EXPECT_EQ(along.after, afterwards.after);
    EXPECT_NE(along.after, along.before);
  }
}

TEST(TrainingStep, GradientDescentTakesOneStepAnEpoch) {
  const auto whole = outcome("all", [](TrainOptions& o) {
    o.optimizer = {"gd"};
    o.batch = 24;
  });
  const auto parts = outcome("all", [](TrainOptions& o) {
    o.optimizer = {"gd"};
    o.batch = 4;
  });
  EXPECT_LT(largest_difference(whole.after, parts.after), 1e-5);
  EXPECT_GT(largest_difference(whole.before, whole.after), 1e-4);
}

TEST(TrainingStep, WithoutLayerDecayOnlyTheLayerBelowTheHeadFollows) {
  Job job = make_job("last:3");
  std::vector<std::pair<const Value*, Tensor>> trained;
  for (size_t i = 0; i < job.graph.value_count(); ++i) {
    const Value& v = job.graph.value(static_cast<ValueId>(i));
    if (v.constant && v.trainable && v.shape.rank() == 4) trained.emplace_back(&v, v.constant->clone());
  }
  ASSERT_EQ(trained.size(), 3u);
  TrainOptions o = small_options(1);
  o.rate.layer_decay = 0;
  o.regularisation.weight_decay = 0;
  run(job, o);
  for (size_t i = 0; i < 3; ++i)
    EXPECT_EQ(std::memcmp(trained[i].first->constant->raw(), trained[i].second.raw(), trained[i].second.bytes()) != 0,
              i == 2)
        << trained[i].first->name;
}

TEST(TrainingStep, StopsWhenPatienceEnds) {
  const auto o = outcome(
      "all",
      [](TrainOptions& options) {
        options.rate.lr = 1e-30f;  // nothing changes, nothing improves
        options.length.patience = 2;
      },
      10);
  EXPECT_TRUE(o.result.stopped_early);
  EXPECT_EQ(o.result.history.size(), 3u);
}

/// A teacher with the network's own weights has nothing to teach: neither on cached features nor beside pictures.
TEST(TrainingStep, DistillationFromItselfMovesNothing) {
  for (const auto mode : {CacheOptions::Mode::on, CacheOptions::Mode::off}) {
    Job job = make_job("all");
    const auto before = all_parameters(job.graph);
    Job twin = make_job("all");
    TrainOptions o = small_options(2);
    o.loss = choose<formulas::Distillation>({.teacher_weight = 1});
    o.regularisation.weight_decay = 0;
    o.cache.mode = mode;
    o.supervision.teacher = std::make_shared<Graph>(twin.graph);
    const TrainResult r = run(job, o);
    EXPECT_LT(r.history.back().train_loss, 1e-8);
    EXPECT_LT(largest_difference(before, all_parameters(job.graph)), 1e-6);
    o.loss = choose<formulas::Distillation>({.teacher_weight = 0.5});
    run(job, o);
    EXPECT_GT(largest_difference(before, all_parameters(job.graph)), 1e-3);
  }
}

TEST(TrainingStep, RefusesWhatDoesNotGoTogether) {
  EXPECT_THROW(outcome("all", [](TrainOptions& o) { o.loss = {"distillation"}; }), Error);
  EXPECT_THROW(
      outcome("all", [](TrainOptions& o) { o.supervision.teacher = std::make_shared<Graph>(make_job("all").graph); }),
      Error);
  EXPECT_THROW(outcome("all",
                       [](TrainOptions& o) {
                         o.loss = {"hinge"};
                         o.mixing.mixup = 1;
                       }),
               Error);
  EXPECT_THROW(outcome("all", [](TrainOptions& o) { o.mixing.cutmix = 1; }), Error);  // features are cached
  EXPECT_THROW(outcome("all",
                       [](TrainOptions& o) {
                         o.gradient.sharpness = 0.05f;
                         o.gradient.accumulate = 2;
                       }),
               Error);
}

/// Frozen batch norms keep their statistics, trained ones follow the batches, recalibrated ones are what the final
/// weights make of the training pictures: checked on the first norm, whose input a plan of its own computes.
TEST(TrainingStep, BatchNormStatisticsFollowTheirPolicy) {
  const auto first_norm = [](const Graph& g) {
    return *std::find_if(g.nodes.begin(), g.nodes.end(),
                         [](const Node& n) { return n.op->type() == "BatchNormalization"; });
  };
  const auto running_mean = [&](const Graph& g) {
    const auto values = g.value(first_norm(g).inputs[3]).constant->data<float>();
    return std::vector<float>(values.begin(), values.end());
  };
  for (const bool recalibrate : {false, true}) {
    Job frozen = make_job("none", 0, BatchNormPolicy::frozen), trained = make_job("none", 0, BatchNormPolicy::train);
    const auto before = running_mean(trained.graph);
    TrainOptions o = small_options(2);
    o.batch = 24;
    run(frozen, o);
    EXPECT_EQ(running_mean(frozen.graph), before);
    o.averaging.recalibrate = recalibrate;
    run(trained, o);
    const auto after = running_mean(trained.graph);
    EXPECT_NE(after, before);

    Graph cut = trained.graph;
    cut.outputs = {first_norm(cut).inputs[0]};
    Plan plan = compile_inference(cut, {24, 64, 64}, test_backend());
    const ArraySource source("demo", 3, 8, 64, 1);
    std::vector<SampleRef> all;
    for (int64_t i = 0; i < 24; ++i) all.push_back({i, 1});
    const auto stream = source.stream(all, 24);
    SampleBatch batch;
    ASSERT_TRUE(stream->next(batch));
    plan.bind_input(0, batch.pixels);
    plan.forward();
    const View y = plan.output(0);
    Tensor values(DType::f32, y.shape);
    copy_to_plain(y, values.raw());
    const auto pixels = static_cast<size_t>(y.shape[2] * y.shape[3]), channels = static_cast<size_t>(y.shape[1]);
    double worst = 0;
    for (size_t c = 0; c < channels; ++c) {
      double mean = 0;
      for (size_t n = 0; n < 24; ++n)
        for (size_t i = 0; i < pixels; ++i)
          mean += static_cast<double>(values.data<float>()[(n * channels + c) * pixels + i]) /
                  static_cast<double>(24 * pixels);
      worst = std::max(worst, std::fabs(mean - static_cast<double>(after[c])));
    }
    if (recalibrate)
      EXPECT_LT(worst, 1e-5);
    else
      EXPECT_GT(worst, 1e-4);
  }
  EXPECT_THROW(outcome("all", [](TrainOptions& o) { o.averaging.recalibrate = true; }), Error);
}

TEST(StochasticDepth, StandsInEveryResidualBranchAndLeavesNoTrace) {
  ArchitectureOptions options;
  options.initialise = false;
  Graph graph = build_architecture("resnet-18", options);
  const size_t nodes = graph.nodes.size();
  EXPECT_EQ(add_stochastic_depth(graph, 0.4f), 8);
  std::vector<float> ratios;
  for (const Node& node : graph.nodes) {
    const auto* d = dynamic_cast<const Dropout*>(node.op.get());
    if (!d || !d->whole_samples) continue;
    ratios.push_back(d->ratio);
    // What is left out is the branch, which ends in a norm of its own; shortcuts are a ReLU, or a norm after fewer
    // layers.
    EXPECT_NE(graph.value(node.inputs[0]).name.find(".2.bn"), std::string::npos) << graph.value(node.inputs[0]).name;
  }
  ASSERT_EQ(ratios.size(), 8u);
  EXPECT_FLOAT_EQ(ratios.front(), 0.05f);
  EXPECT_FLOAT_EQ(ratios.back(), 0.4f);
  remove_stochastic_depth(graph);
  EXPECT_EQ(graph.nodes.size(), nodes);

  Job job = make_job("none");
  EXPECT_GT(add_stochastic_depth(job.graph, 0.5f), 0);
  apply_freeze(job.graph, {"none", BatchNormPolicy::automatic}, job.head.parameters);
  EXPECT_TRUE(std::isfinite(run(job, small_options(1)).history.back().train_loss));
}

}  // namespace
}  // namespace graft
