#pragma once

#include <cstdint>
#include <type_traits>

#include "runtime/core/tensor.h"

namespace graft::cpu {

/// What make(word) gives, where `word` is of a type as large as this dtype: enough to copy elements; of four bytes it
/// is float, which can be added.
template <typename Make>
auto visit_words(DType dtype, const Make& make) {
  switch (size_of(dtype)) {
    case 1:
      return make(uint8_t{});
    case 2:
      return make(uint16_t{});
    case 4:
      return make(float{});
    default:
      return make(uint64_t{});
  }
}

/// to = update, or to += update, which only floats are asked for.
template <typename T>
void put(T& to, T update, bool adds) {
  if constexpr (std::is_same_v<T, float>) {
    if (adds) {
      to += update;
      return;
    }
  }
  to = update;
}

}  // namespace graft::cpu
