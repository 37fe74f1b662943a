#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "augment/loader.h"
#include "finetune/features/feature_files.h"
#include "graft/device.h"
#include "graft/listener.h"
#include "graft/preprocessing.h"
#include "runtime/core/backend.h"

namespace graft {

/// The features on disk that the settings name; null where there are to be none.
std::shared_ptr<FeatureFiles> feature_files(const ComputeSettings& settings, const Backend& backend);

/// The line that says why.
std::string not_kept(const FeatureFiles& files);

/// Says in one line how many rows came from the disk, and what kept others from being kept.
void tell_feature_files(const FeatureFiles& files, Listener& listener);

/// What a pipeline does to files, as text for picture_keys(). `recipe`: of transforms with all that they measured;
/// empty: the evaluation view.
std::string pipeline_text(const Preprocessing& preprocessing, const std::string& recipe);

/// Keys of what a pipeline makes of files: of their bytes, the pipeline and the random key. Nothing where a file cannot
/// be read, or is not the one any more that this process read first under its name: what decoded pictures are kept
/// in memory may be of that one. `threads`: 0: one a core.
std::vector<std::optional<ContentKey>> picture_keys(const std::vector<LoadRequest>& requests,
                                                    const std::string& pipeline, int threads);

/// Whether a file is still the one that its key was made of; asked before what came of it is kept.
bool is_unchanged(const std::string& path);

}  // namespace graft
