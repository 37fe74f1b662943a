#include "runtime/cpu/vector/isa.h"

#include <cstdlib>
#include <string_view>

#include "runtime/cpu/vector/functions.h"
#include "runtime/cpu/vector/tiles.h"
#include "runtime/cpu/vector/vector.h"
#include "runtime/cpu/vector/winograd_transforms.h"

namespace graft::cpu {
namespace {

Isa detect() {
  const char* cap = std::getenv("ONEDNN_MAX_CPU_ISA");
  const std::string_view isa = cap ? cap : "";
  const bool below_avx512 = isa.starts_with("AVX2") || isa.starts_with("AVX_") || isa == "AVX" || isa == "SSE41";
  const bool below_avx2 = isa == "AVX" || isa == "SSE41";
  __builtin_cpu_init();
  const bool has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (has_avx512 && !below_avx512) return Isa::avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && !below_avx2) return Isa::avx2;
  return Isa::baseline;
}

}  // namespace

Isa best_isa() {
  static const Isa best = detect();
  return best;
}

const VectorLoops& vector_loops() { return for_this_processor(baseline::loops(), avx2::loops(), avx512::loops()); }

const VectorFunctions& vector_functions() { return for_this_processor(baseline::functions(), avx2::functions(), avx512::functions()); }

const TileKernels& tile_kernels() { return for_this_processor(baseline::tile_kernels(), avx2::tile_kernels(), avx512::tile_kernels()); }

const WinogradTransforms& winograd_transforms() {
  return for_this_processor(baseline::winograd_transforms(), avx2::winograd_transforms(), avx512::winograd_transforms());
}

}  // namespace graft::cpu
