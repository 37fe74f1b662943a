#pragma once

#include <string>
#include <vector>

#include "augment/transforms/transform.h"

namespace graft {

/// The views of a picture that are averaged at test time, a list of transforms each: NAME[:SIDE…], where NAME is
/// `center`, `flip` (and its mirror image), `five-crop`, `ten-crop` (five and their mirror images) [Krizhevsky et al.
/// 2012] or `multi-scale` (`flip` at four sizes) [Szegedy et al. 2014], and each SIDE a short side in pixels that
/// pictures are resized to; without one, evaluation's, or for corners 8/7 of the crop where a model's own is no larger;
/// of `multi-scale` 256, 288, 320 and 352 for crops of 224. Empty:
/// `center`. Throws Error, about "views".
std::vector<std::vector<TransformPtr>> make_test_views(const std::string& text, const TransformContext& context);

}  // namespace graft
