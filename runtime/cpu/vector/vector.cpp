#include "runtime/cpu/vector/vector.h"

#include <cstdlib>
#include <string_view>

namespace graft::cpu {
namespace {

const VectorLoops& choose() {
  const char* cap = std::getenv("ONEDNN_MAX_CPU_ISA");
  const std::string_view isa = cap ? cap : "";
  const bool below_avx512 = isa.starts_with("AVX2") || isa.starts_with("AVX_") || isa == "AVX" || isa == "SSE41";
  const bool below_avx2 = isa == "AVX" || isa == "SSE41";
  __builtin_cpu_init();
  const bool has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (has_avx512 && !below_avx512) return avx512::loops();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && !below_avx2) return avx2::loops();
  return baseline::loops();
}

}  // namespace

const VectorLoops& vector_loops() {
  static const VectorLoops& chosen = choose();
  return chosen;
}

}  // namespace graft::cpu
