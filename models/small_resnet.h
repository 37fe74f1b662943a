#pragma once

#include "models/registry.h"

namespace graft {

/// The bundled model's architecture: a residual network [He et al. 2015, §4.2] for 64×64 pictures. A 3×3 stem of 24 channels with
/// stride 2, then three stages of two basic blocks with 24, 48 and 96 channels, global average pooling and a dense layer (30
/// classes).
Graph build_small_resnet(const ArchitectureOptions& options);

}  // namespace graft
