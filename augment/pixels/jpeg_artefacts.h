#pragma once

#include "augment/pixels/image.h"

namespace graft {

/// What a baseline JPEG with halved chroma keeps of an upright picture: the same bits as those that libjpeg writes and
/// reads again, without the entropy coding between, which loses nothing. `quality`: 1 to 100, as libjpeg counts it.
/// [ITU-T T.81 A, annex K's tables]
Image with_jpeg_artefacts(const Image& image, int quality);

}  // namespace graft
