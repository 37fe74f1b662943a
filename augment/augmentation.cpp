#include "augment/augmentation.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "runtime/core/error.h"

namespace graft {
namespace {

bool is_file(const std::string& text) { return text.ends_with(".toml"); }

/// Some of several steps, drawn without putting back, more often the heavier.
class SomeOf final : public Transform {
 public:
  SomeOf(std::vector<TransformPtr> transforms, std::vector<double> weights, int64_t least, int64_t most)
      : transforms_(std::move(transforms)), weights_(std::move(weights)), least_(least), most_(most) {}
  void apply(WarpedImage& image, Random& random) const override {
    std::vector<double> weights = weights_;
    int64_t count = least_ + static_cast<int64_t>(random.below(static_cast<uint64_t>(most_ - least_ + 1)));
    for (; count > 0; --count) {
      double sum = 0;
      for (const double w : weights) sum += w;
      double draw = static_cast<double>(random.uniform()) * sum;
      size_t chosen = weights.size();
      for (size_t i = 0; i < weights.size() && (chosen == weights.size() || draw >= 0); ++i) {
        if (weights[i] == 0) continue;
        chosen = i;
        draw -= weights[i];
      }
      weights[chosen] = 0;
      transforms_[chosen]->apply(image, random);
    }
  }
  std::optional<int64_t> least_side() const override {
    std::optional<int64_t> largest;
    for (const TransformPtr& t : transforms_) {
      const auto side = t->least_side();
      if (side == 0) return 0;
      if (side) largest = std::max(largest.value_or(0), *side);
    }
    return largest;
  }

 private:
  std::vector<TransformPtr> transforms_;
  std::vector<double> weights_;
  int64_t least_, most_;
};

class Sometimes final : public Transform {
 public:
  Sometimes(TransformPtr step, double chance) : step_(std::move(step)), chance_(static_cast<float>(chance)) {}
  void apply(WarpedImage& image, Random& random) const override {
    if (random.uniform() < chance_) step_->apply(image, random);
  }
  std::optional<int64_t> least_side() const override { return step_->least_side(); }

 private:
  TransformPtr step_;
  float chance_;
};

TransformPtr make_step(const AugmentationStep& step, const TransformContext& context) {
  TransformPtr made;
  if (step.of.empty()) {
    try {
      made = make_transform(step.transform, context);
    } catch (const Error& error) {
      if (error.setting() == "augment") throw;
      throw Error(step.transform.name + ": " + error.what()).about("augment");
    }
  } else {
    std::vector<TransformPtr> transforms;
    std::vector<double> weights;
    for (const AugmentationStep& one : step.of) {
      transforms.push_back(make_step(one, context));
      weights.push_back(one.weight);
    }
    made = std::make_unique<SomeOf>(std::move(transforms), std::move(weights), step.least, step.most);
  }
  return step.chance < 1 ? std::make_unique<Sometimes>(std::move(made), step.chance) : std::move(made);
}

std::string text_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf()))
    throw Error(path + ": cannot be read", "give a file of transforms, or their names", ErrorCode::not_found)
        .about("augment");
  return text.str();
}

}  // namespace

const std::vector<Recipe>& recipes() {
  static const std::vector<Recipe> named{
      {"none", "center-crop", "what evaluation sees"},
      {"default", "resized-crop,flip", "a part of the picture, mirrored now and then"},
      {"alexnet", "crop,flip,pca-lighting", "[Krizhevsky et al. 2012]"},
      {"resnet", "scale-crop,flip,color-jitter,pca-lighting", "[He et al. 2015]"},
      {"inception", "resized-crop:smallest=0.08,flip,color-jitter", "[Szegedy et al. 2014, Howard 2013]"},
      {"strong", "resized-crop,flip,color-jitter,pca-lighting", "parts, colours and light"},
      {"trivial", "resized-crop,flip,trivialaugment", "[Müller & Hutter 2021]"},
      {"rand", "resized-crop,flip,randaugment", "[Cubuk et al. 2020]"},
      {"bn-accelerated", "crop,flip", "without distortion of colours  [Ioffe & Szegedy 2015]"}};
  return named;
}

std::string augmentation_help() {
  std::string names;
  for (const Recipe& r : recipes()) names += r.name + " | ";
  return names + "FILE.toml | transforms separated by commas";
}

std::vector<AugmentationStep> read_augmentation(const std::string& text) {
  if (is_file(text)) return parse_augmentation(text_of_file(text), text);
  const auto named = std::find_if(recipes().begin(), recipes().end(), [&](const Recipe& r) { return r.name == text; });
  std::stringstream list(named == recipes().end() ? text : named->transforms);
  std::vector<AugmentationStep> steps;
  for (std::string word; std::getline(list, word, ',');) {
    AugmentationStep step;
    step.transform = parse_choice(word, "transform", "augment", transform_components());
    steps.push_back(std::move(step));
  }
  return steps;
}

std::vector<TransformPtr> make_transforms(const std::vector<AugmentationStep>& steps, const TransformContext& context) {
  std::vector<TransformPtr> transforms;
  for (const AugmentationStep& step : steps) transforms.push_back(make_step(step, context));
  return transforms;
}

std::vector<TransformPtr> make_recipe(const std::string& text, const TransformContext& context) {
  return make_transforms(read_augmentation(text), context);
}

std::string contents_of_augmentation(const std::string& text) { return is_file(text) ? text_of_file(text) : text; }

}  // namespace graft
