// Compiled once per instruction set (GRAFT_ISA); see loops.cpp for what such a file may include.
#include "runtime/cpu/vector/score_rows.h"

#include "runtime/cpu/vector/loops/exponential.h"

namespace graft::cpu::GRAFT_ISA {
namespace {

using Doubles = double __attribute__((vector_size(kLanes * sizeof(double))));

constexpr int64_t kSums = 16 / kLanes;  // sixteen sums whatever the vectors, as RowLoops have them

void add_biases(int64_t n, const float* const* biases, int64_t count, float* x) {
  for (int64_t b = 0; b < count; ++b) {
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) store(x + i, load(x + i) + load(biases[b] + i));
    for (; i < n; ++i) x[i] += biases[b][i];
  }
}

/// One behind the last vector's last element.
int64_t end_of(int64_t n) { return (n + kLanes - 1) / kLanes * kLanes; }

void fill_end(int64_t n, float value, float* x) {
  for (int64_t i = n; i < end_of(n); ++i) x[i] = value;
}

double exponentials(int64_t n, const float* const* biases, int64_t count, float* x, float* largest) {
  add_biases(n, biases, count, x);
  constexpr float kLeast = -__builtin_inff();
  fill_end(n, kLeast, x);
  const int64_t end = end_of(n);
  Lanes best = broadcast(kLeast);
  for (int64_t i = 0; i < end; i += kLanes) best = select(load(x + i) > best, load(x + i), best);
  float most = best[0];
  for (int k = 1; k < kLanes; ++k) most = best[k] > most ? best[k] : most;
  for (int64_t i = 0; i < end; i += kLanes) store(x + i, exp(load(x + i) - most));
  fill_end(n, 0, x);
  Doubles sums[kSums] = {};
  for (int64_t i = 0, s = 0; i < end; i += kLanes, s = (s + 1) % kSums)
    sums[s] += __builtin_convertvector(load(x + i), Doubles);
  *largest = most;
  double all = 0;
  for (const Doubles& sum : sums)
    for (int k = 0; k < kLanes; ++k) all += sum[k];
  return all;
}

void probabilities(int64_t n, const float* const* biases, int64_t count, float largest, float inverse, float* x) {
  add_biases(n, biases, count, x);
  for (int64_t i = 0; i < end_of(n); i += kLanes) store(x + i, exp(load(x + i) - largest) * inverse);
  fill_end(n, 0, x);
}

constexpr ScoreRows kRows{exponentials, probabilities};

}  // namespace

const ScoreRows& score_rows() { return kRows; }

}  // namespace graft::cpu::GRAFT_ISA
