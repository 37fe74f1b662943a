// libFuzzer target: any bytes are a picture that one of the codecs decodes, whole or in part, or one Error.
#include "augment/encoded_picture.h"
#include "runtime/core/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // At its own size, and where a part of the resolution would do.
  for (const int64_t least_side : {0, 2}) {
    try {
      const graft::EncodedPicture picture({data, size}, {.background = {{1, 2, 3}}, .least_side = least_side});
      picture.decode();
      if (!picture.decodes_parts()) continue;
      const auto w = static_cast<double>(picture.width()), h = static_cast<double>(picture.height());
      picture.decode({w / 3, h / 4, w / 2, h / 2 + 1});
    } catch (const graft::Error&) {
    }
  }
  return 0;
}
