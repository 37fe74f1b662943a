#include "finetune/selection/label_doubts.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "finetune/selection/softmax_regression.h"
#include "runtime/core/parallel.h"
#include "runtime/core/random.h"

namespace graft {
namespace {

constexpr int kFolds = 5;

/// Equal shares of every class; a class's only picture trains in every fold.
std::vector<int> folds_of(const std::vector<int>& labels, uint64_t seed) {
  std::map<int, std::vector<size_t>> of_class;
  for (size_t i = 0; i < labels.size(); ++i) of_class[labels[i]].push_back(i);
  std::vector<int> folds(labels.size(), -1);
  for (auto& [label, pictures] : of_class) {
    if (pictures.size() < 2) continue;
    Random random(mix(seed, static_cast<uint64_t>(label)));
    for (size_t i = pictures.size(); i > 1; --i) std::swap(pictures[i - 1], pictures[random.below(i)]);
    for (size_t i = 0; i < pictures.size(); ++i) folds[pictures[i]] = static_cast<int>(i % kFolds);
  }
  return folds;
}

std::vector<double> probabilities(const float* scores, int classes) {
  std::vector<double> p(scores, scores + classes);
  const double largest = *std::max_element(p.begin(), p.end());
  double sum = 0;
  for (double& v : p) sum += v = std::exp(v - largest);
  for (double& v : p) v /= sum;
  return p;
}

/// Probabilities of some pictures by a regression on `trusted` ones: out of fold where they are among these.
class Round {
 public:
  Round(const FeatureMatrix& features, const std::vector<int>& labels, const std::vector<size_t>& trusted, int classes,
        uint64_t seed, int threads)
      : classes_(classes), rows_(labels.size()), scored_(labels.size(), true) {
    ClassTargets targets;
    targets.classes = classes;
    targets.folds = kFolds;
    std::vector<float> values;
    for (const size_t i : trusted) {
      targets.labels.push_back(labels[i]);
      values.insert(values.end(), features.row(i), features.row(i) + features.width());
    }
    targets.fold = folds_of(targets.labels, seed);
    FeatureMatrix matrix;
    matrix.append(values, features.width());
    SoftmaxRegression regression(matrix, targets, threads);
    regression.sweep();
    const LinearHeadWeights head = regression.fit();
    std::vector<bool> is_trusted(labels.size(), false);
    for (size_t t = 0; t < trusted.size(); ++t) {
      rows_[trusted[t]] = probabilities(regression.scores().data() + t * static_cast<size_t>(classes), classes);
      scored_[trusted[t]] = targets.fold[t] >= 0;
      is_trusted[trusted[t]] = true;
    }
    for (size_t i = 0; i < labels.size(); ++i)
      if (!is_trusted[i])
        rows_[i] = probabilities(scores_of(head, {features.row(i), features.width()}).data(), classes);
    measure_sureness(labels, is_trusted);
  }

  /// Every picture that can be scored, the most doubtful first.
  std::vector<LabelDoubt> doubts(const std::vector<int>& labels) const {
    std::vector<LabelDoubt> doubts;
    for (size_t i = 0; i < labels.size(); ++i) {
      if (!scored_[i]) continue;
      const std::vector<double>& row = rows_[i];
      LabelDoubt doubt{i, labels[i], -1, row[static_cast<size_t>(labels[i])], -1, false};
      int confident = -1;
      for (int c = 0; c < classes_; ++c) {
        const double p = row[static_cast<size_t>(c)];
        if (c != doubt.given && p > doubt.likelier_probability) {
          doubt.likelier = c;
          doubt.likelier_probability = p;
        }
        if (p >= sure_[static_cast<size_t>(c)] && (confident < 0 || p > row[static_cast<size_t>(confident)]))
          confident = c;
      }
      doubt.flagged = confident >= 0 && confident != doubt.given;
      doubts.push_back(doubt);
    }
    std::stable_sort(doubts.begin(), doubts.end(), [](const LabelDoubt& a, const LabelDoubt& b) {
      return a.given_probability - a.likelier_probability < b.given_probability - b.likelier_probability;
    });
    return doubts;
  }

 private:
  /// Confident learning's threshold of a class: how sure of it a classifier is on average where the label says it.
  void measure_sureness(const std::vector<int>& labels, const std::vector<bool>& is_trusted) {
    sure_.assign(static_cast<size_t>(classes_), 0);
    std::vector<double> count(static_cast<size_t>(classes_), 0);
    for (size_t i = 0; i < labels.size(); ++i) {
      if (!scored_[i] || !is_trusted[i]) continue;
      sure_[static_cast<size_t>(labels[i])] += rows_[i][static_cast<size_t>(labels[i])];
      ++count[static_cast<size_t>(labels[i])];
    }
    for (size_t c = 0; c < sure_.size(); ++c) sure_[c] = count[c] > 0 ? sure_[c] / count[c] : 2;  // never reached
  }

  int classes_;
  std::vector<std::vector<double>> rows_;
  std::vector<bool> scored_;  // false: a class's only picture
  std::vector<double> sure_;
};

}  // namespace

std::vector<LabelDoubt> label_doubts(const FeatureMatrix& features, const std::vector<int>& labels, int classes,
                                     uint64_t seed, int threads) {
  std::vector<size_t> trusted(labels.size());
  std::iota(trusted.begin(), trusted.end(), size_t{0});
  std::vector<LabelDoubt> doubts = Round(features, labels, trusted, classes, seed, threads).doubts(labels);
  // Wrong labels that train hide others: once more without those that are flagged, unless a class would be left
  // without.
  std::vector<bool> flagged(labels.size(), false);
  std::map<int, int64_t> left;
  for (const int label : labels) ++left[label];
  for (const LabelDoubt& doubt : doubts)
    if (doubt.flagged && left[doubt.given] > 2) {
      flagged[doubt.picture] = true;
      --left[doubt.given];
    }
  std::erase_if(trusted, [&](size_t i) { return flagged[i]; });
  if (trusted.size() == labels.size()) return doubts;
  return Round(features, labels, trusted, classes, seed, threads).doubts(labels);
}

std::vector<double> neighbour_distances(const FeatureMatrix& features, int neighbours) {
  const size_t rows = features.rows(), width = features.width();
  std::vector<float> unit(rows * width);
  for (size_t i = 0; i < rows; ++i) {
    double square = 0;
    for (size_t d = 0; d < width; ++d)
      square += static_cast<double>(features.row(i)[d]) * static_cast<double>(features.row(i)[d]);
    const auto scale = static_cast<float>(square > 0 ? 1 / std::sqrt(square) : 0);
    for (size_t d = 0; d < width; ++d) unit[i * width + d] = features.row(i)[d] * scale;
  }
  std::vector<double> distances(rows, 0);
  const size_t wanted = std::min<size_t>(static_cast<size_t>(neighbours), rows > 0 ? rows - 1 : 0);
  parallel_for(static_cast<int64_t>(rows), 8, [&](int64_t first, int64_t last) {
    std::vector<double> to(rows);
    for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) {
      for (size_t j = 0; j < rows; ++j)
        to[j] = i == j
                    ? 3
                    : 1 - static_cast<double>(std::inner_product(unit.begin() + static_cast<int64_t>(i * width),
                                                                 unit.begin() + static_cast<int64_t>((i + 1) * width),
                                                                 unit.begin() + static_cast<int64_t>(j * width), 0.0f));
      std::partial_sort(to.begin(), to.begin() + static_cast<int64_t>(wanted), to.end());
      for (size_t k = 0; k < wanted; ++k) distances[i] += std::max(0.0, to[k]) / static_cast<double>(wanted);
    }
  });
  return distances;
}

double outlier_limit(std::vector<double> distances) {
  if (distances.empty()) return 0;
  std::sort(distances.begin(), distances.end());
  const auto quartile = [&](double part) {
    return distances[static_cast<size_t>(part * static_cast<double>(distances.size() - 1))];
  };
  return quartile(0.75) + 3 * (quartile(0.75) - quartile(0.25));
}

}  // namespace graft
