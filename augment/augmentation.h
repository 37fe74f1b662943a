#pragma once

#include <string>
#include <vector>

#include "augment/transforms/transform.h"
#include "runtime/core/component.h"

namespace graft {

/// A step of an augmentation: one transform, or some of several.
struct AugmentationStep {
  Choice transform;                  // where `of` is empty
  std::vector<AugmentationStep> of;  // `least` to `most` different ones, in random order
  int64_t least = 1, most = 1;
  double chance = 1;  // how often this step is taken
  double weight = 1;  // among the ones it stands beside
};

/// A list of transforms with a name of its own.
struct Recipe {
  std::string name, transforms, help;
};
const std::vector<Recipe>& recipes();

/// The names of recipes as a command line shows them, with what else can stand there.
std::string augmentation_help();

/// The path of a TOML file, its contents, or names of recipes and transforms separated by commas, each as parse_choice
/// reads it ("crop,color-jitter:hue=0.1"). Throws Error, about "augment", naming the line of a file.
std::vector<AugmentationStep> read_augmentation(const std::string& text);

/// What a file says, as read_augmentation reads it. `path` is how errors call it.
std::vector<AugmentationStep> parse_augmentation(const std::string& toml, const std::string& path);

/// Throws Error, about "augment", for what a transform cannot be set to.
std::vector<TransformPtr> make_transforms(const std::vector<AugmentationStep>& steps, const TransformContext& context);

/// Whether pictures of any size have the crop's afterwards.
bool crops(const std::vector<TransformPtr>& transforms);

/// Both at once. Where nothing in it always crops, pictures are cut as evaluation cuts them, first.
std::vector<TransformPtr> make_recipe(const std::string& text, const TransformContext& context);

/// What a run keeps of an augmentation, so that it does not change with a file: the contents of the file that it names,
/// else itself. read_augmentation takes both. Throws Error.
std::string resolved_augmentation(const std::string& text);
/// Whether an augmentation is the contents of a file.
bool is_toml(const std::string& augmentation);

}  // namespace graft
