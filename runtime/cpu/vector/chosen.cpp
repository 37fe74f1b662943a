#include <string_view>

#if defined(GRAFT_HAS_AMX) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "runtime/core/isa.h"
#include "runtime/cpu/vector/bf16_kernels.h"
#include "runtime/cpu/vector/depthwise.h"
#include "runtime/cpu/vector/functions.h"
#include "runtime/cpu/vector/rows.h"
#include "runtime/cpu/vector/score_rows.h"
#include "runtime/cpu/vector/split_tiles.h"
#include "runtime/cpu/vector/tiles.h"
#include "runtime/cpu/vector/transpose.h"
#include "runtime/cpu/vector/vector.h"
#include "runtime/cpu/vector/winograd_transforms.h"

namespace graft::cpu {

#if defined(GRAFT_HAS_AMX)
namespace {

/// Whether the processor multiplies tiles of bfloat16 and the system keeps their registers for this process.
bool has_amx() {
#if defined(__linux__)
  const std::string_view isa = isa_cap();
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

}  // namespace
#endif

const VectorLoops& vector_loops() { return for_this_processor(baseline::loops(), avx2::loops(), avx512::loops()); }

const VectorFunctions& vector_functions() {
  return for_this_processor(baseline::functions(), avx2::functions(), avx512::functions());
}

const DepthwiseLoops& depthwise_loops() {
  return for_this_processor(baseline::depthwise_loops(), avx2::depthwise_loops(), avx512::depthwise_loops());
}

const RowLoops& row_loops() {
  return for_this_processor(baseline::row_loops(), avx2::row_loops(), avx512::row_loops());
}

const ScoreRows& score_rows() {
  return for_this_processor(baseline::score_rows(), avx2::score_rows(), avx512::score_rows());
}

const Transposition& transposition() {
  return for_this_processor(baseline::transposition(), avx2::transposition(), avx512::transposition());
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

#if defined(GRAFT_HAS_DOT)
namespace {

/// Whether ONEDNN_MAX_CPU_ISA allows what follows AVX-512 there; `own`: the name of what is asked for.
bool allowed(std::string_view own) {
  const std::string_view isa = isa_cap();
  return isa.empty() || isa == "DEFAULT" || isa == "ALL" || isa.find("AMX") != std::string_view::npos ||
         isa.find("BF16") != std::string_view::npos || isa.find("FP16") != std::string_view::npos ||
         isa.starts_with("AVX10") || isa == own;
}

}  // namespace
#endif

const Bf16Kernels* bf16_kernels() {
#if defined(GRAFT_HAS_DOT)
  static const bool has = best_isa() == Isa::avx512 && __builtin_cpu_supports("avx512bf16") && allowed("");
  return has ? &avx512_bf16::kernels() : nullptr;
#else
  return nullptr;
#endif
}

const Int8Tiles* int8_tiles() {
#if defined(GRAFT_HAS_DOT)
  static const bool has =
      best_isa() == Isa::avx512 && __builtin_cpu_supports("avx512vnni") && allowed("AVX512_CORE_VNNI");
  return has ? &avx512_vnni::tiles() : nullptr;
#else
  return nullptr;
#endif
}

const WinogradTransforms& winograd_transforms() {
  return for_this_processor(baseline::winograd_transforms(), avx2::winograd_transforms(),
                            avx512::winograd_transforms());
}

}  // namespace graft::cpu
