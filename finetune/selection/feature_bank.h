#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "finetune/features/feature_cache.h"
#include "finetune/selection/recipe_problem.h"
#include "finetune/training/train_options.h"

namespace graft {

/// What the network below its head makes of pictures, in every form and view that searches ask for, each computed once,
/// with the averages of earlier layers that a joined head reads.
/// Plain views keep boundary values of shallower frozen parts too, which lie on the way.
class FeatureBank {
 public:
  using Progress = std::function<void(int64_t done, int64_t total)>;

  /// `backend` and what the problem's pictures refer to outlive the bank.
  FeatureBank(const RecipeProblem& problem, const TrainOptions& options, const Backend& backend);

  /// From now on keeps what crosses into the part that `depth`, a freeze policy, would train, of plain views in one
  /// preprocessing; unless `pictures` of them would take too much memory or it does not lie on the way.
  void keep_boundary(const std::string& depth, HeadInput input, const Graph& marked, size_t preprocessing,
                     size_t pictures);

  /// Computes what is missing of `samples` in the variants `first` to `last`. Those that cannot be read are left out.
  void want(const PictureForm& form, const std::vector<int64_t>& samples, uint64_t first, uint64_t last,
            const Progress& progress);
  /// Whether these rows are there.
  bool has(const PictureForm& form, SampleRef sample) const;
  /// Those of `samples` that are there in the variants `first` to `last`.
  std::vector<int64_t> readable(const PictureForm& form, const std::vector<int64_t>& samples, uint64_t first,
                                uint64_t last) const;
  /// Features of one variant of samples that are there: samples × width(input).
  std::vector<float> view(const PictureForm& form, const std::vector<int64_t>& samples, uint64_t variant,
                          HeadInput input) const;
  /// Floats that a head reads of a picture; as many for both where no layers can be joined.
  size_t width(HeadInput input) const { return input == HeadInput::joined ? joined_width_ : width_; }
  /// Of them each layer's.
  std::vector<size_t> parts(HeadInput input) const {
    return input == HeadInput::joined && joined_width_ > width_ ? parts_ : std::vector<size_t>{width_};
  }

  /// Plain rows at a boundary, of a cache that holds all of `samples`; of no cache where they are not kept.
  FeatureRows boundary(const std::string& depth, HeadInput input, size_t preprocessing,
                       const std::vector<int64_t>& samples) const;

  /// Gives up what was drawn by a seed above 0, which stands for views that nothing is drawn for, too.
  void forget(uint64_t seed);

  /// Pictures that could not be read in some form, with the reason.
  const std::map<int64_t, std::string>& failures() const { return failures_; }
  /// What one picture took in the largest computation so far, with reading.
  double seconds_per_picture() const { return seconds_per_picture_; }

 private:
  using Depth = std::pair<std::string, HeadInput>;
  struct Block {
    PictureForm form;
    FeatureCache cache;
    std::vector<size_t> head;                     // outputs that the head reads
    std::map<Depth, std::vector<size_t>> depths;  // outputs of a boundary
  };
  const Block* block_of(const PictureForm& form, SampleRef sample) const;

  Graph trunk_;
  std::vector<ValueId> features_;  // what a head alone reads: on disk other commands look for it
  std::map<Depth, std::vector<ValueId>> depths_;
  size_t depths_preprocessing_ = 0, depths_bytes_ = 0;
  std::function<const SampleSource&(const PictureForm&)> pictures_;
  TrainOptions options_;
  OpenDims dims_;
  size_t width_ = 0, joined_width_ = 0;
  std::vector<size_t> parts_;
  const Backend& backend_;
  std::vector<std::unique_ptr<Block>> blocks_;
  std::map<int64_t, std::string> failures_;
  double seconds_per_picture_ = 0;
  size_t largest_ = 0;  // computation so far, in pictures
};

}  // namespace graft
