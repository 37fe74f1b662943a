#include "finetune/selection/feature_bank.h"

#include <algorithm>

#include "finetune/training/feature_store.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

/// What does not tell two forms of a view apart: nothing is drawn for plain and mirrored ones.
PictureForm as_computed(PictureForm form, uint64_t variant) {
  if (variant == 0) return {form.preprocessing, PictureForm::Variants::augmented, 0};
  if (form.variants == PictureForm::Variants::mirrored) form.seed = 0;
  return form;
}

}  // namespace

FeatureBank::FeatureBank(const RecipeProblem& problem, const TrainOptions& options, const Backend& backend)
    : pictures_(problem.pictures),
      options_(options),
      dims_{options.batch, options.height, options.width},
      backend_(backend) {
  const RecipeNetwork joined = problem.network("all", HeadInput::joined);
  parts_ = joined.parts;
  trunk_ = split_for_training(joined.graph, options, backend).trunk;
  remove_dead_code(trunk_);
  joined_width_ = features_per_sample(trunk_, dims_, backend_);
  Graph alone = split_for_training(problem.network("all", HeadInput::features).graph, options, backend).trunk;
  remove_dead_code(alone);
  width_ = features_per_sample(alone, dims_, backend_);
  const auto producers = trunk_.producers();
  if (options.cache.files)
    for (const ValueId id : alone.outputs)
      if (static_cast<size_t>(id) < producers.size() && producers[static_cast<size_t>(id)] >= 0)
        features_.push_back(id);
}

void FeatureBank::keep_boundary(const std::string& name, HeadInput input, const Graph& marked, size_t preprocessing,
                                size_t pictures) {
  const Depth depth{name, input};
  const FrozenSplit split = split_for_training(marked, options_, backend_);
  const std::vector<ValueId>& boundary = split.trunk.outputs;
  const auto producers = trunk_.producers();
  const bool lies_on_the_way = std::all_of(boundary.begin(), boundary.end(), [&](ValueId id) {
    return static_cast<size_t>(id) < producers.size() && producers[static_cast<size_t>(id)] >= 0;
  });
  if (!lies_on_the_way || boundary.empty() || split.rest.inputs.size() != boundary.size()) return;
  if (preprocessing != depths_preprocessing_) depths_.clear();
  if (depths_.empty()) depths_bytes_ = 0;
  if (depths_.contains(depth)) return;
  // What another boundary keeps already takes no more memory.
  Graph more = split.trunk;
  std::erase_if(more.outputs, [&](ValueId id) {
    return std::any_of(depths_.begin(), depths_.end(), [&](const auto& kept) {
      return std::find(kept.second.begin(), kept.second.end(), id) != kept.second.end();
    });
  });
  const size_t bytes = features_per_sample(more, dims_, backend_) * pictures * sizeof(float);
  if (depths_bytes_ + bytes > options_.cache.limit_bytes / 2) return;  // a training may cache as well
  depths_bytes_ += bytes;
  depths_preprocessing_ = preprocessing;
  depths_[depth] = boundary;
}

void FeatureBank::want(const PictureForm& form, const std::vector<int64_t>& samples, uint64_t first, uint64_t last,
                       const Progress& progress) {
  const bool boundaries = first == 0 && last == 0 && !depths_.empty() && form.preprocessing == depths_preprocessing_;
  std::vector<SampleRef> order;
  for (uint64_t variant = first; variant <= last; ++variant)
    for (const int64_t i : samples) {
      const Block* known = failures_.contains(i) ? nullptr : block_of(form, {i, variant});
      if (!failures_.contains(i) && (!known || (boundaries && known->depths.empty()))) order.push_back({i, variant});
    }
  if (order.empty()) return;
  auto block = std::make_unique<Block>();
  block->form = as_computed(form, first);
  Graph trunk = trunk_;
  for (size_t o = 0; o < trunk.outputs.size(); ++o) block->head.push_back(o);
  if (boundaries)
    for (const auto& [depth, values] : depths_)
      for (const ValueId id : values) {
        const auto at = std::find(trunk.outputs.begin(), trunk.outputs.end(), id);
        block->depths[depth].push_back(static_cast<size_t>(at - trunk.outputs.begin()));
        if (at == trunk.outputs.end()) trunk.outputs.push_back(id);
      }
  if (first == 0 && last == 0)
    for (const ValueId id : features_)
      if (std::find(trunk.outputs.begin(), trunk.outputs.end(), id) == trunk.outputs.end()) trunk.outputs.push_back(id);
  block->cache.fill(trunk, dims_, backend_, options_.threads, pictures_(block->form), order,
                    static_cast<size_t>(options_.batch), options_.cache.files.get(),
                    [&](int64_t done) { progress(done, static_cast<int64_t>(order.size())); });
  if (order.size() > largest_) {
    largest_ = order.size();
    seconds_per_picture_ = block->cache.seconds_per_picture();
  }
  for (const auto& [index, reason] : block->cache.failures()) failures_.emplace(index, reason);
  blocks_.push_back(std::move(block));
}

const FeatureBank::Block* FeatureBank::block_of(const PictureForm& form, SampleRef sample) const {
  const PictureForm computed = as_computed(form, sample.variant);
  const Block* found = nullptr;
  for (const auto& block : blocks_)
    if (block->form == computed && block->cache.has(sample) && (!found || !block->depths.empty())) found = block.get();
  return found;
}

bool FeatureBank::has(const PictureForm& form, SampleRef sample) const { return block_of(form, sample) != nullptr; }

std::vector<int64_t> FeatureBank::readable(const PictureForm& form, const std::vector<int64_t>& samples, uint64_t first,
                                           uint64_t last) const {
  std::vector<int64_t> there = samples;
  for (uint64_t variant = first; variant <= last; ++variant)
    std::erase_if(there, [&](int64_t i) { return !has(form, {i, variant}); });
  return there;
}

std::vector<float> FeatureBank::view(const PictureForm& form, const std::vector<int64_t>& samples, uint64_t variant,
                                     HeadInput input) const {
  const size_t wanted = width(input);
  std::vector<float> values(samples.size() * wanted), row(joined_width_);
  auto to = values.begin();
  for (const int64_t i : samples) {
    const Block* block = block_of(form, {i, variant});
    if (!block) throw Error("features that were not computed", {}, ErrorCode::internal);
    size_t at = 0;
    for (const size_t o : block->head) {
      block->cache.copy(o, {i, variant}, row.data() + at);
      at += block->cache.width(o);
    }
    to = std::copy_n(row.begin(), wanted, to);
  }
  return values;
}

void FeatureBank::forget(uint64_t seed) {
  std::erase_if(blocks_, [&](const auto& block) { return block->form.seed == seed; });
}

FeatureRows FeatureBank::boundary(const std::string& depth, HeadInput input, size_t preprocessing,
                                  const std::vector<int64_t>& samples) const {
  const PictureForm plain = as_computed({preprocessing}, 0);
  for (const auto& block : blocks_) {
    const auto outputs = block->depths.find({depth, input});
    if (block->form == plain && outputs != block->depths.end() &&
        std::all_of(samples.begin(), samples.end(), [&](int64_t i) {
          return block->cache.has({i, 0});
        }))
      return {&block->cache, outputs->second};
  }
  return {};
}

}  // namespace graft
