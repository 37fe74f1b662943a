#include "finetune/selection/recipe_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "finetune/data/row_stream.h"
#include "finetune/heads/freeze.h"
#include "finetune/heads/head.h"
#include "runtime/core/error.h"
#include "runtime/core/initialiser.h"
#include "runtime/core/random.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/reshape.h"
#include "runtime/ops/unary.h"
#include "tests/backend.h"

namespace graft {
namespace {

constexpr int64_t kSide = 4;
constexpr size_t kPixels = 3 * kSide * kSide;

/// Pictures of 4×4 in a form, by a function of (index, form, variant).
class FormSource final : public SampleSource {
 public:
  using Draw = std::function<void(int64_t index, const PictureForm& form, uint64_t variant, float* to)>;
  FormSource(std::vector<int> labels, PictureForm form, Draw draw, int64_t unreadable)
      : labels_(std::move(labels)), form_(form), draw_(std::move(draw)), unreadable_(unreadable) {}
  int64_t size() const override { return static_cast<int64_t>(labels_.size()); }
  int label(int64_t index) const override { return labels_[static_cast<size_t>(index)]; }
  std::unique_ptr<SampleStream> stream(std::vector<SampleRef> order, size_t batch) const override {
    return std::make_unique<RowStream>(std::move(order), batch, kPixels, [this](const SampleRef& ref, float* to) {
      draw_(ref.index, form_, ref.variant, to);
      return std::string(ref.index == unreadable_ ? "picture: is damaged" : "");
    });
  }

 private:
  std::vector<int> labels_;
  PictureForm form_;
  Draw draw_;
  int64_t unreadable_;
};

/// A set of two classes, and networks for it.
struct Set {
  std::vector<int> labels;  // of the training pictures, then of those that validate
  int64_t training = 0, unreadable = -1;
  FormSource::Draw draw;
  bool hidden_layer = false;  // below the head, with random weights
  int classes = 2;
  std::vector<std::string> preprocessings{"given"};
  double budget = 1e6;  // everything is tried
  std::map<PictureForm, std::unique_ptr<FormSource>> sources;

  Graph base() const {
    Graph graph;
    const ValueId x = graph.add_input("x", DType::f32, {-1, 3, kSide, kSide});
    ValueId y = graph.add("flat", std::make_shared<Flatten>(), {x});
    if (hidden_layer) {
      Random random(5);
      auto gemm = std::make_shared<Gemm>();
      gemm->transpose_b = Transpose2d::yes;
      const ValueId w =
          graph.add_constant("hidden.weight", drawn_weights({3, kPixels}, {Initialiser::Kind::he_fan_in, 0}, random));
      const ValueId b = graph.add_constant("hidden.bias", Tensor::zeros(DType::f32, {3}));
      y = graph.add("relu", make_unary(Unary::Kind::relu), {graph.add("hidden", gemm, {y, w, b})});
    }
    graph.outputs = {y};
    return graph;
  }

  RecipeChoice choose(const TrainListener& listener = {}) {
    const Graph graph = base();
    RecipeProblem problem;
    problem.network = [&](const std::string& freeze) {
      RecipeNetwork network{graph, {}};
      network.head = graft_head(network.graph, {classes, 3, false, {"linear"}}).parameters;
      apply_freeze(network.graph, {freeze, BatchNormPolicy::train}, network.head);
      return network;
    };
    problem.pictures = [&](const PictureForm& form) -> const SampleSource& {
      auto& source = sources[form];
      if (!source) source = std::make_unique<FormSource>(labels, form, draw, unreadable);
      return *source;
    };
    problem.training = training;
    problem.preprocessings = preprocessings;
    problem.classes = classes;
    problem.budget = budget;
    TrainOptions options;
    options.height = options.width = kSide;
    options.batch = 16;
    options.seed = 9;
    return choose_recipe(problem, options, listener, test_backend());
  }
};

Random noise(int64_t index, uint64_t variant) { return Random(mix(mix(7, variant), static_cast<uint64_t>(index))); }

/// Bright on the left or on the right; a mirrored view is of the other class.
Set sides(int64_t training, int64_t validation) {
  Set set;
  for (int64_t i = 0; i < training + validation; ++i) set.labels.push_back(static_cast<int>(i % 2));
  set.training = training;
  set.draw = [](int64_t index, const PictureForm& form, uint64_t variant, float* to) {
    Random random = noise(index, variant);
    const bool mirrored = variant > 0 && form.variants == PictureForm::Variants::mirrored;
    for (size_t p = 0; p < kPixels; ++p) {
      const bool right = p % 3 == 0 && p / 3 % kSide >= 2;  // channels-last
      to[p] = random.normal() + ((right == (index % 2 == 1)) != mirrored ? 0.9f : 0.0f);
    }
  };
  return set;
}

size_t count_chosen(const RecipeSearch& report) {
  return static_cast<size_t>(std::count_if(report.trials.begin(), report.trials.end(),
                                           [](const RecipeTrial& t) { return t.verdict == "chosen"; }));
}

const RecipeTrial* find_trial(const RecipeSearch& report, const std::string& beginning) {
  for (const RecipeTrial& t : report.trials)
    if (t.what.starts_with(beginning)) return &t;
  return nullptr;
}

TEST(RecipeSearch, PicturesThatValidateChooseNothing) {
  Set honest = sides(60, 20), poisoned = sides(60, 20);
  for (size_t i = 60; i < 80; ++i) poisoned.labels[i] = 1 - poisoned.labels[i];
  const RecipeChoice a = honest.choose(), b = poisoned.choose();
  EXPECT_EQ(a.head.weight, b.head.weight);
  EXPECT_EQ(a.report.freeze, b.report.freeze);
  ASSERT_EQ(a.report.trials.size(), b.report.trials.size());
  for (size_t i = 0; i < a.report.trials.size(); ++i) {
    EXPECT_EQ(a.report.trials[i].loss, b.report.trials[i].loss);
    EXPECT_EQ(a.report.trials[i].verdict, b.report.trials[i].verdict);
  }
  EXPECT_EQ(count_chosen(a.report), 1u);
  EXPECT_EQ(a.validation.size(), 20u);
}

TEST(RecipeSearch, MirroredViewsThatHurtAreLeftOut) {
  Set set = sides(80, 8);
  const RecipeChoice choice = set.choose();
  EXPECT_FALSE(choice.report.flips);
  EXPECT_EQ(choice.form.variants, PictureForm::Variants::augmented_without_flips);
  ASSERT_TRUE(find_trial(choice.report, "mirrored views"));
  EXPECT_TRUE(find_trial(choice.report, "mirrored views")->verdict.starts_with("they hurt"));

  Set symmetric = sides(80, 8);
  symmetric.draw = [](int64_t index, const PictureForm&, uint64_t variant, float* to) {
    Random random = noise(index, variant);
    for (size_t p = 0; p < kPixels; ++p) to[p] = random.normal() + (index % 2 == 1 && p % 3 == 0 ? 0.9f : 0.0f);
  };
  EXPECT_TRUE(symmetric.choose().report.flips);
}

TEST(RecipeSearch, APreprocessingThatFitsBetterTakesTheGuessesPlace) {
  Set set = sides(80, 8);
  const auto draw = set.draw;
  set.draw = [draw](int64_t index, const PictureForm& form, uint64_t variant, float* to) {
    draw(index, form, variant, to);
    Random random(static_cast<uint64_t>(index) + 99);
    for (size_t p = 0; form.preprocessing != 1 && p < kPixels; ++p) to[p] += 3 * random.normal();
  };
  set.preprocessings = {"imagenet", "tf", "caffe"};
  const RecipeChoice choice = set.choose();
  EXPECT_EQ(choice.form.preprocessing, 1u);
  EXPECT_EQ(choice.report.preprocessing, "tf");
  EXPECT_EQ(find_trial(choice.report, "preprocessing tf")->verdict, "taken");
}

TEST(RecipeSearch, DepthIsTrainedWhereItGains) {
  Set set;  // two pixels' signs, equal or not: no linear head can tell
  set.hidden_layer = true;
  for (int64_t i = 0; i < 660; ++i) {
    Random random = noise(i, 0);
    const bool a = random.uniform() < 0.5f, b = random.uniform() < 0.5f;
    set.labels.push_back(a == b);
  }
  set.training = 600;
  set.draw = [](int64_t index, const PictureForm&, uint64_t variant, float* to) {
    Random random = noise(index, 0);
    const bool a = random.uniform() < 0.5f, b = random.uniform() < 0.5f;
    Random other = noise(index, variant + 1);
    for (size_t p = 0; p < kPixels; ++p) to[p] = 0.1f * other.normal();
    for (size_t p = 0; p < kPixels / 2; ++p) {
      to[p] += a ? 1.0f : -1.0f;
      to[kPixels / 2 + p] += b ? 1.0f : -1.0f;
    }
  };
  const Graph before = set.base();
  std::vector<std::string> notes;
  TrainListener listener;
  listener.note = [&](const std::string& text) { notes.push_back(text); };
  const RecipeChoice choice = set.choose(listener);
  const RecipeTrial* head = find_trial(choice.report, "head on plain views");
  ASSERT_TRUE(head);
  ASSERT_TRUE(find_trial(choice.report, "all layers"));
  EXPECT_LT(head->accuracy, 0.9);
  EXPECT_EQ(choice.report.freeze, "none");
  EXPECT_GT(choice.report.epochs, 0);
  EXPECT_TRUE(choice.training.keep_last);
  EXPECT_EQ(count_chosen(choice.report), 1u);
  EXPECT_TRUE(std::any_of(notes.begin(), notes.end(), [&](const auto& n) { return n == choice.report.conclusion; }));
}

TEST(RecipeSearch, WhatCannotBeReadIsToldAndLeftOut) {
  Set set = sides(60, 8);
  set.unreadable = 3;
  const RecipeChoice choice = set.choose();
  EXPECT_EQ(choice.skipped, std::vector<std::string>{"picture: is damaged"});
  EXPECT_EQ(find_trial(choice.report, "head on plain views")->pictures, 59);
}

TEST(RecipeSearch, AClassOfOnePictureTrainsAndIsToldOf) {
  Set set = sides(41, 8);
  set.classes = 3;
  set.labels[40] = 2;
  std::vector<std::string> notes;
  TrainListener listener;
  listener.note = [&](const std::string& text) { notes.push_back(text); };
  const RecipeChoice choice = set.choose(listener);
  EXPECT_EQ(find_trial(choice.report, "head on plain views")->pictures, 40);
  EXPECT_EQ(choice.head.bias.size(), 3u);
  EXPECT_TRUE(std::any_of(notes.begin(), notes.end(), [](const auto& n) { return n.starts_with("1 class has"); }));
  Set none = sides(2, 2);
  EXPECT_THROW(none.choose(), Error);
}

TEST(RecipeSearch, ABudgetThatIsGoneLeavesTheHead) {
  Set set = sides(60, 8);
  set.budget = 1e-9;
  const RecipeChoice choice = set.choose();
  EXPECT_EQ(choice.report.freeze, "all");
  EXPECT_EQ(choice.report.trials.size(), 1u);
  EXPECT_EQ(choice.report.trials[0].verdict, "chosen");
}

}  // namespace
}  // namespace graft
