// Quantised networks come as floats between DequantizeLinear and QuantizeLinear. Where a product's operands are whole
// numbers of eight bits, it is computed on those.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <optional>

#include "runtime/core/parallel.h"
#include "runtime/core/strided_copy.h"
#include "runtime/core/users.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/quantise.h"
#include "runtime/ops/quantised_product.h"
#include "runtime/passes/insert_quantisation.h"
#include "runtime/passes/passes.h"

namespace graft {
namespace {

bool is_byte(DType dtype) { return dtype == DType::u8 || dtype == DType::i8; }

/// The steps of a Quantise or Dequantise of bytes with one scale for all.
std::optional<Steps> steps_of(const Graph& graph, const Node& node, DType bytes) {
  const auto constant = [&](size_t i) -> const Tensor* {
    return i < node.inputs.size() && node.inputs[i] != kNoValue ? graph.value(node.inputs[i]).constant.get() : nullptr;
  };
  const Tensor* const scale = constant(1);
  if (!is_byte(bytes) || !scale || scale->elements() != 1 || !(scale->data<float>()[0] > 0) ||
      !std::isfinite(scale->data<float>()[0]))
    return std::nullopt;
  Steps steps{scale->data<float>()[0], 0};
  if (node.inputs.size() > 2 && node.inputs[2] != kNoValue) {
    const Tensor* const zero = constant(2);
    if (!zero || zero->elements() != 1 || zero->dtype() != bytes) return std::nullopt;
    steps.zero = bytes == DType::u8 ? int32_t{zero->data<uint8_t>()[0]} : int32_t{zero->data<int8_t>()[0]};
  }
  return steps;
}

/// The type of the bytes of a Quantise or Dequantise.
DType bytes_type(const Graph& graph, const Node& node) {
  const bool makes = dynamic_cast<const Quantise*>(node.op.get()) != nullptr;
  return graph.value(makes ? node.outputs[0] : node.inputs[0]).dtype;
}

bool same_steps(const Graph& graph, const Node& a, const Node& b) {
  const DType type = bytes_type(graph, a);
  const auto one = steps_of(graph, a, type), other = steps_of(graph, b, type);
  return type == bytes_type(graph, b) && one && other && one->scale == other->scale && one->zero == other->zero;
}

/// Weights as whole numbers times a scale for each of the first dimension.
struct WholeWeights {
  Tensor numbers;             // int8
  std::vector<float> scales;  // one a row
};

/// The whole number that is nearest, below 2⁵¹.
inline double nearest(double x) {
  constexpr double kRounds = 6755399441055744.0;  // 1.5·2⁵²: adding it leaves whole numbers, ties to even
  return (x + kRounds) - kRounds;
}

/// The step that fits all of `row` best, when they are whole multiples of about `step`.
double refined(std::span<const float> row, double step) {
  const double inverse = 1 / step;
  double products = 0, squares = 0;
  for (const float w : row) {
    const double q = nearest(w * inverse);
    products += w * q;
    squares += q * q;
  }
  return squares > 0 ? products / squares : step;
}

constexpr double kMostSteps = 127;

/// The step of which all of `row` seem to be whole multiples of at most 127; none where there is no such step. Weights
/// that were dequantised before are such multiples up to the rounding of a product. Euclid's algorithm on all of them.
std::optional<double> step_of(std::span<const float> row) {
  constexpr double kSlack = 0.1;  // of the smallest step there may be
  double largest = 0;
  for (const float w : row) {
    if (!std::isfinite(w)) return std::nullopt;
    largest = std::max(largest, std::fabs(static_cast<double>(w)));
  }
  if (largest == 0) return 1.0;
  const double least = largest / kMostSteps;
  double step = largest;  // the greatest common divisor so far
  for (size_t i = 0; i < row.size(); ++i) {
    double a = std::fabs(static_cast<double>(row[i])), inverse = 1 / step;
    bool changed = false;
    while (true) {
      const double rest = std::fabs(a - nearest(a * inverse) * step);
      if (rest <= least * kSlack) break;
      if (rest < least * (1 - kSlack)) return std::nullopt;
      a = step;
      step = rest;
      inverse = 1 / step;
      changed = true;
    }
    // Differences of rounded numbers; all numbers so far know their divisor better.
    if (changed) step = refined(row.first(i + 1), step);
  }
  return refined(row, step);
}

/// Writes how many steps each of `row` is. False where one is no whole number of them, or their sum of products with
/// bytes need not fit 32 bits.
bool count_steps(std::span<const float> row, double step, int8_t* numbers) {
  constexpr double kRounding = 1e-6 * kMostSteps;  // of the largest weight, in steps
  const double inverse = 1 / step;
  int64_t reach = 0;
  bool whole = true;
  for (size_t i = 0; i < row.size(); ++i) {
    const double q = row[i] * inverse, n = nearest(q);
    whole = whole && std::fabs(n) <= kMostSteps && std::fabs(q - n) <= kRounding;
    numbers[i] = static_cast<int8_t>(whole ? n : 0);
    reach += std::abs(int64_t{numbers[i]});
  }
  return whole && 255 * reach <= std::numeric_limits<int32_t>::max();
}

std::optional<WholeWeights> whole_weights(const Tensor& w) {
  const int64_t rows = w.shape()[0], each = rows > 0 ? w.elements() / rows : 0;
  if (each == 0) return std::nullopt;
  WholeWeights whole{Tensor(DType::i8, w.shape()), std::vector<float>(static_cast<size_t>(rows))};
  const auto values = w.data<float>();
  const auto numbers = whole.numbers.data<int8_t>();
  std::atomic<bool> all{true};
  parallel_for(rows, std::max<int64_t>(1, (1 << 14) / each), [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last && all; ++r) {
      const auto row = values.subspan(static_cast<size_t>(r * each), static_cast<size_t>(each));
      const auto step = step_of(row);
      if (!step || !count_steps(row, *step, numbers.data() + r * each)) all = false;
      if (step) whole.scales[static_cast<size_t>(r)] = static_cast<float>(*step);
    }
  });
  if (!all) return std::nullopt;
  return whole;
}

Tensor transposed(const Tensor& matrix) {
  const int64_t rows = matrix.shape()[0], columns = matrix.shape()[1];
  Tensor t(DType::f32, {columns, rows});
  StridedCopy(sizeof(float), {columns, rows}, {1, columns}, {rows, 1}).run(matrix.raw(), t.raw());
  return t;
}

class Quantiser {
 public:
  explicit Quantiser(Graph& graph) : graph_(graph), users_(graph), dead_(graph.nodes.size(), false) {}

  void run() {
    for (size_t i = 0; i < graph_.nodes.size(); ++i)
      if (!dead_[i]) make_product(i);
    erase_nodes(graph_, dead_);
  }

 private:
  const Node& node(int i) const { return graph_.nodes[static_cast<size_t>(i)]; }

  /// What a Dequantise of bytes makes a value of.
  struct Bytes {
    ValueId value;
    Steps steps;
  };
  std::optional<Bytes> bytes_of(ValueId id) const {
    const int from = users_.producer(id);
    if (from < 0 || !dynamic_cast<const Dequantise*>(node(from).op.get())) return std::nullopt;
    const ValueId x = node(from).inputs[0];
    const auto steps = steps_of(graph_, node(from), graph_.value(x).dtype);
    if (!steps || graph_.value(x).constant) return std::nullopt;
    return Bytes{x, *steps};
  }

  /// The Quantise that alone reads a value.
  struct Reader {
    size_t index;
    Steps steps;
    DType type;
  };
  std::optional<Reader> quantise_after(ValueId id) const {
    const int reader = users_.only_reader(id);
    if (reader < 0 || !dynamic_cast<const Quantise*>(node(reader).op.get())) return std::nullopt;
    const DType type = graph_.value(node(reader).outputs[0]).dtype;
    const auto steps = steps_of(graph_, node(reader), type);
    if (!steps) return std::nullopt;
    return Reader{static_cast<size_t>(reader), *steps, type};
  }

  static bool serves(const Activation& activation) {
    return activation.kind == Activation::Kind::none || activation.kind == Activation::Kind::relu ||
           activation.kind == Activation::Kind::clip;
  }

  /// K floats of the bias, where it is known to be that.
  bool has_plain_bias(const Node& n, int64_t columns) const {
    if (n.inputs.size() < 3 || n.inputs[2] == kNoValue) return true;
    const Value& bias = graph_.value(n.inputs[2]);
    return bias.constant && bias.dtype == DType::f32 && bias.shape.elements() == columns && bias.shape.rank() > 0 &&
           bias.shape.back() == columns;
  }

  /// The weights of a product that may be computed on bytes, one row an output.
  std::optional<WholeWeights> weights_of(const Node& n, QuantisedProduct& op) const {
    const Value& w = graph_.value(n.inputs[1]);
    if (!w.constant || w.trainable || w.dtype != DType::f32 || w.constant->elements() == 0) return std::nullopt;
    if (const auto* convolution = dynamic_cast<const Convolution*>(n.op.get())) {
      if (convolution->groups != 1 || convolution->statistics || !has_plain_bias(n, w.shape[0])) return std::nullopt;
      op.window = convolution->window;
      return whole_weights(*w.constant);
    }
    const auto* dense = dynamic_cast<const Gemm*>(n.op.get());
    if (!dense || dense->transpose_a == Transpose2d::yes || dense->alpha != 1 || dense->beta != 1) return std::nullopt;
    const bool rows_are_outputs = dense->transpose_b == Transpose2d::yes;
    if (!has_plain_bias(n, w.shape[rows_are_outputs ? 0 : 1])) return std::nullopt;
    return rows_are_outputs ? whole_weights(*w.constant) : whole_weights(transposed(*w.constant));
  }

  void make_product(size_t i) {
    const Node n = graph_.nodes[i];
    const Epilogue* const tail = n.op->epilogue();
    if (n.inputs.empty() || !tail || tail->residual || !serves(tail->activation)) return;
    const auto x = bytes_of(n.inputs[0]);
    if (!x || graph_.value(n.outputs[0]).shape.elements() == 0) return;
    auto op = std::make_shared<QuantisedProduct>();
    auto weights = weights_of(n, *op);
    if (!weights) return;
    op->x_zero = x->steps.zero;
    op->activation = tail->activation;
    const std::string name = graph_.value(n.inputs[1]).name;  // a copy: constants that are added move the values
    const auto columns = static_cast<int64_t>(weights->scales.size());
    Tensor scale(DType::f32, {columns}), bias = Tensor::zeros(DType::f32, {columns});
    for (size_t c = 0; c < weights->scales.size(); ++c) scale.data<float>()[c] = x->steps.scale * weights->scales[c];
    if (n.inputs.size() > 2 && n.inputs[2] != kNoValue)
      std::ranges::copy(graph_.value(n.inputs[2]).constant->data<float>(), bias.data<float>().begin());
    Node made{n.name,
              nullptr,
              {x->value, graph_.add_constant(graph_.unused_name(name + ":bytes"), std::move(weights->numbers)),
               graph_.add_constant(graph_.unused_name(name + ":steps"), std::move(scale)),
               graph_.add_constant(graph_.unused_name(name + ":bias"), std::move(bias))},
              n.outputs};
    size_t place = i;
    if (const auto after = quantise_after(n.outputs[0])) {
      op->result = after->steps;
      op->result_type = after->type;
      made.outputs = node(static_cast<int>(after->index)).outputs;
      dead_[after->index] = true;
      place = after->index;
      if (const auto sum = sum_after(made.outputs[0], *op)) {
        made.inputs.push_back(sum->residual);
        made.outputs = node(static_cast<int>(sum->quantise)).outputs;
        dead_[sum->quantise] = true;
        place = sum->quantise;
      }
    }
    made.op = std::move(op);
    dead_[i] = true;
    dead_[place] = false;
    users_.set_producer(made.outputs[0], place);
    graph_.nodes[place] = std::move(made);
  }

  struct Sum {
    ValueId residual;
    size_t quantise;
  };
  /// Where a product's bytes are only dequantised, added to other bytes that lie alike and quantised: its op adds them
  /// itself.
  std::optional<Sum> sum_after(ValueId bytes, QuantisedProduct& op) {
    const int back = users_.only_reader(bytes);
    if (back < 0 || !dynamic_cast<const Dequantise*>(node(back).op.get())) return std::nullopt;
    const auto own = steps_of(graph_, node(back), op.result_type);
    const ValueId floats = node(back).outputs[0];
    const int add = users_.only_reader(floats);
    const auto* const binary = add < 0 ? nullptr : dynamic_cast<const Binary*>(node(add).op.get());
    if (!own || !binary || binary->kind != Binary::Kind::add || !serves(binary->activation) ||
        op.activation.kind != Activation::Kind::none)
      return std::nullopt;
    const ValueId other = node(add).inputs[0] == floats ? node(add).inputs[1] : node(add).inputs[0];
    const auto residual = bytes_of(other);
    const auto after = quantise_after(node(add).outputs[0]);
    if (other == floats || !residual || !after || after->type != op.result_type ||
        graph_.value(residual->value).dtype != after->type ||
        graph_.value(residual->value).shape != graph_.value(bytes).shape)
      return std::nullopt;
    if (op.result->scale != own->scale || op.result->zero != own->zero) return std::nullopt;
    op.rounded = *own;
    op.residual = residual->steps;
    op.activation = binary->activation;
    op.result = after->steps;
    dead_[static_cast<size_t>(back)] = true;
    dead_[static_cast<size_t>(add)] = true;
    return Sum{residual->value, after->index};
  }

  Graph& graph_;
  Users users_;
  std::vector<bool> dead_;
};

/// Signed bytes that only stand between a Quantise and Dequantises become unsigned, all of them 128 more: one type for
/// all products, and the one that processors multiply as it is.
void make_unsigned(Graph& graph) {
  const Users users(graph);
  std::vector<bool> leaves(graph.value_count(), false);
  for (ValueId id : graph.outputs) leaves[static_cast<size_t>(id)] = true;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    Node& quantise = graph.nodes[i];
    const ValueId bytes = quantise.outputs[0];
    if (!dynamic_cast<const Quantise*>(quantise.op.get()) || graph.value(bytes).dtype != DType::i8 ||
        leaves[static_cast<size_t>(bytes)] || !steps_of(graph, quantise, DType::i8))
      continue;
    const auto readers = users.readers(bytes);
    const bool only_dequantised = std::ranges::all_of(readers, [&](int reader) {
      const Node& n = graph.nodes[static_cast<size_t>(reader)];
      return dynamic_cast<const Dequantise*>(n.op.get()) && n.inputs[0] == bytes && steps_of(graph, n, DType::i8);
    });
    if (!only_dequantised) continue;
    const auto shift = [&](Node& n) {
      const int32_t zero = steps_of(graph, n, DType::i8)->zero + 128;
      n.inputs.resize(3, kNoValue);
      n.inputs[2] = graph.add_constant(graph.unused_name(n.name + ":unsigned_zero"),
                                       Tensor::of<uint8_t>({}, {static_cast<uint8_t>(zero)}));
    };
    shift(quantise);
    for (const int reader : readers) shift(graph.nodes[static_cast<size_t>(reader)]);
    graph.value(bytes).dtype = DType::u8;
  }
}

/// Moves Dequantise behind what keeps the order of numbers, so that it works on bytes: a maximum, a move. Returns
/// whether it moved any.
bool move_dequantise_down(Graph& graph) {
  const Users users(graph);
  const std::vector<Node> old = std::move(graph.nodes);
  graph.nodes.clear();
  bool moved = false;
  for (const Node& n : old) {
    const bool joins = dynamic_cast<const Concat*>(n.op.get()) != nullptr, moves = keeps_steps(*n.op);
    const Node* before = nullptr;
    std::vector<ValueId> inputs = n.inputs;
    bool alike = moves;
    for (size_t i = 0; alike && i < (joins ? inputs.size() : 1); ++i) {
      const int from = users.producer(inputs[i]);
      const Node* const source = from < 0 ? nullptr : &old[static_cast<size_t>(from)];
      alike = source && dynamic_cast<const Dequantise*>(source->op.get()) &&
              (i == 0 || same_steps(graph, *before, *source)) &&
              steps_of(graph, *source, graph.value(source->inputs[0]).dtype);
      if (!alike) break;
      before = source;
      inputs[i] = source->inputs[0];
    }
    if (!alike || !before) {
      graph.nodes.push_back(n);
      continue;
    }
    const ValueId floats = n.outputs[0];
    const ValueId bytes = graph.add(graph.unused_name(graph.value(floats).name + ":bytes"), n.op, std::move(inputs));
    Node after{before->name + ":" + n.name, before->op, before->inputs, {floats}};
    after.inputs[0] = bytes;
    graph.nodes.push_back(std::move(after));
    moved = true;
  }
  return moved;
}

/// Quantise of a Dequantise with the same steps gives back what was there.
void remove_round_trips(Graph& graph) {
  const Users users(graph);
  std::map<ValueId, ValueId> same;
  for (const Node& n : graph.nodes) {
    if (!dynamic_cast<const Quantise*>(n.op.get())) continue;
    const int from = users.producer(n.inputs[0]);
    if (from < 0) continue;
    const Node& before = graph.nodes[static_cast<size_t>(from)];
    if (!dynamic_cast<const Dequantise*>(before.op.get())) continue;
    if (same_steps(graph, before, n)) same[n.outputs[0]] = before.inputs[0];
  }
  if (!same.empty()) graph.replace_uses(same);
}

}  // namespace

void quantise_products(Graph& graph) {
  const bool is_quantised = std::any_of(graph.nodes.begin(), graph.nodes.end(), [](const Node& n) {
    return dynamic_cast<const Dequantise*>(n.op.get()) != nullptr;
  });
  if (!is_quantised) return;
  make_unsigned(graph);
  while (move_dequantise_down(graph)) remove_dead_code(graph);
  remove_round_trips(graph);
  remove_dead_code(graph);
  Quantiser(graph).run();
}

}  // namespace graft
