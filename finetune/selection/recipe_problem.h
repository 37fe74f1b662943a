#pragma once

#include <compare>
#include <functional>
#include <string>
#include <vector>

#include "finetune/data/sample_source.h"
#include "runtime/core/graph.h"

namespace graft {

/// How pictures come to the network.
struct PictureForm {
  /// What variants from 1 on are: the plain view mirrored, or drawn by the augmentation, with its flips or without.
  enum class Variants { mirrored, augmented, augmented_without_flips };
  size_t preprocessing = 0;  // index into RecipeProblem::preprocessings
  Variants variants = Variants::augmented;
  uint64_t seed = 0;  // of what is drawn
  auto operator<=>(const PictureForm&) const = default;
};

/// What a network's head reads: its features, or these and averages of earlier layers (see join_layers).
enum class HeadInput { features, joined };

/// A network with a linear head, marked as for train(), with the names of its head's values.
struct RecipeNetwork {
  Graph graph;
  std::vector<std::string> head;  // weight, bias
  std::vector<size_t> parts{};    // numbers of each layer that a joined head reads, its features first
};

/// What is searched.
struct RecipeProblem {
  /// A network of which `freeze` is frozen; its weights are those of all others. A joined head has the features first;
  /// where no layers can be joined it is the other.
  std::function<RecipeNetwork(const std::string& freeze, HeadInput)> network;
  /// All pictures; the reference lasts as long as whoever searches.
  std::function<const SampleSource&(const PictureForm&)> pictures;
  std::vector<int64_t> training;            // ascending
  std::vector<int64_t> validation;          // of which only plain features are computed, beside the others'
  std::vector<std::string> preprocessings;  // names; the first is what was given, others make it a guess
  int classes = 2;
  bool class_means = false;  // the head is each class's mean and no layer is trained, whatever else would be better
  double budget = -1;  // seconds; below 0: as long as the features took, at least kLeastBudget, and more for depth
};
inline constexpr double kLeastBudget = 60;

}  // namespace graft
