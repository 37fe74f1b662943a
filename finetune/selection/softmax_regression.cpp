#include "finetune/selection/softmax_regression.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "finetune/losses/formulas/formula.h"
#include "finetune/optimizers/optimizer.h"
#include "finetune/training/parameters.h"
#include "runtime/core/error.h"
#include "runtime/core/parallel.h"
#include "runtime/cpu/cpu_backend.h"
#include "runtime/ops/gemm.h"
#include "runtime/plan/plan.h"

namespace graft {
namespace {

/// Strongest first, half a decade apart: each optimum is a good start for the next.
constexpr double kStrongest = 3.1623, kStep = 0.31623, kWeakest = 1e-6;
/// The sweep ends when so many penalties in a row were worse than the best.
constexpr int kWorse = 2;
constexpr int kIterations = 200;
/// A descent has ended where an iteration gains less than this part of the objective.
constexpr double kGain = 1e-5;

}  // namespace

/// The folds' mean losses with their penalties, as one function of all their weights.
class SoftmaxRegression::Problem final : public Objective {
 public:
  /// Of `blocks` independent regressions; `fold_of` says which block does not see a picture (-1: each does).
  Problem(const SoftmaxRegression& owner, int blocks, const std::vector<int>& fold_of)
      : owner_(owner), classes_(owner.targets_.classes), blocks_(blocks) {
    const auto outputs = int64_t{blocks} * classes_;
    const auto width = static_cast<int64_t>(owner.width_);
    Graph graph;
    const ValueId x = graph.add_input("features", DType::f32, {static_cast<int64_t>(owner.rows_), width});
    const ValueId weight = graph.add_constant("weight", Tensor::zeros(DType::f32, {outputs, width}));
    const ValueId bias = graph.add_constant("bias", Tensor::zeros(DType::f32, {outputs}));
    auto gemm = std::make_shared<Gemm>();
    gemm->transpose_b = Transpose2d::yes;
    graph.outputs = {graph.add("scores", gemm, {x, weight, bias})};
    graph.value(weight).trainable = graph.value(bias).trainable = true;
    weight_ = graph.value(weight).constant;
    bias_ = graph.value(bias).constant;
    plan_.emplace(compile_training(graph, {static_cast<int64_t>(owner.rows_)}, cpu_backend(), owner.threads_));
    require_row_major_gradients(*plan_);
    plan_->plan.bind_input(0, owner.standardised_.data());
    for (const auto& [tensor, output] : plan_->gradients)
      parameters_.push_back({tensor == weight_ ? "weight" : "bias", tensor, plan_->plan.output(output).as<float>()});
    find_row_weights(fold_of);
  }

  double evaluate() override {
    Plan& plan = plan_->plan;
    plan.refresh();
    plan.forward();
    const float* scores = plan.output(0).as<float>();
    float* slopes = plan.input(plan_->first_seed).as<float>();
    std::vector<double> losses(owner_.rows_);
    parallel_for(static_cast<int64_t>(owner_.rows_), 64, [&](int64_t first, int64_t last) {
      for (int64_t row = first; row < last; ++row) losses[static_cast<size_t>(row)] = row_loss(row, scores, slopes);
    });
    plan.backward();
    double sum = 0;
    for (const double loss : losses) sum += loss;
    return sum;
  }

  bool iteration(double value) override {
    const bool goes_on = !(previous_ - value < kGain * std::max(value, 1e-3));
    previous_ = value;
    return goes_on;
  }

  /// Descends from where the weights are.
  void minimise(double l2) {
    for (Parameter& p : parameters_) p.weight_decay = p.tensor == weight_ ? static_cast<float>(l2) : 0;
    previous_ = HUGE_VAL;
    make_optimizer({"lbfgs"})->minimise(parameters_, *this, kIterations);
    plan_->plan.refresh();
    plan_->plan.forward();
  }

  std::span<float> weight() { return weight_->data<float>(); }
  std::span<float> bias() { return bias_->data<float>(); }
  /// Of all rows, rows × (blocks × classes).
  const float* scores() const { return plan_->plan.output(0).as<float>(); }

 private:
  void find_row_weights(const std::vector<int>& fold_of) {
    const ClassTargets& t = owner_.targets_;
    row_weights_.assign(owner_.pictures_ * static_cast<size_t>(blocks_), 0);
    for (int k = 0; k < blocks_; ++k) {
      double total = 0;
      const auto weight_of = [&](size_t i) {
        if (blocks_ > 1 && fold_of[i] == k) return 0.0;
        return t.weight(i);
      };
      for (size_t i = 0; i < owner_.pictures_; ++i) total += weight_of(i);
      total *= static_cast<double>(owner_.rows_) / static_cast<double>(owner_.pictures_);
      for (size_t i = 0; i < owner_.pictures_; ++i)
        row_weights_[i * static_cast<size_t>(blocks_) + static_cast<size_t>(k)] = weight_of(i) / total;
    }
  }

  /// Of one row in all blocks; writes dL/dscores.
  double row_loss(int64_t row, const float* scores, float* slopes) const {
    const size_t picture = static_cast<size_t>(row) % owner_.pictures_;
    const int label = owner_.targets_.labels[picture];
    double sum = 0;
    for (int k = 0; k < blocks_; ++k) {
      const int64_t at = (row * blocks_ + k) * classes_;
      const double weight = row_weights_[picture * static_cast<size_t>(blocks_) + static_cast<size_t>(k)];
      const float* f = scores + at;
      float* slope = slopes + at;
      if (weight == 0) {
        std::fill_n(slope, classes_, 0.0f);
        continue;
      }
      const double normaliser = formulas::log_sum_exp({f, static_cast<size_t>(classes_)}, Row{});
      for (int c = 0; c < classes_; ++c)
        slope[c] =
            static_cast<float>(weight * (std::exp(static_cast<double>(f[c]) - normaliser) - (c == label ? 1.0 : 0.0)));
      sum += weight * (normaliser - static_cast<double>(f[label]));
    }
    return sum;
  }

  const SoftmaxRegression& owner_;
  int classes_, blocks_;
  std::shared_ptr<Tensor> weight_, bias_;
  std::optional<TrainingPlan> plan_;
  std::vector<Parameter> parameters_;
  std::vector<double> row_weights_;  // pictures × blocks: of each of a picture's rows in a block's mean
  double previous_ = HUGE_VAL;
};

SoftmaxRegression::SoftmaxRegression(const FeatureMatrix& features, ClassTargets targets, int threads)
    : targets_(std::move(targets)),
      threads_(threads),
      pictures_(features.pictures()),
      rows_(features.rows()),
      width_(features.width()),
      scale_(features),
      standardised_(scale_.apply(features)) {
  if (targets_.labels.size() != pictures_ || targets_.fold.size() != pictures_)
    throw Error("labels or folds of other pictures", {}, ErrorCode::internal);
}

void SoftmaxRegression::add_point(Problem& problem, double l2) {
  problem.minimise(l2);
  const auto classes = static_cast<size_t>(targets_.classes);
  std::vector<float> scores(pictures_ * classes, 0);
  std::vector<int> labels(pictures_, -1);
  for (size_t i = 0; i < pictures_; ++i) {
    if (targets_.fold[i] < 0) continue;
    labels[i] = targets_.labels[i];
    const size_t block = i * static_cast<size_t>(targets_.folds) + static_cast<size_t>(targets_.fold[i]);
    std::copy_n(problem.scores() + block * classes, classes, scores.data() + i * classes);
  }
  const double temperature = best_temperature(scores, labels, targets_.classes);
  for (float& f : scores) f = static_cast<float>(static_cast<double>(f) / temperature);
  HeldOut held_out;
  for (size_t i = 0; i < pictures_; ++i)
    if (labels[i] >= 0) held_out.add({scores.data() + i * classes, classes}, labels[i], targets_.weight(i));
  if (held_out.losses.empty())
    throw Error("no class has two pictures, so that nothing can be judged by pictures that were not seen",
                "give more pictures, or set " + mention("budget") + " to 0", ErrorCode::bad_data);
  path_.push_back({l2, temperature, held_out.loss(), held_out.accuracy()});
  if (path_.size() > 1 && path_.back().loss >= best().loss) return;
  best_ = path_.size() - 1;
  scores_ = std::move(scores);
  fold_weight_.assign(problem.weight().begin(), problem.weight().end());
  fold_bias_.assign(problem.bias().begin(), problem.bias().end());
}

void SoftmaxRegression::sweep() {
  Problem problem(*this, targets_.folds, targets_.fold);
  for (double l2 = kStrongest; l2 > kWeakest && path_.size() < best_ + 1 + kWorse; l2 *= kStep) add_point(problem, l2);
}

void SoftmaxRegression::sweep_at(double l2) {
  Problem problem(*this, targets_.folds, targets_.fold);
  add_point(problem, l2);
}

LinearHeadWeights SoftmaxRegression::fit() const {
  const auto folds = static_cast<size_t>(targets_.folds);
  Problem problem(*this, 1, {});
  const auto start = [&](std::span<float> to, const std::vector<float>& from) {  // at the mean of the folds'
    for (size_t i = 0; i < from.size(); ++i) to[i % to.size()] += from[i] / static_cast<float>(folds);
  };
  start(problem.weight(), fold_weight_);
  start(problem.bias(), fold_bias_);
  const auto scored =
      static_cast<double>(pictures_) - static_cast<double>(std::count(targets_.fold.begin(), targets_.fold.end(), -1));
  const double seen = 1 - scored / static_cast<double>(pictures_) / static_cast<double>(folds);
  problem.minimise(best().l2 * seen);
  return scale_.folded(problem.weight(), problem.bias(), temperature());
}

}  // namespace graft
