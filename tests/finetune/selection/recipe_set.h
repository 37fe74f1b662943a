#pragma once

#include <map>
#include <set>

#include "finetune/data/row_stream.h"
#include "finetune/heads/freeze.h"
#include "finetune/heads/head.h"
#include "finetune/heads/join_layers.h"
#include "finetune/selection/recipe_search.h"
#include "runtime/core/initialiser.h"
#include "runtime/core/random.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/reduce.h"
#include "runtime/ops/reshape.h"
#include "runtime/ops/unary.h"
#include "tests/backend.h"

namespace graft {

inline constexpr int64_t kSide = 4;
inline constexpr size_t kPixels = 3 * kSide * kSide;

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
      ++reads;
      seen.insert(ref.index);
      draw_(ref.index, form_, ref.variant, to);
      return std::string(ref.index == unreadable_ ? "picture: is damaged" : "");
    });
  }

  mutable int64_t reads = 0;
  mutable std::set<int64_t> seen;

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
  int convolutions = 0;       // the same, in the place of a hidden layer
  int classes = 2;
  std::vector<std::string> preprocessings{"given"};
  double budget = 1e6;  // everything is tried
  std::map<PictureForm, std::unique_ptr<FormSource>> sources;

  Graph base() const {
    Graph graph;
    const ValueId x = graph.add_input("x", DType::f32, {-1, 3, kSide, kSide});
    ValueId y = x;
    for (int c = 0; c < convolutions; ++c) {
      Random random(static_cast<uint64_t>(c) + 20);
      const std::string name = "conv" + std::to_string(c);
      auto convolution = std::make_shared<Convolution>();
      convolution->window.kernel = {3, 3};
      convolution->window.padding = {1, 1, 1, 1};
      const ValueId w = graph.add_constant(
          name + ".weight", drawn_weights({8, c == 0 ? 3 : 8, 3, 3}, {Initialiser::Kind::he_fan_in, 0}, random));
      y = graph.add(name + "/relu", make_unary(Unary::Kind::relu), {graph.add(name, convolution, {y, w})});
    }
    if (convolutions > 0) {
      auto mean = std::make_shared<Reduce>();
      mean->axes = {2, 3};
      y = graph.add("mean", mean, {y});
    }
    y = graph.add("flat", std::make_shared<Flatten>(), {y});
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

  /// What is searched; this object outlives it.
  RecipeProblem problem() {
    RecipeProblem problem;
    problem.network = [this, graph = base()](const std::string& freeze, HeadInput input) {
      RecipeNetwork network{graph, {}, {}};
      network.head = graft_head(network.graph, {classes, 3, false, {"linear"}}).parameters;
      if (input == HeadInput::joined) network.parts = join_layers(network.graph, network.head);
      apply_freeze(network.graph, {freeze, BatchNormPolicy::train}, network.head);
      return network;
    };
    problem.pictures = [this](const PictureForm& form) -> const SampleSource& { return source(form); };
    for (int64_t i = 0; i < static_cast<int64_t>(labels.size()); ++i)
      (i < training ? problem.training : problem.validation).push_back(i);
    problem.preprocessings = preprocessings;
    problem.classes = classes;
    problem.budget = budget;
    return problem;
  }
  const FormSource& source(const PictureForm& form) {
    auto& made = sources[form];
    if (!made) made = std::make_unique<FormSource>(labels, form, draw, unreadable);
    return *made;
  }
  int64_t reads() const {
    int64_t sum = 0;
    for (const auto& [form, made] : sources) sum += made->reads;
    return sum;
  }
  static TrainOptions options() {
    TrainOptions options;
    options.height = options.width = kSide;
    options.batch = 4;
    options.seed = 9;
    return options;
  }
  RecipeChoice choose(const TrainListener& listener = {}) {
    const RecipeProblem whole = problem();
    FeatureBank bank(whole, options(), test_backend());
    return choose_recipe(whole, bank, options(), listener, test_backend());
  }
};

inline Random noise(int64_t index, uint64_t variant) {
  return Random(mix(mix(7, variant), static_cast<uint64_t>(index)));
}

/// Bright on the left or on the right; a mirrored view is of the other class.
inline Set sides(int64_t training, int64_t validation) {
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

/// The signs of two halves, equal or not: no linear head can tell, a hidden layer has to be trained.
inline Set equal_halves(int64_t training, int64_t validation) {
  Set set;
  set.hidden_layer = true;
  for (int64_t i = 0; i < training + validation; ++i) {
    Random random = noise(i, 0);
    const bool a = random.uniform() < 0.5f, b = random.uniform() < 0.5f;
    set.labels.push_back(a == b);
  }
  set.training = training;
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
  return set;
}

}  // namespace graft
