#include "augment/augmentation.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "augment/transforms/now_and_then.h"
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
  bool crops() const override {
    return least_ > 0 &&
           std::all_of(transforms_.begin(), transforms_.end(), [](const TransformPtr& t) { return t->crops(); });
  }
  /// Known before only where every one of them asks for the same kind of size.
  std::optional<int64_t> least_side() const override {
    std::optional<int64_t> largest;
    size_t asking = 0;
    for (const TransformPtr& t : transforms_)
      if (const auto side = t->least_side()) {
        if (*side == 0) return 0;
        largest = std::max(largest.value_or(0), *side);
        ++asking;
      }
    return asking > 0 && (asking < transforms_.size() || least_ == 0) ? std::optional<int64_t>(0) : largest;
  }

 private:
  std::vector<TransformPtr> transforms_;
  std::vector<double> weights_;
  int64_t least_, most_;
};

TransformPtr make_step(const AugmentationStep& step, const TransformContext& context) {
  TransformPtr made;
  if (step.of.empty()) {
    try {
      made = make_transform(step.transform, context);
    } catch (const Error& error) {
      if (error.setting() == "augment") throw;
      std::string text = step.transform.name;
      for (const auto& [name, value] : step.transform.values) text += ":" + name + "=" + value;
      throw Error(text + ": " + error.what()).about("augment");
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
  return step.chance < 1 ? std::make_unique<transforms::NowAndThen>(std::move(made), step.chance) : std::move(made);
}

std::string text_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  std::error_code code;
  if (!file.is_open() || file.bad() || std::filesystem::is_directory(path, code))
    throw Error(path + ": cannot be read", "give a file of transforms, or their names", ErrorCode::not_found)
        .about("augment");
  return text;
}

std::string trimmed(const std::string& text) {
  const auto begin = text.find_first_not_of(' '), end = text.find_last_not_of(' ');
  return begin == std::string::npos ? std::string() : text.substr(begin, end - begin + 1);
}

const Recipe* recipe_named(const std::string& name) {
  const auto named = std::find_if(recipes().begin(), recipes().end(), [&](const Recipe& r) { return r.name == name; });
  return named == recipes().end() ? nullptr : &*named;
}

/// Of one word between commas. Throws Error.
Choice transform_named(const std::string& word) {
  if (word.empty() || word.ends_with(':'))
    throw Error("\"" + word + "\" is no transform", "write NAME or NAME:SETTING=VALUE with commas between them")
        .about("augment");
  if (find_component(transform_components(), word.substr(0, word.find(':'))))
    return parse_choice(word, "transform", "augment", transform_components());
  std::error_code code;
  if (std::filesystem::is_regular_file(word, code))
    throw Error(word + ": is a file, whose name does not end in .toml", "rename it").about("augment");
  std::string known;
  for (const std::string& name : transform_names()) known += " " + name;
  known += "; recipes are";
  for (const Recipe& r : recipes()) known += " " + r.name;
  throw Error("unknown transform \"" + word.substr(0, word.find(':')) + "\"", "known are" + known, ErrorCode::not_found)
      .about("augment");
}

}  // namespace

const std::vector<Recipe>& recipes() {
  static const std::vector<Recipe> named{
      {"none", "center-crop", "what evaluation sees"},
      {"default", "resized-crop,flip", "a part of the picture, mirrored now and then"},
      {"alexnet", "crop,flip,pca-lighting", "Krizhevsky et al. 2012"},
      {"resnet", "scale-crop,flip,color-jitter,pca-lighting", "He et al. 2015"},
      {"inception", "resized-crop:smallest=0.08,flip,color-jitter", "Szegedy et al. 2014, Howard 2013"},
      {"strong", "resized-crop,flip,color-jitter,pca-lighting", "parts, colours and light"},
      {"trivial", "resized-crop,flip,trivialaugment", "Müller & Hutter 2021"},
      {"rand", "resized-crop,flip,randaugment", "Cubuk et al. 2020"},
      {"bn-accelerated", "crop,flip", "without distortion of colours, Ioffe & Szegedy 2015"}};
  return named;
}

std::string augmentation_help() {
  std::string names;
  for (const Recipe& r : recipes()) names += r.name + " | ";
  return names + "FILE.toml | transforms separated by commas";
}

std::vector<AugmentationStep> read_augmentation(const std::string& text) {
  if (is_file(text)) return parse_augmentation(text_of_file(text), text);
  if (is_toml(text)) return parse_augmentation(text, "the augmentation");
  std::vector<AugmentationStep> steps;
  std::stringstream list(text + ",");
  for (std::string word; std::getline(list, word, ',');) {
    word = trimmed(word);
    if (const Recipe* recipe = recipe_named(word)) {
      for (AugmentationStep& step : read_augmentation(recipe->transforms)) steps.push_back(std::move(step));
      continue;
    }
    AugmentationStep step;
    step.transform = transform_named(word);
    steps.push_back(std::move(step));
  }
  return steps;
}

bool crops(const std::vector<TransformPtr>& transforms) {
  return std::any_of(transforms.begin(), transforms.end(), [](const TransformPtr& t) { return t->crops(); });
}

std::vector<TransformPtr> make_transforms(const std::vector<AugmentationStep>& steps, const TransformContext& context) {
  std::vector<TransformPtr> transforms;
  for (const AugmentationStep& step : steps) transforms.push_back(make_step(step, context));
  return transforms;
}

std::vector<TransformPtr> make_recipe(const std::string& text, const TransformContext& context) {
  std::vector<TransformPtr> transforms = make_transforms(read_augmentation(text), context);
  if (!crops(transforms)) transforms.insert(transforms.begin(), make_transform({"center-crop"}, context));
  return transforms;
}

std::string resolved_augmentation(const std::string& text) {
  if (!is_file(text)) return text;
  std::string contents = text_of_file(text);
  parse_augmentation(contents, text);
  return contents;
}

bool is_toml(const std::string& augmentation) { return augmentation.find("[[") != std::string::npos; }

}  // namespace graft
