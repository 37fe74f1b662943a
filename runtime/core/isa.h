#pragma once

#include <cstdint>
#include <string_view>

namespace graft::cpu {

/// The instruction sets that the hot loops are compiled for.
enum class Isa : uint8_t { baseline, avx2, avx512 };

/// The best one this processor runs; ONEDNN_MAX_CPU_ISA caps it together with oneDNN.
Isa best_isa();

/// What ONEDNN_MAX_CPU_ISA says; empty where it is not set.
std::string_view isa_cap();

/// Whether loops written for AVX2 may run.
inline bool has_avx2() {
#if defined(__x86_64__)
  return best_isa() != Isa::baseline;
#else
  return false;
#endif
}

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

#if defined(__x86_64__)
namespace isa_detail {
// They work on a copy of the body that nothing else points to: what it captured stays in registers.
template <typename Body>
[[gnu::flatten, gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]] auto run_avx512(const Body& body) {
  const Body own = body;
  return own();
}
template <typename Body>
[[gnu::flatten, gnu::target("avx2,fma")]] auto run_avx2(const Body& body) {
  const Body own = body;
  return own();
}
}  // namespace isa_detail
#endif

/// body(), compiled for each instruction set and called for best_isa(). What it calls has to be inlined to gain from
/// it: GCC does so with all that it can see (flatten), clang with what is small. For loops over elements whose formulas
/// are shared with other devices and so stand in headers; loops that are written for an instruction set's registers are
/// in runtime/cpu/vector/loops/, a file for each set.
template <typename Body>
auto on_best_isa(const Body& body) {
#if defined(__x86_64__)
  switch (best_isa()) {
    case Isa::avx512:
      return isa_detail::run_avx512(body);
    case Isa::avx2:
      return isa_detail::run_avx2(body);
    case Isa::baseline:
      break;
  }
#endif
  return body();
}

}  // namespace graft::cpu
