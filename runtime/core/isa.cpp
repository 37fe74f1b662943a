#include "runtime/core/isa.h"

#include <cstdlib>
#include <string_view>

namespace graft::cpu {
namespace {

Isa detect() {
  const std::string_view isa = isa_cap();
  const bool below_avx512 = isa.starts_with("AVX2") || isa.starts_with("AVX_") || isa == "AVX" || isa == "SSE41";
  const bool below_avx2 = isa == "AVX" || isa == "SSE41";
  __builtin_cpu_init();
  const bool has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (has_avx512 && !below_avx512) return Isa::avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && !below_avx2) return Isa::avx2;
  return Isa::baseline;
}

}  // namespace

std::string_view isa_cap() {
  const char* isa = std::getenv("ONEDNN_MAX_CPU_ISA");
  return isa ? isa : "";
}

Isa best_isa() {
  static const Isa best = detect();
  return best;
}

}  // namespace graft::cpu
