#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>

#include "runtime/core/error.h"

namespace graft {

// Extents and counts: a sum or product that an int64 cannot hold is an Error.

inline int64_t checked_add(int64_t a, int64_t b) {
  int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum))
    throw Error(std::to_string(a) + " + " + std::to_string(b) + " is too large for an extent", "the file is damaged");
  return sum;
}

inline int64_t checked_multiply(int64_t a, int64_t b) {
  int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product))
    throw Error(std::to_string(a) + " × " + std::to_string(b) + " is too large for an extent", "the file is damaged");
  return product;
}

// Elements of integer tensors: results that the type cannot hold wrap around (two's complement), as NumPy's and ONNX
// Runtime's do, and no operand is undefined behaviour.

template <typename T>
T wrapping_add(T a, T b) {
  using U = std::make_unsigned_t<T>;
  return static_cast<T>(static_cast<U>(static_cast<U>(a) + static_cast<U>(b)));
}

template <typename T>
T wrapping_subtract(T a, T b) {
  using U = std::make_unsigned_t<T>;
  return static_cast<T>(static_cast<U>(static_cast<U>(a) - static_cast<U>(b)));
}

template <typename T>
T wrapping_multiply(T a, T b) {
  // In 64 bits: narrow unsigned types would be promoted to int, whose product can overflow.
  return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}

template <typename T>
T wrapping_negate(T a) {
  return wrapping_subtract(T{0}, a);
}

/// Towards zero; the smallest number by -1 stays itself. Throws Error where b is 0.
template <typename T>
T wrapping_divide(T a, T b) {
  if (b == 0) throw Error("integer division by zero");
  if constexpr (std::is_signed_v<T>)
    if (b == -1) return wrapping_negate(a);
  return static_cast<T>(a / b);
}

/// With the sign of the dividend. Throws Error where b is 0.
template <typename T>
T wrapping_remainder(T a, T b) {
  if (b == 0) throw Error("integer division by zero");
  if constexpr (std::is_signed_v<T>)
    if (b == -1) return 0;
  return static_cast<T>(a % b);
}

/// a to the power of b, by squaring; a negative power of anything but 1 and -1 is 0, as division rounds it.
template <typename T>
T wrapping_power(T a, T b) {
  if constexpr (std::is_signed_v<T>)
    if (b < 0) return a == 1 ? T{1} : a == -1 ? (b % 2 == 0 ? T{1} : T{-1}) : T{0};
  T result = 1;
  for (auto left = static_cast<std::make_unsigned_t<T>>(b); left > 0; left = static_cast<decltype(left)>(left >> 1)) {
    if (left & 1) result = wrapping_multiply(result, a);
    a = wrapping_multiply(a, a);
  }
  return result;
}

/// A float outside the integer's range becomes its nearest end, NaN its lowest.
template <typename To, typename From>
To saturating_cast(From value) {
  static_assert(std::is_floating_point_v<From> && std::is_integral_v<To>);
  if (!(value > static_cast<From>(std::numeric_limits<To>::lowest()))) return std::numeric_limits<To>::lowest();
  if (value >= static_cast<From>(std::numeric_limits<To>::max())) return std::numeric_limits<To>::max();
  return static_cast<To>(value);
}

}  // namespace graft
