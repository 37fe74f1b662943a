#include "graft/finetune.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "apps/library/train_settings.h"
#include "graft/classifier.h"
#include "graft/evaluate.h"
#include "importer/model.h"
#include "tests/library/generated.h"

namespace graft {
namespace {

FinetuneSettings short_run(int epochs) {
  FinetuneSettings settings;
  settings.compute = on_processor();
  settings.epochs = epochs;
  settings.seed = 3;
  return settings;
}

/// Three figures, ten pictures of each to train on and eight to validate.
class Finetuning : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    draw_demo(folder_->path(), 3, 10, 8);
    data_ = new Dataset(read_dataset(folder_->path().string()));
  }
  static void TearDownTestSuite() {
    delete data_;
    delete folder_;
  }
  static TemporaryFolder* folder_;
  static Dataset* data_;
};
TemporaryFolder* Finetuning::folder_ = nullptr;
Dataset* Finetuning::data_ = nullptr;

std::vector<float> weights_of(const Model& model) {
  const Graph& graph = model.contents().graph;
  std::vector<float> values;
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const auto& t = graph.value(static_cast<ValueId>(i)).constant;
    if (t && t->dtype() == DType::f32) values.insert(values.end(), t->data<float>().begin(), t->data<float>().end());
  }
  return values;
}

/// Keeps the notes.
class NoteListener final : public Listener {
 public:
  void note(const std::string& text) override { notes.push_back(text); }
  void trained(const Model& model) override {
    labels_trained = model.labels();
    notes_before = notes.size();
  }
  bool told(const std::string& part) const {
    return std::any_of(notes.begin(), notes.end(),
                       [&](const std::string& note) { return note.find(part) != std::string::npos; });
  }
  std::vector<std::string> notes, labels_trained;
  size_t notes_before = 0;  // that the model was finished
};

TEST_F(Finetuning, WithoutSettingsThePicturesChoose) {
  FinetuneSettings settings;
  settings.compute = on_processor();
  NoteListener listener;
  const FinetuneResult result = finetune(Model::load(bundled_path()), *data_, settings, &listener);
  EXPECT_FALSE(result.recipe.trials.empty());
  EXPECT_EQ(result.recipe.freeze, "all");
  EXPECT_EQ(result.history.size(), 1u);
  EXPECT_GT(result.best_score, 0.66);
  EXPECT_TRUE(listener.told(result.recipe.conclusion));
  EXPECT_NEAR(evaluate(*result.model, *data_).of_classes->top1, result.best_score, 1e-6);
}

TEST_F(Finetuning, ASettingOfTheTrainingMeansThePlainRecipe) {
  NoteListener listener;
  const FinetuneResult result = finetune(Model::load(bundled_path()), *data_, short_run(2), &listener);
  EXPECT_TRUE(result.recipe.conclusion.empty());
  EXPECT_TRUE(listener.told("plain recipe"));
  FinetuneSettings both = short_run(2);
  both.budget_seconds = 5;
  try {
    finetune(Model::load(bundled_path()), *data_, both);
    FAIL() << "must be refused";
  } catch (const Error& error) {
    EXPECT_EQ(error.setting(), "budget");
  }
}

TEST_F(Finetuning, ReachesTwoThirdsAndItsModelClassifies) {
  const FinetuneResult result = finetune(Model::load(bundled_path()), *data_, short_run(20));
  EXPECT_EQ(result.history.size(), 20u);
  EXPECT_TRUE(result.features_cached);
  EXPECT_FALSE(result.stopped_early);
  EXPECT_GT(result.best_score, 0.66);  // chance: 0.33
  EXPECT_EQ(result.trainable_parameters, 96 * 3 + 3);
  ASSERT_TRUE(result.model);
  EXPECT_EQ(result.model->labels(), data_->classes);
  EXPECT_TRUE(result.model->preprocessing());

  // What the file holds classifies as the report says.
  const std::string path = folder_->file("model.onnx");
  EXPECT_GT(result.model->save(path), 1000u);
  Classifier classifier(Model::load(path), run_on_processor());
  const auto answers = classifier.classify(paths_of(data_->validation), 1);
  size_t right = 0;
  for (size_t i = 0; i < answers.size(); ++i)
    right += answers[i].top.at(0).label == data_->classes[static_cast<size_t>(data_->validation[i].label)];
  EXPECT_NEAR(static_cast<double>(right) / static_cast<double>(answers.size()), result.best_score, 1e-9);
}

TEST_F(Finetuning, LeavesTheCallersModelAlone) {
  const Model model = Model::load(bundled_path());
  const std::vector<float> before = weights_of(model);
  FinetuneSettings settings = short_run(1);
  settings.freeze = "none";
  const FinetuneResult result = finetune(model, *data_, settings);
  EXPECT_EQ(weights_of(model), before);
  EXPECT_EQ(result.frozen_parameters, 0);
}

TEST_F(Finetuning, TheSameSeedGivesTheSameWeights) {
  const Model model = Model::load(bundled_path());
  const FinetuneResult a = finetune(model, *data_, short_run(2)), b = finetune(model, *data_, short_run(2));
  EXPECT_EQ(weights_of(*a.model), weights_of(*b.model));
}

TEST_F(Finetuning, AListenerStopsTheRun) {
  class Stopping final : public Listener {
   public:
    void epoch(const EpochReport& report) override { epochs = report.epoch; }
    void note(const std::string& text) override { notes.push_back(text); }
    bool stop() override { return epochs >= 2; }
    int epochs = 0;
    std::vector<std::string> notes;
  } listener;
  const FinetuneResult result = finetune(Model::load(bundled_path()), *data_, short_run(30), &listener);
  EXPECT_EQ(result.history.size(), 3u);  // the epoch in which it was asked is validated and counts
  EXPECT_TRUE(result.stopped_early);
  EXPECT_TRUE(result.model);
  EXPECT_FALSE(listener.notes.empty());
}

TEST_F(Finetuning, GoesOnFromItsCheckpoint) {
  FinetuneSettings settings = short_run(3);
  const FinetuneResult whole = finetune(Model::load(bundled_path()), *data_, settings);
  settings.checkpoint = folder_->file("checkpoint.safetensors");
  // The first epoch's checkpoint is written, and then the run is interrupted.
  class Interrupted final : public Listener {
   public:
    void epoch(const EpochReport&) override { throw Error("interrupted"); }
  } interrupted;
  EXPECT_THROW(finetune(Model::load(bundled_path()), *data_, settings, &interrupted), Error);
  settings.resume = true;
  const FinetuneResult resumed = finetune(Model::load(bundled_path()), *data_, settings);
  EXPECT_EQ(resumed.history.size(), 3u);
  EXPECT_EQ(weights_of(*resumed.model), weights_of(*whole.model));
  settings.lr = 0.5;  // another run
  EXPECT_THROW(finetune(Model::load(bundled_path()), *data_, settings), Error);
}

TEST_F(Finetuning, LooksForARateAndCrossValidates) {
  FinetuneSettings settings = short_run(2);
  settings.find_rate = true;
  const FinetuneResult test = finetune(Model::load(bundled_path()), *data_, settings);
  EXPECT_FALSE(test.model);
  EXPECT_GT(test.rates.trials.size(), 4u);
  settings.find_rate = false;
  settings.folds = 3;
  const FinetuneResult folded = finetune(Model::load(bundled_path()), *data_, settings);
  EXPECT_EQ(folded.folds.scores.size(), 3u);
  EXPECT_TRUE(folded.model);
}

TEST_F(Finetuning, WhatAdaptsCrossValidatesAndRepeatsItself) {
  FinetuneSettings settings;
  settings.compute = on_processor();
  settings.folds = 3;
  settings.seeds = 3;
  settings.search_seconds = 90;
  NoteListener listener;
  const FinetuneResult result = finetune(Model::load(bundled_path()), *data_, settings, &listener);
  EXPECT_TRUE(result.search.trials.empty());
  EXPECT_EQ(result.recipe.budget, 90);
  EXPECT_EQ(result.folds.scores.size(), 3u);
  ASSERT_EQ(result.seeds.scores.size(), 3u);
  EXPECT_EQ(result.seeds.scores[0], result.best_score);
  EXPECT_NEAR(result.seeds.mean, (result.seeds.scores[0] + result.seeds.scores[1] + result.seeds.scores[2]) / 3, 1e-9);
  EXPECT_TRUE(listener.told("3 seeds: "));
  EXPECT_TRUE(listener.told("3 folds: "));
  EXPECT_EQ(listener.labels_trained, data_->classes);
  EXPECT_TRUE(listener.notes.at(listener.notes_before).starts_with("5 runs more"));
  settings.budget_seconds = 10;  // beside search_seconds
  EXPECT_THROW(finetune(Model::load(bundled_path()), *data_, settings), Error);
}

TEST_F(Finetuning, ThePlainRecipeIsRepeatedToo) {
  FinetuneSettings settings = short_run(3);
  const double first = finetune(Model::load(bundled_path()), *data_, settings).best_score;
  settings.seed += 1;
  const double second = finetune(Model::load(bundled_path()), *data_, settings).best_score;
  settings.seed -= 1;
  settings.seeds = 2;
  const FinetuneResult result = finetune(Model::load(bundled_path()), *data_, settings);
  EXPECT_EQ(result.seeds.scores, (std::vector<double>{first, second}));
  settings.folds = 1000;
  EXPECT_THROW(finetune(Model::load(bundled_path()), *data_, settings), Error);
  settings.folds = 0;
  settings.seeds = 0;
  EXPECT_THROW(finetune(Model::load(bundled_path()), *data_, settings), Error);
}

TEST_F(Finetuning, TheSearchKeepsARecord) {
  FinetuneSettings settings = short_run(2);
  settings.search_seconds = 20;
  settings.search_freedom = {true, false, false, false, false};
  settings.search_record = folder_->file("auto.csv");
  const FinetuneResult result = finetune(Model::load(bundled_path()), *data_, settings);
  EXPECT_GT(result.search.trials.size(), 1u);
  EXPECT_TRUE(std::filesystem::exists(settings.search_record));
}

TEST(FinetuneSettingsTest, DefaultsAreTheTrainers) {
  TrainOptions made = to_train_options({}), own;
  std::vector<SettingValues> a, b;
  made.each_group([&](const char*, const auto& group) { a.push_back(setting_values(group)); });
  own.each_group([&](const char*, const auto& group) { b.push_back(setting_values(group)); });
  EXPECT_EQ(a, b);
  EXPECT_EQ(made.optimizer.name, own.optimizer.name);
  EXPECT_EQ(made.schedule.name, own.schedule.name);
  EXPECT_EQ(made.batch, own.batch);
}

TEST(FinetuneSettingsTest, ReachTheTrainerAndComeBack) {
  FinetuneSettings s;
  s.lr = 0.125;
  s.patience = 4;
  s.cache = Caching::on;
  s.cached_views = 5;
  s.unfreeze_every = 2;
  const TrainOptions options = to_train_options(s);
  EXPECT_EQ(options.rate.lr, 0.125f);
  EXPECT_EQ(options.length.patience, 4);
  EXPECT_EQ(options.cache.mode, Caching::on);
  EXPECT_EQ(options.unfreezing.every, 2);
  FinetuneSettings again;
  set_training(again, options);
  EXPECT_EQ(resumable_text(again), resumable_text(s));
  EXPECT_NE(resumable_text(again), resumable_text({}));
}

TEST(FinetuneSettingsTest, APresetLeavesWhatIsGiven) {
  FinetuneSettings s;
  s.lr = 0.25;
  apply_preset(s, "accelerating-bn", {"lr"});
  EXPECT_EQ(s.lr, 0.25);
  EXPECT_EQ(s.freeze, "none");
  EXPECT_EQ(s.batch_norm, BatchNormPolicy::train);
  EXPECT_TRUE(s.remove_lrn_and_dropout);
}

}  // namespace
}  // namespace graft
