#pragma once

#include "augment/codecs/codec.h"

namespace graft {

/// Turns colours that a picture's ICC profile describes into sRGB, in place, with the perceptual intent; inks become
/// RGB. Leaves the picture alone where the profile is sRGB already, is for other colours than the picture has, or makes
/// no sense. Safe to call from several threads.
void to_srgb(RawPicture& picture);

}  // namespace graft
