// Compiled for AVX-512 BF16 alone; see loops/loops.cpp for what such a file may include.
#include "runtime/cpu/vector/avx512_bf16/numbers.h"
#include "runtime/cpu/vector/avx512_bf16/parts.h"
#include "runtime/cpu/vector/loops/two_dimensional.h"

namespace graft::cpu::avx512_bf16 {
namespace {

/// o = Bᵀ·d
inline void input_line(const Lanes d[4], Lanes o[4]) {
  o[0] = d[0] - d[2];
  o[1] = d[1] + d[2];
  o[2] = d[2] - d[1];
  o[3] = d[1] - d[3];
}

/// o = Aᵀ·m
inline void output_line(const Lanes m[4], Lanes o[2]) {
  o[0] = m[0] + m[1] + m[2];
  o[1] = m[1] - m[2] - m[3];
}

void input(int64_t channels, const uint16_t* const* pixels, uint16_t* v, int64_t position) {
  for (int64_t c = 0; c < channels; c += kLanes) {
    two_dimensional<4, 4, input_line>([&](int i, int j) { return load_numbers(pixels[i * 4 + j] + c); },
                                      [&](int i, int j, Lanes o) { store_numbers(v + (i * 4 + j) * position + c, o); });
  }
}

void output(int64_t channels, const float* m, int64_t position, const float* bias, Activation activation,
            const uint16_t* const* residual, uint16_t* const* pixels) {
  for (int64_t c = 0; c < channels; c += kLanes) {
    const Lanes shift = bias ? load(bias + c) : Lanes{};
    two_dimensional<4, 2, output_line>([&](int i, int j) { return load(m + (i * 4 + j) * position + c); },
                                       [&](int i, int j, Lanes o) {
                                         uint16_t* const y = pixels[i * 2 + j];
                                         if (!y) return;
                                         o += shift;
                                         if (residual) o += load_numbers(residual[i * 2 + j] + c);
                                         store_numbers(y + c, activated(o, activation));
                                       });
  }
}

constexpr Bf16Winograd kWinograd{input, output};

}  // namespace

const Bf16Winograd& winograd() { return kWinograd; }

}  // namespace graft::cpu::avx512_bf16
