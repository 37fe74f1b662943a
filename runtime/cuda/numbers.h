#pragma once

#include <algorithm>
#include <cstring>
#include <span>
#include <type_traits>

#include "runtime/core/error.h"
#include "runtime/core/tensor.h"
#include "runtime/cuda/launcher.h"

namespace graft::cuda {

/// Half types as they lie in memory. Arithmetic is done in float.
struct BFloat16 {
  uint16_t bits;
};
struct Float16 {
  uint16_t bits;
};

GRAFT_DEVICE inline uint32_t bits_of(float v) {
#ifdef __CUDA_ARCH__
  return __float_as_uint(v);
#else
  uint32_t bits;
  std::memcpy(&bits, &v, sizeof bits);
  return bits;
#endif
}

GRAFT_DEVICE inline float float_of(uint32_t bits) {
#ifdef __CUDA_ARCH__
  return __uint_as_float(bits);
#else
  float v;
  std::memcpy(&v, &bits, sizeof v);
  return v;
#endif
}

template <typename T>
requires std::is_arithmetic_v<T> GRAFT_DEVICE T value_of(T v) { return v; }
GRAFT_DEVICE inline float value_of(BFloat16 v) { return float_of(static_cast<uint32_t>(v.bits) << 16); }
GRAFT_DEVICE inline float value_of(Float16 v) {
  const uint32_t sign = static_cast<uint32_t>(v.bits & 0x8000u) << 16, magnitude = v.bits & 0x7fffu;
  if (magnitude >= 0x7c00u) return float_of(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13);
  if (magnitude >= 0x400u) return float_of(sign | ((magnitude << 13) + 0x38000000u));
  const float small = static_cast<float>(magnitude) * 0x1p-24f;
  return sign ? -small : small;
}

/// To the nearest, halves to the even neighbour.
template <typename T>
GRAFT_DEVICE T rounded(float v) {
  const uint32_t bits = bits_of(v);
  if constexpr (std::is_same_v<T, BFloat16>) {
    if ((bits & 0x7fffffffu) > 0x7f800000u) return {static_cast<uint16_t>(bits >> 16 | 0x40u)};
    return {static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16)};
  } else if constexpr (std::is_same_v<T, Float16>) {
    const uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return {static_cast<uint16_t>(sign | 0x7e00u)};
    if (magnitude >= 0x477ff000u) return {static_cast<uint16_t>(sign | 0x7c00u)};  // 65,520 and above
    if (magnitude < 0x38800000u) {  // below 2⁻¹⁴: the last place of ½ is 2⁻²⁴, so adding it rounds there
      const float aligned = float_of(magnitude) + 0.5f;
      return {static_cast<uint16_t>(sign | (bits_of(aligned) - 0x3f000000u))};
    }
    return {static_cast<uint16_t>(sign | ((magnitude - 0x38000000u + 0xfffu + (magnitude >> 13 & 1u)) >> 13))};
  } else {
    return v;
  }
}

/// What value_of gave, as it is stored.
template <typename T, typename V>
GRAFT_DEVICE T stored(V v) {
  if constexpr (std::is_arithmetic_v<T>)
    return static_cast<T>(v);
  else
    return rounded<T>(static_cast<float>(v));
}

/// `width` neighbours, read and written at once.
template <typename T, int width>
struct alignas(sizeof(T) * width) Pack {
  T v[width];
};

template <int width, typename T>
GRAFT_DEVICE void load(const T* from, float* to) {
  const auto pack = *reinterpret_cast<const Pack<T, width>*>(from);
  for (int i = 0; i < width; ++i) to[i] = value_of(pack.v[i]);
}

template <int width, typename T>
GRAFT_DEVICE void store(const float* from, T* to) {
  Pack<T, width> pack;
  for (int i = 0; i < width; ++i) pack.v[i] = rounded<T>(from[i]);
  *reinterpret_cast<Pack<T, width>*>(to) = pack;
}

/// Whether all operands that are there have this type.
inline bool all_of(std::span<const Operand> operands, DType dtype) {
  return std::all_of(operands.begin(), operands.end(),
                     [&](const Operand& o) { return !o.present || o.dtype == dtype; });
}

inline bool is_real(DType dtype) { return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16; }

/// Calls visit(T{}) for the type that stores one element. `dtype` must be real.
template <typename Visit>
auto visit_real(DType dtype, const Visit& visit) {
  switch (dtype) {
    case DType::f16:
      return visit(Float16{});
    case DType::bf16:
      return visit(BFloat16{});
    default:
      return visit(float{});
  }
}

/// The same for any type.
template <typename Visit>
auto visit_any(DType dtype, const Visit& visit) {
  switch (dtype) {
    case DType::f64:
      return visit(double{});
    case DType::i64:
      return visit(int64_t{});
    case DType::i32:
      return visit(int32_t{});
    case DType::u8:
      return visit(uint8_t{});
    case DType::i8:
      return visit(int8_t{});
    case DType::boolean:
      return visit(bool{});
    default:
      return visit_real(dtype, visit);
  }
}

/// The activation of an epilogue.
GRAFT_DEVICE inline float activated(float v, const Activation& a) {
  switch (a.kind) {
    case Activation::Kind::none:
      return v;
    case Activation::Kind::relu:
      return v < 0 ? 0 : v;  // NaN stays
    case Activation::Kind::clip: {
      const float above = v < a.alpha ? a.alpha : v;
      return above > a.beta ? a.beta : above;
    }
    case Activation::Kind::leaky_relu:
      return v > 0 ? v : a.alpha * v;
  }
  return v;
}

/// Its slope, from its result.
GRAFT_DEVICE inline float activation_slope(float y, const Activation& a) {
  switch (a.kind) {
    case Activation::Kind::none:
      return 1;
    case Activation::Kind::relu:
      return y > 0 ? 1.0f : 0.0f;
    case Activation::Kind::clip:
      return y > a.alpha && y < a.beta ? 1.0f : 0.0f;
    case Activation::Kind::leaky_relu:
      return y > 0 ? 1.0f : a.alpha;
  }
  return 1;
}

}  // namespace graft::cuda
