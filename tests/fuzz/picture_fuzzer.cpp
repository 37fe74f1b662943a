// libFuzzer target: any bytes are a picture that one of the codecs decodes, or one Error.
#include "augment/decode.h"
#include "runtime/core/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Whole, and where a part of the resolution would do.
  for (const int64_t least_side : {0, 2}) {
    try {
      graft::decode_image({data, size}, {.background = {{1, 2, 3}}, .least_side = least_side});
    } catch (const graft::Error&) {
    }
  }
  return 0;
}
