#pragma once

#include <cstdint>

#include "runtime/cpu/vector/tiles.h"

namespace graft::cpu {

/// Winograd's minimal filtering F(4×4, 3×3) (Winograd 1980; Lavin and Gray, arXiv 1509.09308): a tile of 4×4 outputs
/// from 6×6 inputs with 36 multiplications a channel pair instead of 144. The interpolation points are 0, ±5/8, ±3/2
/// and ∞: with the usual 0, ±1, ±2 the largest error is four times as large. docs/decisions/0005 has the figures.
///
/// A "position" is one of the 36 elements of a transformed tile. All functions work on a multiple of kWinogradChannels
/// channels.
inline constexpr int kWinogradPositions = 36;
inline constexpr int64_t kWinogradChannels = 16;

struct WinogradTransforms {
  /// V = Bᵀ·d·B. `pixels`: 36 addresses of `channels` floats, row by row; position p of channel c goes to v[p·position
  /// + c].
  void (*input)(int64_t channels, const float* const* pixels, float* v, int64_t position);
  /// Y = Aᵀ·M·A, then the tail. `pixels` and `residual`: 16 addresses, row by row, null where the tile leaves the
  /// picture
  /// (`residual` itself may be null). The tail's own residual is not used.
  void (*output)(int64_t channels, const float* m, int64_t position, const TileTail& tail, const float* const* residual,
                 float* const* pixels);
  /// The adjoint of `output`: A·dY·Aᵀ. `pixels`: 16 addresses of `channels` floats.
  void (*output_adjoint)(int64_t channels, const float* const* pixels, float* m, int64_t position);
  /// U = G·g·Gᵀ of kWinogradChannels filters: tap t of filter l is at w[l·filter + t·tap]. Position p goes to
  /// u[p·position + l].
  void (*weights)(const float* w, int64_t filter, int64_t tap, float* u, int64_t position);
  /// The adjoint of `weights`: Gᵀ·dU·G.
  void (*weights_adjoint)(const float* u, int64_t position, float* dw, int64_t filter, int64_t tap);
};

/// For this processor.
const WinogradTransforms& winograd_transforms();

namespace baseline {
const WinogradTransforms& winograd_transforms();
}
namespace avx2 {
const WinogradTransforms& winograd_transforms();
}
namespace avx512 {
const WinogradTransforms& winograd_transforms();
}

}  // namespace graft::cpu
