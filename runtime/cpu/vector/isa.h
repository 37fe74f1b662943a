#pragma once

#include <cstdint>

namespace graft::cpu {

/// The instruction sets that the hot loops are compiled for.
enum class Isa : uint8_t { baseline, avx2, avx512 };

/// The best one this processor runs; ONEDNN_MAX_CPU_ISA caps it together with oneDNN.
Isa best_isa();

/// The one of three tables, one for each instruction set, that this processor is to use.
template <typename Table>
const Table& for_this_processor(const Table& baseline, const Table& avx2, const Table& avx512) {
  switch (best_isa()) {
    case Isa::avx512:
      return avx512;
    case Isa::avx2:
      return avx2;
    case Isa::baseline:
      return baseline;
  }
  return baseline;
}

}  // namespace graft::cpu
