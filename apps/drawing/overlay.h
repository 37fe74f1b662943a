#pragma once

#include "augment/pixels/image.h"
#include "graft/explain.h"

namespace graft::app {

/// The picture with its map over it: half of each, the map in colours from blue (0) over green to red (1).
Image overlay(const Explanation& explanation);

}  // namespace graft::app
