#pragma once

#include <string>

#include "augment/augmentation.h"
#include "augment/pipeline.h"
#include "importer/model.h"

namespace graft {

/// How errors call a model: by its file, where it has one.
std::string place_of(const OnnxModel& model);

/// Puts what is given of resizing, fit, colours and decoding in the place of what a preprocessing says.
void replace_what_is_set(const PreprocessingSettings& settings, Preprocessing& preprocessing);

TransformContext transform_context(const Preprocessing& preprocessing);
Normalisation normalisation(const Preprocessing& preprocessing);
/// From files to what the network reads, by a recipe of transforms (see make_recipe). Throws Error.
Pipeline make_pipeline(const std::string& recipe, const TransformContext& context, const Preprocessing& preprocessing);
/// The view that evaluation sees, or several (see make_test_views). Throws Error, about "views".
Pipeline evaluation_pipeline(const Preprocessing& preprocessing, const std::string& views = {});

}  // namespace graft
