#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>

#include "runtime/core/users.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/fused_attention.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/rearrange.h"
#include "runtime/ops/reshape.h"
#include "runtime/ops/softmax.h"
#include "runtime/passes/passes.h"

namespace graft {
namespace {

/// What a value is of another, which lies row-major: element i… is factor times that at offset + Σ i·stride.
struct ValueView {
  ValueId of = kNoValue;
  int64_t offset = 0;
  Shape shape;
  Strides strides;
  float factor = 1;
};

/// The strides that show the same elements, in the same order, under another shape; none where no strides do.
std::optional<Strides> reshaped(const Shape& from, const Strides& strides, const Shape& to) {
  Strides result(to.size());
  size_t left = to.size();
  // From the last dimension on: runs of dimensions that lie as one are divided anew.
  for (size_t last = from.size(); last > 0;) {
    size_t first = last;
    int64_t extent = 1, step = 0;
    do {
      --first;
      if (from[first] == 1) continue;
      if (extent == 1) step = strides[first];
      extent *= from[first];
    } while (first > 0 && (from[first - 1] == 1 || extent == 1 || strides[first - 1] == extent * step));
    int64_t covered = 1;
    while (left > 0 && (covered < extent || to[left - 1] == 1)) {
      --left;
      result[left] = step * covered;
      covered *= to[left];
    }
    if (covered != extent) return std::nullopt;
    last = first;
  }
  for (; left > 0; --left)
    if (to[left - 1] != 1) return std::nullopt;
  return result;
}

/// Whether two operands of the same extents that lie with the same strides, `distance` apart, share an element.
bool overlap(std::span<const int64_t> extents, std::span<const int64_t> strides, int64_t distance) {
  if (extents.empty()) return distance == 0;
  int64_t reach = 0;  // of what is left
  for (size_t i = 0; i < extents.size(); ++i) reach += (extents[i] - 1) * strides[i];
  if (std::abs(distance) > reach) return false;
  for (int64_t i = 1 - extents[0]; i < extents[0]; ++i)
    if (overlap(extents.subspan(1), strides.subspan(1), distance - i * strides[0])) return true;
  return false;
}

class AttentionFuser {
 public:
  explicit AttentionFuser(Graph& graph)
      : graph_(graph), users_(graph), trained_(values_following(graph, trainable_values(graph))) {}

  void run() {
    for (size_t i = 0; i < graph_.nodes.size(); ++i)
      if (const auto* softmax = dynamic_cast<const Softmax*>(graph_.nodes[i].op.get())) fuse(i, *softmax);
    if (found_.empty()) return;
    std::vector<Node> nodes = std::move(graph_.nodes);
    graph_.nodes.clear();
    for (size_t i = 0; i < nodes.size(); ++i) {
      const auto it = found_.find(i);
      if (it == found_.end())
        graph_.nodes.push_back(std::move(nodes[i]));
      else
        emit(nodes[i], it->second);
    }
    remove_dead_code(graph_);
  }

 private:
  /// An attention, in place of the last of its nodes.
  struct Found {
    FusedAttention op;
    std::vector<ValueId> inputs;
  };
  /// A term of the scores, as it was met.
  struct Scores {
    ValueId product = kNoValue;  // Q·Kᵀ
    float scale = 1;
    std::vector<ValueId> biases;
    std::vector<Shape> shapes;  // of the scores where each bias is added
    Shape finest;               // the shape among those on the way that has most dimensions
  };

  static std::vector<ValueId> trainable_values(const Graph& graph) {
    std::vector<ValueId> ids;
    for (size_t i = 0; i < graph.value_count(); ++i)
      if (graph.value(static_cast<ValueId>(i)).trainable) ids.push_back(static_cast<ValueId>(i));
    return ids;
  }

  const Shape& shape(ValueId id) const { return graph_.value(id).shape; }
  const Node* made_by(ValueId id) const {
    const int index = users_.producer(id);
    return index < 0 ? nullptr : &graph_.nodes[static_cast<size_t>(index)];
  }
  std::optional<float> number(ValueId id) const {
    const Value& v = graph_.value(id);
    if (!v.constant || v.trainable || v.dtype != DType::f32 || v.constant->elements() != 1) return std::nullopt;
    return v.constant->data<float>()[0];
  }
  /// The number that a product with one, or a quotient by one, multiplies its other operand by.
  std::optional<std::pair<ValueId, float>> scaled(const Node& node) const {
    const auto* binary = dynamic_cast<const Binary*>(node.op.get());
    if (!binary || binary->activation.kind != Activation::Kind::none) return std::nullopt;
    for (const size_t i : {size_t{0}, size_t{1}}) {
      const auto by = number(node.inputs[1 - i]);
      if (!by || shape(node.inputs[i]) != shape(node.outputs[0])) continue;
      if (binary->kind == Binary::Kind::mul) return {{node.inputs[i], *by}};
      if (binary->kind == Binary::Kind::div && i == 0) return {{node.inputs[i], 1 / *by}};
    }
    return std::nullopt;
  }

  ValueView whole(ValueId id) const { return {id, 0, shape(id), plain_strides(shape(id)), 1}; }

  /// What the value is of one further up, as far up as only elements are moved, and scaled where `scales`.
  ValueView view(ValueId id, bool scales) const {
    const Node* node = made_by(id);
    if (!node) return whole(id);
    if (const auto* transpose = dynamic_cast<const Transpose*>(node->op.get())) {
      const ValueView from = view(node->inputs[0], scales);
      ValueView to = from;
      const auto order = transpose->order(from.shape.rank());
      for (size_t i = 0; i < order.size(); ++i) {
        to.shape[i] = from.shape[order[i]];
        to.strides[i] = from.strides[order[i]];
      }
      return to;
    }
    if (const auto* split = dynamic_cast<const SplitSlice*>(node->op.get())) {
      ValueView to = view(node->inputs[0], scales);
      const auto axis = static_cast<size_t>(resolve_axis(split->axis, to.shape.rank()));
      to.offset += split->range(to.shape).first * to.strides[axis];
      to.shape = shape(id);
      return to;
    }
    if (const auto* slice = dynamic_cast<const Slice*>(node->op.get())) {
      const auto ranges = slice->ranges(input_types(graph_, *node));
      if (std::any_of(ranges.begin(), ranges.end(), [](const Slice::Range& r) { return r.step < 1; })) return whole(id);
      ValueView to = view(node->inputs[0], scales);
      for (size_t i = 0; i < ranges.size(); ++i) {
        to.offset += ranges[i].start * to.strides[i];
        to.strides[i] *= ranges[i].step;
      }
      to.shape = shape(id);
      return to;
    }
    if (const auto* gather = dynamic_cast<const Gather*>(node->op.get())) {
      const Value& index = graph_.value(node->inputs[1]);
      if (!index.constant || index.dtype != DType::i64 || !index.shape.empty()) return whole(id);
      ValueView to = view(node->inputs[0], scales);
      const auto axis = static_cast<size_t>(resolve_axis(gather->axis, to.shape.rank()));
      const int64_t at = index.constant->data<int64_t>()[0];
      to.offset += (at < 0 ? at + to.shape[axis] : at) * to.strides[axis];
      to.strides.erase(to.strides.begin() + static_cast<int64_t>(axis));
      to.shape = shape(id);
      return to;
    }
    if (node->op->is_reshape()) {
      ValueView to = view(node->inputs[0], scales);
      const auto strides = reshaped(to.shape, to.strides, shape(id));
      if (!strides) return whole(id);
      to.shape = shape(id);
      to.strides = *strides;
      return to;
    }
    if (const auto product = scales ? scaled(*node) : std::nullopt) {
      ValueView to = view(product->first, scales);
      to.factor *= product->second;
      return to;
    }
    return whole(id);
  }

  /// Takes scores apart, from the softmax up to the product of queries and keys.
  bool take_apart(ValueId id, Scores& scores) const {
    if (graph_.value(id).dtype != DType::f32) return false;
    const Node* node = made_by(id);
    if (!node || users_.only_reader(id) < 0) return false;
    if (shape(id).size() > scores.finest.size()) scores.finest = shape(id);
    if (dynamic_cast<const MatMul*>(node->op.get())) {
      scores.product = id;
      return true;
    }
    if (node->op->is_reshape()) {
      const Shape &from = shape(node->inputs[0]), &to = shape(id);
      // Of the batch alone.
      const bool keeps_matrices =
          from.rank() >= 2 && to.rank() >= 2 && from.back() == to.back() && from[from.size() - 2] == to[to.size() - 2];
      return keeps_matrices && take_apart(node->inputs[0], scores);
    }
    if (const auto product = scaled(*node)) {
      // What was added further up would be scaled, too.
      const size_t outside = scores.biases.size();
      if (!take_apart(product->first, scores) || scores.biases.size() > outside) return false;
      scores.scale *= product->second;
      return true;
    }
    const auto* sum = dynamic_cast<const Binary*>(node->op.get());
    if (!sum || sum->kind != Binary::Kind::add || sum->activation.kind != Activation::Kind::none) return false;
    for (const size_t i : {size_t{0}, size_t{1}}) {
      if (shape(node->inputs[i]) != shape(id) || graph_.value(node->inputs[1 - i]).dtype != DType::f32) continue;
      Scores inner = scores;
      inner.biases.push_back(node->inputs[1 - i]);
      inner.shapes.push_back(shape(id));
      if (!take_apart(node->inputs[i], inner)) continue;
      scores = inner;
      return true;
    }
    return false;
  }

  /// The operand's matrices, one for each index of the batch; none where they are not so many, or do not lie evenly.
  static std::optional<MatrixView> matrices(const ValueView& view, const Shape& batch) {
    if (view.shape.rank() < 2) return std::nullopt;
    Shape divided = batch;
    divided.insert(divided.end(), view.shape.end() - 2, view.shape.end());
    if (view.shape.elements() != divided.elements()) return std::nullopt;
    const auto strides = reshaped(view.shape, view.strides, divided);
    if (!strides) return std::nullopt;
    MatrixView to;
    to.offset = view.offset;
    to.batch.assign(strides->begin(), strides->end() - 2);
    to.row = (*strides)[batch.size()];
    to.column = strides->back();
    return to;
  }

  /// `id` as matrices whose columns, where `dense`, lie one behind the other; as it lies itself where its source does
  /// not do.
  std::optional<std::pair<MatrixView, ValueView>> operand(ValueId id, const Shape& batch, bool scales,
                                                          bool dense) const {
    for (const ValueView& v : {view(id, scales), whole(id)}) {
      const auto m = matrices(v, batch);
      if (m && (!dense || m->column == 1 || v.shape.back() == 1)) return {{*m, v}};
    }
    return std::nullopt;
  }

  /// Adds a value that operands are views of to the node's inputs. One that would overlap another of them comes twice.
  size_t input_for(Found& found, ValueId id, const MatrixView& view, int64_t rows, int64_t columns) const {
    const auto is_apart = [&](const MatrixView* other, int64_t other_rows, int64_t other_columns) {
      if (other->batch != view.batch || other->row != view.row || other->column != view.column) return false;
      std::vector<int64_t> extents = found.op.batch, strides = view.batch;
      extents.insert(extents.end(), {std::max(rows, other_rows), std::max(columns, other_columns)});
      strides.insert(strides.end(), {view.row, view.column});
      return !overlap(extents, strides, view.offset - other->offset);
    };
    for (size_t i = 0; i < found.inputs.size(); ++i) {
      if (found.inputs[i] != id) continue;
      bool apart = true;
      for (const auto& [other, other_rows, other_columns] : placed_)
        if (other->input == i) apart = apart && is_apart(other, other_rows, other_columns);
      if (apart) return i;
    }
    found.inputs.push_back(id);
    return found.inputs.size() - 1;
  }

  void place(Found& found, ValueId id, MatrixView& view, int64_t rows, int64_t columns) {
    view.input = input_for(found, id, view, rows, columns);
    placed_.push_back({&view, rows, columns});
  }

  void fuse(size_t index, const Softmax& softmax) {
    const Node& node = graph_.nodes[index];
    const Shape& extents = shape(node.inputs[0]);
    const int64_t rank = extents.rank();
    if (softmax.form != Softmax::Form::probability || rank < 2 || extents.elements() == 0 ||
        (softmax.flatten && softmax.axis == rank) || resolve_axis(softmax.axis, rank) != rank - 1)
      return;
    const int weighing = users_.only_reader(node.outputs[0]);
    if (weighing < 0) return;
    const Node& product = graph_.nodes[static_cast<size_t>(weighing)];
    if (!dynamic_cast<const MatMul*>(product.op.get()) || product.inputs[0] != node.outputs[0]) return;
    Scores scores;
    scores.finest = extents;
    if (!take_apart(node.inputs[0], scores)) return;
    const Node& similarity = *made_by(scores.product);

    Found found;
    FusedAttention& op = found.op;
    op.batch.assign(scores.finest.begin(), scores.finest.end() - 2);
    op.queries = extents[extents.size() - 2];
    op.keys = extents.back();
    op.value_width = shape(product.outputs[0]).back();
    if (shape(similarity.inputs[0]).rank() < 2 || shape(similarity.inputs[1]).rank() < 2 ||
        shape(product.inputs[1]).rank() < 2)
      return;
    op.width = shape(similarity.inputs[0]).back();
    if (op.width == 0 || op.value_width == 0) return;
    const auto q = operand(similarity.inputs[0], op.batch, true, true),
               keys = operand(similarity.inputs[1], op.batch, true, false),
               v = operand(product.inputs[1], op.batch, false, true);
    if (!q || !keys || !v) return;
    placed_.clear();
    op.q = q->first;
    op.k = keys->first;
    std::swap(op.k.row, op.k.column);  // what is multiplied by is Kᵀ
    op.v = v->first;
    op.scale = scores.scale * q->second.factor * keys->second.factor;
    place(found, q->second.of, op.q, op.queries, op.width);
    place(found, keys->second.of, op.k, op.keys, op.width);
    place(found, v->second.of, op.v, op.keys, op.value_width);
    if (!add_biases(scores, found)) return;

    auto [result, last] = written(product.outputs[0], static_cast<size_t>(weighing));
    const auto y = matrices(result, op.batch);
    if (!y) return;
    op.result = *y;
    found_.emplace(last, std::move(found));
  }

  /// Where the result is written, and by which node's place in the graph: a transposition of heads is a matter of
  /// strides.
  std::pair<ValueView, size_t> written(ValueId id, size_t node) const {
    const std::pair<ValueView, size_t> plainly{whole(id), node};
    int reader = users_.only_reader(id);
    Shape apart = shape(id);
    if (reader >= 0 && graph_.nodes[static_cast<size_t>(reader)].op->is_reshape()) {
      const ValueId reshaped_id = graph_.nodes[static_cast<size_t>(reader)].outputs[0];
      apart = shape(reshaped_id);
      reader = users_.only_reader(reshaped_id);
    }
    if (reader < 0) return plainly;
    const Node& moving = graph_.nodes[static_cast<size_t>(reader)];
    const auto* transpose = dynamic_cast<const Transpose*>(moving.op.get());
    if (!transpose) return plainly;
    const auto order = transpose->order(apart.rank());
    const Strides moved = plain_strides(shape(moving.outputs[0]));
    Strides strides(order.size());
    for (size_t i = 0; i < order.size(); ++i) strides[order[i]] = moved[i];
    const auto merged = reshaped(apart, strides, shape(id));
    if (!merged || (merged->back() != 1 && shape(id).back() != 1)) return plainly;
    return {{id, 0, shape(id), *merged, 1}, static_cast<size_t>(reader)};
  }

  bool add_biases(const Scores& scores, Found& found) {
    FusedAttention& op = found.op;
    if (scores.biases.size() > FusedAttention::kMostBiases) return false;
    int trained = 0;
    for (size_t i = 0; i < scores.biases.size(); ++i) {
      const ValueId id = scores.biases[i];
      // Their gradient is summed over the batch, for one of them.
      if (trained_[static_cast<size_t>(id)] && ++trained > 1) return false;
      ValueView bias = view(id, false);
      const auto stretched = [&](ValueView& v) {  // as broadcasting does
        const Shape& to = scores.shapes[i];
        v.strides.insert(v.strides.begin(), to.size() - v.shape.size(), 0);
        v.shape.insert(v.shape.begin(), to.size() - v.shape.size(), 1);
        for (size_t d = 0; d < to.size(); ++d)
          if (v.shape[d] != to[d]) v.strides[d] = 0;
        v.shape = to;
        return matrices(v, op.batch);
      };
      auto m = stretched(bias);
      if (!m || m->column != 1) {
        bias = whole(id);
        m = stretched(bias);
      }
      if (!m || m->column != 1) return false;
      op.biases.push_back(*m);
      found.inputs.push_back(bias.of);
      op.biases.back().input = found.inputs.size() - 1;
    }
    return true;
  }

  ValueId reshaped_value(const std::string& name, ValueId x, const Shape& shape) {
    auto op = std::make_shared<ReshapeTo>();
    op->target = shape;
    return graph_.add(graph_.unused_name(name), op, {x});
  }

  void emit(const Node& last, Found& found) {
    for (ValueId& id : found.inputs) {
      // Of four dimensions, it might lie as pictures do.
      if (shape(id).rank() != 4) continue;
      const Shape flat{shape(id).elements() / shape(id).back(), shape(id).back()};
      id = reshaped_value(graph_.value(id).name + ":rows", id, flat);
    }
    const ValueId y = graph_.add(graph_.unused_name(last.name + ":attention"),
                                 std::make_shared<FusedAttention>(found.op), found.inputs);
    reshaped_value(last.name + ":reshaped", y, shape(last.outputs[0]));
    graph_.nodes.back().outputs[0] = last.outputs[0];
  }

  struct Placed {
    const MatrixView* view;
    int64_t rows, columns;
  };
  Graph& graph_;
  Users users_;
  std::vector<bool> trained_;
  std::map<size_t, Found> found_;
  std::vector<Placed> placed_;  // of the attention that is being put together
};

}  // namespace

void fuse_attention(Graph& graph) { AttentionFuser(graph).run(); }

}  // namespace graft
