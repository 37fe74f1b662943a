#pragma once

#include "runtime/cpu/vector/bf16_kernels.h"

namespace graft::cpu::avx512_bf16 {

// What the files beside bf16.cpp give to the table there.
const Bf16Winograd& winograd();
const Bf16Depthwise& depthwise();
const Bf16PixelTiles& pixel_tiles();

}  // namespace graft::cpu::avx512_bf16
