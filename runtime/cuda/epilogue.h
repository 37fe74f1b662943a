#pragma once

#include "runtime/cuda/indexing.h"
#include "runtime/cuda/numbers.h"

namespace graft::cuda {

/// y = activation(scale·y + bias + residual), in place: what a library's product could not take along.
template <typename T>
struct EpilogueBody {
  T* y;
  const T *bias, *residual;  // null: none
  Indexer<2> places;         // y (and residual), bias
  float bias_scale;
  Activation activation;
  GRAFT_DEVICE void operator()(int64_t i) const {
    const auto p = places(i);
    float v = value_of(y[p.at[0]]);
    if (bias) v += bias_scale * value_of(bias[p.at[1]]);
    if (residual) v += value_of(residual[p.at[0]]);
    y[p.at[0]] = rounded<T>(activated(v, activation));
  }
};

}  // namespace graft::cuda
