#include "importer/open_batch.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "runtime/core/error.h"
#include "runtime/core/evaluate_node.h"
#include "runtime/core/random.h"
#include "runtime/cpu/cpu_backend.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/rearrange.h"
#include "runtime/ops/recurrent.h"
#include "runtime/ops/reshape.h"
#include "runtime/ops/resize.h"
#include "runtime/plan/plan.h"

namespace graft {
namespace {

constexpr int64_t kEnd = INT64_MAX;
constexpr int64_t kLargestKnown = 1 << 20;  // elements of a constant that is worked out on the way
constexpr float kTolerance = 1e-3f;         // of the largest number of an output
// Multiply-adds and elements of one picture; the largest published classifiers need about as many.
constexpr int64_t kMostWork = int64_t{300} << 30;

/// Where the batch cannot be followed.
struct Lost {};

/// Follows the batch through a graph by typing it for twice as many pictures, node by node.
class Follower {
 public:
  Follower(const Graph& graph, const Graph& typed, int64_t batch)
      : batch_(batch), one_(typed), result_(graph), two_(graph) {
    result_.nodes.clear();
    two_.nodes.clear();
    for (ValueId id : graph.inputs) {
      const Shape& shape = one_.value(id).shape;
      two_.value(id).shape = shape;
      if (shape.empty()) continue;
      if (shape[0] != batch) throw Lost();
      two_.value(id).shape[0] = 2 * batch;
      result_.value(id).shape[0] = kOpenDim;
    }
    for (const Node& node : graph.nodes) append(node);
    for (ValueId id : graph.outputs)
      if (carrier(id) != 0) throw Lost();
  }

  Graph result() && { return std::move(result_); }

 private:
  const Shape& before(ValueId id) const { return one_.value(id).shape; }
  const Shape& after(ValueId id) const { return two_.value(id).shape; }
  bool is_constant(ValueId id) const { return two_.value(id).constant != nullptr; }

  /// The dimension that a batch twice as large doubles; -1 where none. Throws Lost where it is anything else.
  int64_t carrier(ValueId id) const {
    if (is_constant(id)) return -1;
    if (const auto it = added_.find(id); it != added_.end()) return it->second;
    const Shape &small = before(id), &large = after(id);
    if (small.size() != large.size()) throw Lost();
    int64_t found = -1;
    for (size_t i = 0; i < small.size(); ++i) {
      if (small[i] == large[i]) continue;
      if (found >= 0 || large[i] != 2 * small[i]) throw Lost();
      found = static_cast<int64_t>(i);
    }
    return found;
  }
  bool carries(ValueId id) const { return id != kNoValue && carrier(id) >= 0; }

  void append(const Node& given) {
    if (given.op->chooses_inputs() || given.op->type() == "Loop") throw Lost();
    Node node = given;
    follow(node);
    append_typed(node);
    const bool follows = std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) { return carries(id); });
    for (ValueId id : node.outputs)  // what was of each picture must stay so
      if (follows && !is_constant(id) && carrier(id) < 0) throw Lost();
  }

  /// Appends a node to the result, with what it makes for twice as many pictures.
  void append_typed(const Node& node) {
    const std::vector<ValueType> inputs = input_types(two_, node), types = node.op->infer(inputs);
    if (types.size() < node.outputs.size()) throw Lost();
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      two_.value(node.outputs[i]).dtype = types[i].dtype;
      two_.value(node.outputs[i]).shape = types[i].shape;
    }
    std::vector<Tensor> known = node.op->results_from_types(inputs);
    const bool all_known = !node.inputs.empty() && std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
      return id == kNoValue || is_constant(id);
    });
    const bool small =
        std::all_of(types.begin(), types.end(), [](const ValueType& t) { return t.shape.elements() <= kLargestKnown; });
    if (known.empty() && all_known && small && !node.op->is_composite()) {
      const OperatorPtr form = node.op->resolved(inputs);
      known = evaluate_node(form ? *form : *node.op, inputs, types, cpu_backend());
    }
    for (size_t i = 0; i < std::min(known.size(), node.outputs.size()); ++i)
      two_.value(node.outputs[i]).constant = std::make_shared<Tensor>(std::move(known[i]));
    result_.nodes.push_back(node);
  }

  void follow(Node& node) {
    const Operator& op = *node.op;
    if (dynamic_cast<const Reshape*>(&op)) return follow_reshape(node);
    if (dynamic_cast<const Expand*>(&op)) return follow_expand(node);
    if (const auto* concat = dynamic_cast<const Concat*>(&op)) return follow_concat(node, *concat);
    if (const auto* slice = dynamic_cast<const Slice*>(&op)) return follow_slice(node, *slice);
    if (const auto* resize = dynamic_cast<const Resize*>(&op)) return follow_resize(node, *resize);
    if (const auto* gather = dynamic_cast<const Gather*>(&op)) return follow_gather(node, *gather);
    if (op.is_element_wise()) return repeat_operands(node, 0);
    if (dynamic_cast<const MatMul*>(&op)) return repeat_operands(node, 2);
    if (dynamic_cast<const Recurrent*>(&op))
      for (size_t i = 4; i < node.inputs.size(); ++i)
        if (node.inputs[i] != kNoValue && carrier(node.inputs[0]) == 1 && !carries(node.inputs[i]))
          node.inputs[i] = repeated(node, node.inputs[i], 1, node.inputs[0], 1);
  }

  ValueId add_constant(const std::string& name, Tensor tensor) {
    const std::string unused = result_.unused_name(name);
    two_.add_constant(unused, tensor.clone());
    return result_.add_constant(unused, std::move(tensor));
  }
  ValueId add_numbers(const std::string& name, const std::vector<int64_t>& numbers) {
    return add_constant(name, Tensor::copy_of<int64_t>({static_cast<int64_t>(numbers.size())}, numbers));
  }
  ValueId add_node(const std::string& name, const OperatorPtr& op, const std::vector<ValueId>& inputs) {
    const std::string unused = result_.unused_name(name);
    two_.append_node(unused, op, inputs, {unused});
    two_.nodes.pop_back();
    result_.append_node(unused, op, inputs, {unused});
    Node node = std::move(result_.nodes.back());
    result_.nodes.pop_back();
    append_typed(node);
    return node.outputs[0];
  }

  /// A constant of the file that spells extents out; nothing where they are worked out already.
  std::optional<std::vector<int64_t>> spelt(ValueId id) const {
    const auto& constant = result_.value(id).constant;
    return constant ? std::optional(to_int64s(*constant)) : std::nullopt;
  }

  /// Rows are read in order: the batch stays behind as many elements as stood before it.
  void follow_reshape(Node& node) {
    const int64_t from = carrier(node.inputs[0]);
    auto target = spelt(node.inputs[1]);
    if (from < 0 || !target) return;
    const Shape &x = before(node.inputs[0]), &y = one_.value(node.outputs[0]).shape;
    const auto product = [](const Shape& shape, int64_t count) {
      int64_t elements = 1;
      for (int64_t i = 0; i < count; ++i) elements *= shape[static_cast<size_t>(i)];
      return elements;
    };
    const int64_t outer = product(x, from);
    int64_t to = 0;
    while (to < y.rank() && product(y, to) != outer) ++to;
    if (to == y.rank() || target->size() != y.size()) throw Lost();
    auto& own = (*target)[static_cast<size_t>(to)];
    const bool is_copied = from == to && x[static_cast<size_t>(to)] == y[static_cast<size_t>(to)] &&
                           !dynamic_cast<const Reshape&>(*node.op).allow_zero;
    own = 1;
    const bool another_is_left_out = std::count(target->begin(), target->end(), -1) > 0;
    if (another_is_left_out && !is_copied) throw Lost();
    own = another_is_left_out ? 0 : -1;
    node.inputs[1] = add_numbers(node.name + ":shape", *target);
  }

  /// What is stretched keeps its own batch.
  void follow_expand(Node& node) {
    const int64_t from = carrier(node.inputs[0]);
    auto target = spelt(node.inputs[1]);
    if (from < 0 || !target) return;
    const int64_t at = from + static_cast<int64_t>(target->size()) - before(node.inputs[0]).rank();
    if (at < 0) return;
    (*target)[static_cast<size_t>(at)] = 1;
    node.inputs[1] = add_numbers(node.name + ":shape", *target);
  }

  /// `x` repeated along `axis` until it is as long there as `other` is along `along`.
  ValueId repeated(const Node& node, ValueId x, int64_t axis, ValueId other, int64_t along) {
    const Shape shape = is_constant(x) ? two_.value(x).shape : before(x);  // a copy: values move as nodes are added
    auto extent = std::make_shared<ShapeOf>();
    extent->start = along;
    extent->end = along + 1;
    const std::string name = node.name + ":batch";
    ValueId times = add_node(name, extent, {other});
    if (const int64_t own = shape[static_cast<size_t>(axis)]; own != 1)
      times = add_node(name + ":times", make_binary(Binary::Kind::div), {times, add_numbers(name + ":own", {own})});
    const std::vector<int64_t> front(static_cast<size_t>(axis), 1),
        back(shape.size() - static_cast<size_t>(axis) - 1, 1);
    std::vector<ValueId> parts;
    if (!front.empty()) parts.push_back(add_numbers(name + ":front", front));
    parts.push_back(times);
    if (!back.empty()) parts.push_back(add_numbers(name + ":back", back));
    auto join = std::make_shared<Concat>();
    join->axis = 0;
    const ValueId repeats = parts.size() == 1 ? times : add_node(name + ":repeats", join, parts);
    const ValueId result = add_node(name + ":repeated", std::make_shared<Tile>(), {x, repeats});
    added_[result] = axis;
    return result;
  }

  void follow_concat(Node& node, const Concat& concat) {
    ValueId with = kNoValue;
    for (ValueId id : node.inputs)
      if (carries(id)) with = id;
    if (with == kNoValue) return;
    const int64_t axis = carrier(with);
    if (axis == resolve_axis(concat.axis, before(with).rank())) throw Lost();
    for (ValueId& id : node.inputs)
      if (!carries(id)) id = repeated(node, id, axis, with, axis);
  }

  /// Constant places in a whole batch that lies flat (as_strided) are places in each picture.
  void follow_gather(Node& node, const Gather& gather) {
    const Shape &x = before(node.inputs[0]), &y = one_.value(node.outputs[0]).shape;
    if (carrier(node.inputs[0]) != 0 || x.rank() != 1 || !spelt(node.inputs[1]) || y.empty() || batch_ != 1 ||
        y[0] != 1)
      return;
    const std::string name = node.name + ":each";
    const ValueId pictures =
        add_node(name, std::make_shared<Reshape>(), {node.inputs[0], add_numbers(name + ":shape", {-1, x[0]})});
    auto within = std::make_shared<Gather>(gather);
    within->axis = 1;
    const ValueId taken = add_node(name + ":taken", within, {pictures, node.inputs[1]});
    added_[pictures] = added_[taken] = 0;
    std::vector<int64_t> target = y;
    target[0] = -1;
    node.op = std::make_shared<Reshape>();
    node.inputs = {taken, add_numbers(name + ":target", target)};
  }

  /// Operands that stand beside each picture of the small batch stand beside each of the large one; their last
  /// `own_dimensions` are not aligned.
  void repeat_operands(Node& node, int64_t own_dimensions) {
    ValueId with = kNoValue;
    for (ValueId id : node.inputs)
      if (carries(id)) with = id;
    if (with == kNoValue) return;
    const int64_t axis = carrier(with), from_end = before(with).rank() - axis;
    if (from_end <= own_dimensions) return;
    for (ValueId& id : node.inputs) {
      if (id == kNoValue || carries(id)) continue;
      const Shape shape = is_constant(id) ? two_.value(id).shape : before(id);
      const int64_t own = shape.rank() - from_end;
      if (own < 0 || shape[static_cast<size_t>(own)] == 1) continue;
      if (shape[static_cast<size_t>(own)] != before(with)[static_cast<size_t>(axis)]) throw Lost();
      id = repeated(node, id, own, with, axis);
    }
  }

  /// What takes the whole batch takes it however large it is.
  void follow_slice(Node& node, const Slice& slice) {
    const int64_t from = carrier(node.inputs[0]);
    if (from < 0) return;
    const Shape &x = before(node.inputs[0]), &y = one_.value(node.outputs[0]).shape;
    if (y[static_cast<size_t>(from)] != x[static_cast<size_t>(from)]) throw Lost();
    const auto whole = [&](std::vector<int64_t> ends, const std::vector<int64_t>& axes) {
      for (size_t i = 0; i < ends.size(); ++i)
        if ((axes.empty() ? static_cast<int64_t>(i) : resolve_axis(axes.at(i), x.rank())) == from) ends[i] = kEnd;
      return ends;
    };
    if (node.inputs.size() == 1) {
      auto open = std::make_shared<Slice>(slice);
      open->ends = whole(slice.ends, slice.axes);
      node.op = std::move(open);
      return;
    }
    const auto ends = spelt(node.inputs[2]);
    const auto axes =
        node.inputs.size() > 3 && node.inputs[3] != kNoValue ? spelt(node.inputs[3]) : std::vector<int64_t>{};
    if (ends && axes) node.inputs[2] = add_numbers(node.name + ":ends", whole(*ends, *axes));
  }

  /// Sizes of a picture's dimensions alone.
  void follow_resize(Node& node, const Resize& resize) {
    const int64_t from = carrier(node.inputs[0]);
    if (from < 0 || resize.sizes.empty() || !resize.axes.empty()) return;
    const Shape& x = before(node.inputs[0]);
    auto open = std::make_shared<Resize>(resize);
    open->sizes.clear();
    for (size_t i = 0; i < x.size() && i < resize.sizes.size(); ++i) {
      if (resize.sizes[i] == x[i] && (static_cast<int64_t>(i) == from || i < 2)) continue;
      open->axes.push_back(static_cast<int64_t>(i));
      open->sizes.push_back(resize.sizes[i]);
    }
    if (!resize.region.empty() || open->sizes.empty()) throw Lost();
    node.op = std::move(open);
  }

  int64_t batch_;
  const Graph& one_;  // typed for the file's batch
  Graph result_;
  Graph two_;                         // its values, for twice as many pictures
  std::map<ValueId, int64_t> added_;  // carriers of values that one_ lacks
};

std::vector<std::vector<float>> outputs_of(Plan& plan, const std::vector<Tensor>& inputs) {
  for (size_t i = 0; i < inputs.size(); ++i) copy_from_plain(inputs[i].raw(), plan.input(i));
  plan.forward();
  std::vector<std::vector<float>> results;
  for (size_t i = 0; i < plan.output_count(); ++i) {
    Tensor y(plan.output(i).dtype, plan.output(i).shape);
    copy_to_plain(plan.output(i), y.raw());
    const Tensor floats = cast(y, DType::f32);
    results.emplace_back(floats.data<float>().begin(), floats.data<float>().end());
  }
  return results;
}

/// Rows `first` to `first` + `count` of a tensor.
Tensor rows_of(const Tensor& all, int64_t first, int64_t count) {
  Shape shape = all.shape();
  if (shape.empty()) return all.clone();  // a setting, not a picture
  const size_t row = all.bytes() / static_cast<size_t>(shape[0]);
  shape[0] = count;
  Tensor part(all.dtype(), shape);
  std::copy_n(static_cast<const std::byte*>(all.raw()) + static_cast<size_t>(first) * row, part.bytes(),
              static_cast<std::byte*>(part.raw()));
  return part;
}

/// Whether two batches of random pictures give together what each gives by itself.
bool agrees(const Graph& graph, int64_t batch, const PictureSize& size) {
  Plan together = compile_inference(graph, {2 * batch, size.height, size.width}, cpu_backend()),
       apart = compile_inference(graph, {batch, size.height, size.width}, cpu_backend());
  Random random(1);
  std::vector<Tensor> both;
  for (size_t i = 0; i < together.input_count(); ++i) {
    Tensor values(DType::f32, together.input(i).shape);
    const bool whole = together.input(i).dtype != DType::f32;
    for (float& v : values.data<float>()) v = whole ? std::floor(random.uniform(0, 256)) : random.normal();
    both.push_back(cast(values, together.input(i).dtype));
  }
  const auto all = outputs_of(together, both);
  for (int64_t half = 0; half < 2; ++half) {
    std::vector<Tensor> own;
    for (const Tensor& values : both) own.push_back(rows_of(values, half * batch, batch));
    const auto some = outputs_of(apart, own);
    for (size_t o = 0; o < all.size(); ++o) {
      if (all[o].size() != 2 * some[o].size()) return false;
      float largest = 0;
      for (float v : some[o]) largest = std::max(largest, std::abs(v));
      for (size_t i = 0; i < some[o].size(); ++i) {
        const float other = all[o][static_cast<size_t>(half) * some[o].size() + i];
        if (!(std::abs(other - some[o][i]) <= kTolerance * largest)) return false;
      }
    }
  }
  return true;
}

/// Whether running the graph a few times takes no longer than reading a large file does.
bool is_quick(const Graph& typed) {  // of as many pictures as the file is fixed to
  int64_t work = 0;
  for (const Node& node : typed.nodes) {
    std::vector<ValueType> outputs;
    for (ValueId id : node.outputs) outputs.push_back(typed.type_of(id));
    int64_t elements = 0;
    for (const ValueType& type : outputs) elements += type.shape.elements();
    if (__builtin_add_overflow(work, elements + node.op->multiply_adds(input_types(typed, node), outputs), &work) ||
        work > kMostWork)
      return false;
  }
  return true;
}

}  // namespace

std::optional<Graph> open_batch(const Graph& graph, const Graph& typed, int64_t batch, const PictureSize& size) {
  if (!is_quick(typed)) return std::nullopt;
  try {
    Graph open = Follower(graph, typed, batch).result();
    if (!agrees(open, batch, size)) return std::nullopt;
    return open;
  } catch (const Lost&) {
    return std::nullopt;
  } catch (const Error&) {  // an operator that does not take what another made of twice as many pictures
    return std::nullopt;
  }
}

}  // namespace graft
