#pragma once

#include <string>

#include "apps/cli/compute_options.h"

namespace graft::app {

/// What `bench --data` measures and prints: how long the pictures of DATA take until a network could read them.
/// `model` may be empty. Throws Error.
void bench_pictures(const CommonOptions& common, const std::string& model, const std::string& data,
                    const std::string& augmentation, double seconds);

}  // namespace graft::app
