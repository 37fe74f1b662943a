#pragma once

#include <cstring>
#include <vector>

#include "runtime/cuda/indexing.h"
#include "runtime/cuda/launched.h"

namespace graft::cuda {

/// Elements from one arrangement of strides to another: places are (written, read).
template <typename T>
struct MoveOne {
  const T* from;
  T* to;
  Indexer<2> places;
  GRAFT_DEVICE void operator()(int64_t i) const {
    const auto p = places(i);
    to[p.at[0]] = from[p.at[1]];
  }
};

/// Elements of `bytes` each from one arrangement of strides to another; offsets in elements.
struct Move {
  size_t input = 0;
  int64_t from = 0, to = 0;
  Indexer<2> places;  // written, read
};

template <typename T>
struct Fill {
  T* to;
  T value;
  GRAFT_DEVICE void operator()(int64_t i) const { to[i] = value; }
};

/// Calls visit with an unsigned integer as large as an element.
template <typename Visit>
void visit_bytes(size_t bytes, const Visit& visit) {
  switch (bytes) {
    case 1:
      return visit(uint8_t{});
    case 2:
      return visit(uint16_t{});
    case 4:
      return visit(uint32_t{});
    default:
      return visit(uint64_t{});
  }
}

inline void move(const Launcher& launcher, size_t bytes, const Move& m, const void* from, void* to) {
  visit_bytes(bytes, [&](auto tag) {
    using T = decltype(tag);
    launcher.each(m.places.count(),
                  MoveOne<T>{static_cast<const T*>(from) + m.from, static_cast<T*>(to) + m.to, m.places});
  });
}

inline void fill(const Launcher& launcher, size_t bytes, uint64_t pattern, int64_t elements, void* to) {
  visit_bytes(bytes, [&](auto tag) {
    using T = decltype(tag);
    launcher.each(elements, Fill<T>{static_cast<T*>(to), static_cast<T>(pattern)});
  });
}

/// Parts of the inputs to parts of output 0, whose other elements hold `pattern` where `filled`.
inline std::unique_ptr<Kernel> moves(const Launcher& launcher, const KernelRequest& r, std::vector<Move> parts,
                                     bool filled = false, uint64_t pattern = 0) {
  for (const Move& m : parts)
    if (!m.places.fits()) return nullptr;
  const Operand& y = r.outputs[0];
  return launched([&launcher, parts = std::move(parts), bytes = size_of(y.dtype), filled, pattern,
                   elements = y.shape.elements()](const KernelArguments& a) {
    if (filled) fill(launcher, bytes, pattern, elements, a.outputs[0]);
    for (const Move& m : parts) move(launcher, bytes, m, a.inputs[m.input], a.outputs[0]);
  });
}

}  // namespace graft::cuda
