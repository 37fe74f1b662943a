#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/core/settings.h"

namespace graft {

struct MixingOptions {
  float mixup = 0, cutmix = 0;  // α of Beta(α, α); 0: off. Both: a coin decides for each batch
  void describe(SettingVisitor& visit) {
    visit("mixup", mixup,
          {.low = 0, .high = 10, .help = "mix pictures (or cached features) and targets: α of Beta(α, α) (0: off)"});
    visit("cutmix", cutmix,
          {.low = 0,
           .high = 10,
           .help = "paste boxes of other pictures, targets in proportion: α of Beta(α, α) (0: off)"});
  }
  bool any() const { return mixup > 0 || cutmix > 0; }
};

/// Mixes the samples of a batch with one another, and their targets with them.
/// mixup: x = λx + (1-λ)x', t = λt + (1-λ)t' with λ ~ Beta(α, α) [Zhang et al. 2018]; on cached features it is manifold
/// mixup at that layer [Verma et al. 2019]. CutMix: a box of x' of 1-λ of the area is pasted into x, and λ becomes what
/// is left [Yun et al. 2019].
class BatchMixing {
 public:
  /// The targets have `outputs` numbers.
  BatchMixing(const MixingOptions& options, size_t outputs, uint64_t seed)
      : options_(options), outputs_(outputs), seed_(seed) {}

  /// What happens to batch number `step`: with whom each sample is mixed (itself: left alone) and how much of itself it
  /// keeps.
  struct Plan {
    std::vector<size_t> partner;
    double keep = 1;
    bool cut = false;
    double centre_x = 0, centre_y = 0;  // of the box, in 0…1
  };
  /// Samples whose label is negative mix with nobody.
  Plan plan(std::span<const int> labels, uint64_t step) const;
  /// Mixes rows of `width` numbers each, without places. `to` must be other memory than `from`.
  void mix_rows(const Plan& plan, std::span<const float> from, std::span<float> to, size_t width) const;
  /// Mixes or pastes pictures, N × height × width × channels; a pasted box changes `plan.keep` to its exact share.
  void mix_pictures(Plan& plan, std::span<const float> from, std::span<float> to, size_t height, size_t width,
                    size_t channels) const;
  /// The targets, batch × outputs: from labels, or from rows where there are any.
  void mix_targets(const Plan& plan, std::span<const int> labels, std::vector<float>& rows) const;
  /// What samples weigh: in the same proportion.
  void mix_weights(const Plan& plan, std::vector<float>& weights) const;

 private:
  MixingOptions options_;
  size_t outputs_;
  uint64_t seed_;
};

/// A draw from Beta(α, α).
double symmetric_beta(double alpha, uint64_t seed);

}  // namespace graft
