#include "finetune/training/trainer.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <functional>

#include "finetune/training/checkpoint.h"
#include "finetune/training/gradcheck.h"
#include "runtime/core/error.h"
#include "tests/backend.h"
#include "tests/finetune/job.h"

namespace graft {
namespace {

TEST(Trainer, LearnsWithEverythingTrained) {
  Job job = make_job("none");
  const ArraySource training("demo", 3, 12, 64, 1), validation("demo", 3, 4, 64, 2);
  TrainOptions o = small_options(6);
  o.rate.trunk_scale = 1;
  const TrainResult r = train(job.graph, job.head.parameters, training, validation, 3, o, {}, test_backend());
  EXPECT_LT(r.history.back().train_loss,
            0.9 * r.history.front().train_loss);  // about 0.8; rounding differs by instruction set
  EXPECT_FALSE(r.features_cached);
}

TEST(Trainer, RefusesPicturesOfAnotherSizeThanTheNetworks) {
  Job job = make_job("all");
  TrainOptions o = small_options(1);
  o.height = o.width = 32;
  try {
    run(job, o);
    FAIL() << "it ran";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("64×64, not 32×32"), std::string::npos) << e.what();
  }
}

TEST(Trainer, CachedFeaturesGiveTheSameRunAsStreamedOnes) {
  std::vector<double> losses[2];
  for (const bool cached : {true, false}) {
    Job job = make_job("all");
    const ArraySource training("demo", 3, 5, 64, 1), validation("demo", 3, 2, 64, 2);
    TrainOptions o = small_options(3);
    o.cache.mode = cached ? CacheOptions::Mode::on : CacheOptions::Mode::off;
    const TrainResult r = train(job.graph, job.head.parameters, training, validation, 3, o, {}, test_backend());
    EXPECT_EQ(r.features_cached, cached);
    for (const EpochReport& e : r.history) losses[cached].push_back(e.train_loss);
  }
  ASSERT_EQ(losses[0].size(), losses[1].size());
  for (size_t i = 0; i < losses[0].size(); ++i) EXPECT_NEAR(losses[0][i], losses[1][i], 1e-5);
}

TEST(Trainer, LeavesWhatIsFrozenUntouchedBitForBit) {
  Job job = make_job("last:2");
  std::vector<std::pair<std::shared_ptr<Tensor>, Tensor>> frozen;
  size_t trained = 0;
  for (size_t i = 0; i < job.graph.value_count(); ++i) {
    const Value& v = job.graph.value(static_cast<ValueId>(i));
    if (v.constant && !v.trainable) frozen.emplace_back(v.constant, v.constant->clone());
    trained += v.trainable;
  }
  EXPECT_EQ(trained, 4u);  // two convolutions, head weight and bias
  const ArraySource training("demo", 3, 4, 64, 1), validation("demo", 3, 2, 64, 2);
  train(job.graph, job.head.parameters, training, validation, 3, small_options(2), {}, test_backend());
  for (const auto& [now, before] : frozen) EXPECT_EQ(std::memcmp(now->raw(), before.raw(), before.bytes()), 0);
}

/// What ends a run in its midst, as a kill would.
struct Interruption {};

/// Trains four epochs at once, and once more with an interruption after the second and a resume from its checkpoint;
/// returns whether the weights are the same bits.
bool resumes(const std::string& policy, float dropout, const std::function<void(TrainOptions&)>& change) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::temp_directory_path() / ("graft_resume_test" + std::to_string(::getpid()));
  fs::create_directories(folder);
  const auto train_until = [&](int last_epoch, bool resume, const std::string& name) {
    Job job = make_job(policy, dropout);
    TrainOptions o = small_options(4);
    o.schedule = {"constant"};
    change(o);
    o.checkpoint.path = (folder / name).string();
    o.checkpoint.resume = resume;
    o.checkpoint.fingerprint = "same";
    TrainListener listener;
    listener.epoch = [&](const EpochReport& report) {
      if (report.epoch == last_epoch) throw Interruption{};
    };
    try {
      run(job, o, 4, listener);
    } catch (const Interruption&) {
    }
    return all_parameters(job.graph);
  };
  constexpr int kNever = 0;
  const auto whole = train_until(kNever, false, "whole");
  train_until(2, false, "parts");
  const auto resumed = train_until(kNever, true, "parts");
  fs::remove_all(folder);
  return whole.size() == resumed.size() && std::memcmp(whole.data(), resumed.data(), whole.size() * sizeof(float)) == 0;
}

TEST(Trainer, ResumesBitForBit) {
  EXPECT_TRUE(resumes("none", 0.3f, [](TrainOptions&) {}));
  EXPECT_TRUE(resumes("none", 0.3f, [](TrainOptions& o) {
    o.averaging.decay = 0.9f;
    o.gradient.sharpness = 0.05f;
    o.mixing = {0.4f, 1.0f};
    o.sampling.balanced = true;
  }));
}

TEST(Trainer, ResumesBitForBitWithEveryUpdateRuleAndSchedule) {
  for (const std::string& name : optimizer_names()) {
    if (make_optimizer({name})->minimises()) continue;  // begins anew, and says so
    EXPECT_TRUE(resumes("all", 0.3f, [&](TrainOptions& o) { o.optimizer = {name}; })) << name;
  }
  for (const std::string& name : schedule_names()) {
    if (name == "constant") continue;
    EXPECT_TRUE(resumes("all", 0, [&](TrainOptions& o) {
      // So short that something happens on both sides of the interruption.
      const SettingValues fixed{{"step-every", "1"},
                                {"milestones", "1,3"},
                                {"restart-every", "3"},
                                {"plateau-patience", "0"},
                                {"threshold", "0.5"}};
      o.schedule = narrowed({name, fixed}, schedule_components());
      o.averaging.decay = 0.9f;
      o.gradient.accumulate = 2;
    })) << name;
  }
}

TEST(Trainer, RefusesACheckpointOfAnotherRun) {
  namespace fs = std::filesystem;
  const fs::path path = fs::temp_directory_path() / ("graft_other_run" + std::to_string(::getpid()));
  const ArraySource training("demo", 3, 3, 64, 1), validation("demo", 3, 2, 64, 2);
  TrainOptions o = small_options(1);
  o.checkpoint.path = path.string();
  o.checkpoint.fingerprint = "one";
  Job job = make_job("all");
  train(job.graph, job.head.parameters, training, validation, 3, o, {}, test_backend());
  o.checkpoint.resume = true;
  o.checkpoint.fingerprint = "another";
  Job other = make_job("all");
  EXPECT_THROW(train(other.graph, other.head.parameters, training, validation, 3, o, {}, test_backend()), Error);
  fs::remove(path);
}

TEST(Trainer, LeavesOutAndNamesPicturesThatCannotBeRead) {
  for (const auto mode : {CacheOptions::Mode::on, CacheOptions::Mode::off}) {
    Job job = make_job("all");
    const ArraySource training("demo", 3, 3, 64, 1, true), validation("demo", 3, 2, 64, 2);
    TrainOptions o = small_options(2);
    o.cache.mode = mode;
    const TrainResult r = train(job.graph, job.head.parameters, training, validation, 3, o, {}, test_backend());
    ASSERT_EQ(r.skipped.size(), 1u);
    EXPECT_EQ(r.skipped[0], "picture 0: is damaged");
  }
}

TEST(Checkpoint, ReadsWhatItWroteAndRefusesHalfAFile) {
  namespace fs = std::filesystem;
  const std::string path = (fs::temp_directory_path() / ("graft_checkpoint" + std::to_string(::getpid()))).string();
  Checkpoint c;
  c.tensors.emplace("a", Tensor::of<float>({2}, {1, 2}));
  c.state = "{\"x\":1}";
  write_checkpoint(path, c);
  const Checkpoint back = read_checkpoint(path);
  EXPECT_EQ(back.state, c.state);
  EXPECT_EQ(back.tensors.at("a").data<float>()[1], 2);
  fs::resize_file(path, fs::file_size(path) - 1);
  EXPECT_THROW(read_checkpoint(path), Error);
  fs::remove(path);
}

TEST(GradientCheck, AgreesOnAWholeNetworkWithTrainedBatchNorms) {
  Job job = make_job("none");
  for (const GradientCheck& c : GradientChecker(job.graph, {4, 64, 64}, test_backend(), 1).check())
    EXPECT_LT(c.relative_error, 2e-2) << c.parameter;
}

TEST(GradientCheck, AgreesElementByElementAndLeavesTheParameterAlone) {
  Job job = make_job("all");
  const auto before = all_parameters(job.graph);
  const GradientErrors errors =
      GradientChecker(job.graph, {4, 64, 64}, test_backend(), 1).check_elements(job.head.parameters[0], 8);
  EXPECT_EQ(errors.rows, (std::vector<int64_t>{0, 1, 2}));
  EXPECT_EQ(errors.columns, (std::vector<int64_t>{0, 13, 27, 40, 54, 67, 81, 95}));
  ASSERT_EQ(errors.error.size(), 24u);
  for (double e : errors.error) EXPECT_LT(e, 1e-3);
  EXPECT_EQ(all_parameters(job.graph), before);
  EXPECT_THROW(GradientChecker(job.graph, {4, 64, 64}, test_backend(), 1).check_elements("nobody"), Error);
}

}  // namespace
}  // namespace graft
