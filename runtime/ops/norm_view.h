#pragma once

#include <vector>

#include "runtime/core/backend.h"
#include "runtime/ops/normalise.h"

namespace graft {

/// x, y and the parameters of a norm under one shape whose dimensions marked `inner` are what statistics run over
/// (group norms split the channels).
struct NormView {
  Shape shape;
  std::vector<bool> inner;

  NormView(const Normalise& op, const Shape& x);
  /// Of a tensor that lies as x does.
  Strides data(const Operand& x) const;
  /// Of scale or bias; 0 along what shares a number.
  Strides parameters(const Operand& scale) const;

 private:
  Normalise op_;
};

}  // namespace graft
