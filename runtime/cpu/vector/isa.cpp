#include "runtime/cpu/vector/isa.h"

#include <cstdlib>
#include <string_view>

#if defined(GRAFT_HAS_AMX) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "runtime/cpu/vector/functions.h"
#include "runtime/cpu/vector/split_tiles.h"
#include "runtime/cpu/vector/tiles.h"
#include "runtime/cpu/vector/vector.h"
#include "runtime/cpu/vector/winograd_transforms.h"

namespace graft::cpu {
namespace {

std::string_view cap() {
  const char* isa = std::getenv("ONEDNN_MAX_CPU_ISA");
  return isa ? isa : "";
}

Isa detect() {
  const std::string_view isa = cap();
  const bool below_avx512 = isa.starts_with("AVX2") || isa.starts_with("AVX_") || isa == "AVX" || isa == "SSE41";
  const bool below_avx2 = isa == "AVX" || isa == "SSE41";
  __builtin_cpu_init();
  const bool has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (has_avx512 && !below_avx512) return Isa::avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && !below_avx2) return Isa::avx2;
  return Isa::baseline;
}

#if defined(GRAFT_HAS_AMX)
/// Whether the processor multiplies tiles of bfloat16 and the system keeps their registers for this process.
bool has_amx() {
#if defined(__linux__)
  const std::string_view isa = cap();
  const bool allowed = isa.empty() || isa == "DEFAULT" || isa == "ALL" || isa.find("AMX") != std::string_view::npos;
  if (!allowed || best_isa() != Isa::avx512) return false;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  constexpr unsigned kTiles = 1u << 24, kBf16 = 1u << 22;  // of leaf 7
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) || !(edx & kTiles) || !(edx & kBf16)) return false;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}
#endif

}  // namespace

Isa best_isa() {
  static const Isa best = detect();
  return best;
}

const VectorLoops& vector_loops() { return for_this_processor(baseline::loops(), avx2::loops(), avx512::loops()); }

const VectorFunctions& vector_functions() {
  return for_this_processor(baseline::functions(), avx2::functions(), avx512::functions());
}

const TileKernels& tile_kernels() {
  return for_this_processor(baseline::tile_kernels(), avx2::tile_kernels(), avx512::tile_kernels());
}

const SplitTiles* split_tiles() {
#if defined(GRAFT_HAS_AMX)
  static const SplitTiles* const tiles = has_amx() ? &amx::split_tiles() : nullptr;
  return tiles;
#else
  return nullptr;
#endif
}

const WinogradTransforms& winograd_transforms() {
  return for_this_processor(baseline::winograd_transforms(), avx2::winograd_transforms(),
                            avx512::winograd_transforms());
}

}  // namespace graft::cpu
