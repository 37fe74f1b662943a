#pragma once

#include "runtime/core/operator.h"

namespace graft {

/// ONNX LSTM [Hochreiter & Schmidhuber 1997, with forget gates: Gers et al. 2000], GRU [Cho et al. 2014] and RNN, with
/// their usual activations. Inputs x (T×N×I), weights (D×G·H×I), recurrence weights (D×G·H×H), bias (D×2·G·H), initial
/// state (D×N×H) and, for an LSTM, initial cell (D×N×H); the last three may be absent. D is the number of directions, G
/// that of gates: 4, in the order input, output, forget, cell; 3: update, reset, hidden; or 1. The output is the states
/// of all steps (T×D×N×H), or the last cell (D×N×H).
///
/// A composite: T steps of products and gates after one product for all steps. The batch is nowhere spelled out.
struct Recurrent final : Operator {
  enum class Kind : uint8_t { lstm, gru, rnn };
  enum class Direction : uint8_t { forward, reverse, both };
  Kind kind = Kind::lstm;
  Direction direction = Direction::forward;
  int64_t hidden = 0;                // H
  bool linear_before_reset = false;  // GRU: the reset gate acts on the product, not on the state
  bool last_cell = false;

  std::string_view type() const override;
  OperandSet weights() const override { return OperandSet::only({1, 2, 3}); }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  int64_t multiply_adds(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  bool is_composite() const override { return true; }
  ValueId expand(Expansion& expansion) const override;

  int64_t directions() const { return direction == Direction::both ? 2 : 1; }
  int64_t gates() const { return kind == Kind::lstm ? 4 : kind == Kind::gru ? 3 : 1; }
};

}  // namespace graft
