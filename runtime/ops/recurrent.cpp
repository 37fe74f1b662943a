#include "runtime/ops/recurrent.h"

#include <algorithm>

#include "runtime/core/error.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/expansion.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/reshape.h"
#include "runtime/ops/unary.h"

namespace graft {
namespace {

// A step becomes a dozen nodes.
constexpr int64_t kMostSteps = 1024;

/// One direction's nodes.
class Steps {
 public:
  Steps(Expansion& to, const Recurrent& op, int64_t direction) : to_(to), op_(op), h_(op.hidden) {
    const auto own = [&](size_t input) { return gather(to.input(input), direction); };
    const ValueId weight = to.transpose(own(1), {1, 0});
    recurrence_ = to.transpose(own(2), {1, 0});
    product_ = to.emit(std::make_shared<MatMul>(), {to.input(0), weight});
    const int64_t width = op.gates() * h_;
    if (to.input(3) != kNoValue) {
      const ValueId bias = own(3), of_input = slice(bias, 0, 0, width), of_state = slice(bias, 0, width, 2 * width);
      if (op.linear_before_reset) {
        bias_of_state_ = of_state;
        product_ = add(product_, of_input);
      } else {
        product_ = add(product_, add(of_input, of_state));
      }
    }
    if (to.input(4) != kNoValue) state_ = own(4);
    if (to.input(5) != kNoValue) cell_ = own(5);
  }

  void step(int64_t t) {
    const ValueId x = gather(product_, t);
    if (op_.kind == Recurrent::Kind::lstm)
      lstm(x);
    else if (op_.kind == Recurrent::Kind::gru)
      gru(x);
    else
      state_ = act(Unary::Kind::tanh, with_state(x));
  }
  ValueId state() const { return state_; }
  ValueId cell() const { return cell_; }

 private:
  ValueId gather(ValueId from, int64_t i) {
    return to_.emit(std::make_shared<Gather>(), {from, to_.constant(Tensor::of<int64_t>({}, {i}))});
  }
  ValueId slice(ValueId from, int64_t axis, int64_t first, int64_t last) {
    auto op = std::make_shared<Slice>();
    op->starts = {first};
    op->ends = {last};
    op->axes = {axis};
    return to_.emit(op, {from});
  }
  ValueId gate(ValueId all, int64_t index) { return slice(all, 1, index * h_, (index + 1) * h_); }
  ValueId binary(Binary::Kind kind, ValueId a, ValueId b) { return to_.emit(make_binary(kind), {a, b}); }
  ValueId add(ValueId a, ValueId b) { return binary(Binary::Kind::add, a, b); }
  ValueId multiply(ValueId a, ValueId b) { return binary(Binary::Kind::mul, a, b); }
  ValueId act(Unary::Kind kind, ValueId x) { return to_.emit(make_unary(kind), {x}); }
  ValueId product(ValueId x, ValueId weight) { return to_.emit(std::make_shared<MatMul>(), {x, weight}); }
  ValueId with_state(ValueId x) { return state_ == kNoValue ? x : add(x, product(state_, recurrence_)); }

  void lstm(ValueId x) {
    const ValueId all = with_state(x);
    const ValueId input = act(Unary::Kind::sigmoid, gate(all, 0)), output = act(Unary::Kind::sigmoid, gate(all, 1));
    const ValueId taken = multiply(input, act(Unary::Kind::tanh, gate(all, 3)));
    cell_ = cell_ == kNoValue ? taken : add(multiply(act(Unary::Kind::sigmoid, gate(all, 2)), cell_), taken);
    state_ = multiply(output, act(Unary::Kind::tanh, cell_));
  }

  void gru(ValueId x) {
    const bool first = state_ == kNoValue;
    // What linear_before_reset adds of the state and its bias to all gates; the bias alone is one row.
    const ValueId part = op_.linear_before_reset ? of_state() : kNoValue;
    const auto gate_of_state = [&](int64_t index) {
      return first ? slice(part, 0, index * h_, (index + 1) * h_) : gate(part, index);
    };
    const auto gate_of = [&](int64_t index) {
      ValueId sum = gate(x, index);
      if (part != kNoValue)
        sum = add(sum, gate_of_state(index));
      else if (!first)
        sum = add(sum, product(state_, slice(recurrence_, 1, index * h_, (index + 1) * h_)));
      return act(Unary::Kind::sigmoid, sum);
    };
    const ValueId update = gate_of(0);
    ValueId hidden = gate(x, 2);
    if (part != kNoValue)
      hidden = add(hidden, multiply(gate_of(1), gate_of_state(2)));
    else if (!first)
      hidden = add(hidden, product(multiply(gate_of(1), state_), slice(recurrence_, 1, 2 * h_, 3 * h_)));
    hidden = act(Unary::Kind::tanh, hidden);
    const ValueId one = to_.constant(Tensor::of<float>({}, {1.0f}));
    const ValueId taken = multiply(binary(Binary::Kind::sub, one, update), hidden);
    state_ = first ? taken : add(taken, multiply(update, state_));
  }

  /// kNoValue where there is neither a state nor a bias of it.
  ValueId of_state() {
    if (state_ == kNoValue) return bias_of_state_;
    const ValueId sum = product(state_, recurrence_);
    return bias_of_state_ == kNoValue ? sum : add(sum, bias_of_state_);
  }

  Expansion& to_;
  const Recurrent& op_;
  int64_t h_;
  ValueId recurrence_ = kNoValue, product_ = kNoValue, bias_of_state_ = kNoValue, state_ = kNoValue, cell_ = kNoValue;
};

}  // namespace

std::string_view Recurrent::type() const { return kind == Kind::lstm ? "LSTM" : kind == Kind::gru ? "GRU" : "RNN"; }

std::vector<ValueType> Recurrent::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() < 3) throw Error("needs x, weights and recurrence weights");
  if (last_cell && kind != Kind::lstm) throw Error("has no cell");
  const Shape &x = inputs[0].shape, &w = inputs[1].shape, &r = inputs[2].shape;
  const int64_t d = directions(), width = gates() * hidden;
  if (hidden < 1 || x.rank() != 3 || w != Shape{d, width, x[2]} || r != Shape{d, width, hidden})
    throw Error("x " + x.str() + ", weights " + w.str() + " and recurrence weights " + r.str() + " do not fit " +
                std::to_string(hidden) + " hidden units");
  const auto require = [&](size_t i, const Shape& wanted, const char* what) {
    if (i < inputs.size() && inputs[i].shape.rank() > 0 && inputs[i].shape != wanted)
      throw Error(std::string(what) + " is " + inputs[i].shape.str() + ", not " + wanted.str());
  };
  require(3, {d, 2 * width}, "bias");
  require(4, {d, x[1], hidden}, "initial state");
  require(5, {d, x[1], hidden}, "initial cell");
  if (x[0] < 1 || x[0] > kMostSteps) throw Error("has " + std::to_string(x[0]) + " steps");
  if (last_cell) return {{DType::f32, {d, x[1], hidden}}};
  return {{DType::f32, {x[0], d, x[1], hidden}}};
}

int64_t Recurrent::multiply_adds(std::span<const ValueType> inputs, std::span<const ValueType>) const {
  const Shape& x = inputs[0].shape;
  return x[0] * x[1] * directions() * gates() * hidden * (x[2] + hidden);
}

ValueId Recurrent::expand(Expansion& to) const {
  const int64_t steps = to.shape(to.input(0))[0];
  const auto unsqueezed = [&](ValueId x, int64_t axis) {
    auto op = std::make_shared<Unsqueeze>();
    op->axes = {axis};
    return to.emit(op, {x});
  };
  const auto joined = [&](const std::vector<ValueId>& parts, int64_t axis) {
    if (parts.size() == 1) return parts[0];
    auto op = std::make_shared<Concat>();
    op->axis = axis;
    return to.emit(op, parts);
  };
  std::vector<ValueId> of_directions;
  for (int64_t d = 0; d < directions(); ++d) {
    const bool backwards = direction == Direction::reverse || d == 1;
    Steps one(to, *this, d);
    std::vector<ValueId> states;
    for (int64_t i = 0; i < steps; ++i) {
      one.step(backwards ? steps - 1 - i : i);
      states.push_back(one.state());
    }
    if (last_cell) {
      of_directions.push_back(unsqueezed(one.cell(), 0));
      continue;
    }
    if (backwards) std::reverse(states.begin(), states.end());
    for (ValueId& state : states) state = unsqueezed(unsqueezed(state, 0), 0);
    of_directions.push_back(joined(states, 0));
  }
  return joined(of_directions, last_cell ? 0 : 1);
}

}  // namespace graft
