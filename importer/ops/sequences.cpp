// Sequences of tensors, which graft's graphs do not have: they are taken apart while the file is read, so that only
// tensors are left.
#include <algorithm>
#include <optional>
#include <utility>

#include "importer/op_table.h"
#include "runtime/core/integer.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/reshape.h"

namespace graft {
namespace {

const TensorSequence& sequence(NodeReader& node, size_t i) {
  const TensorSequence* found = node.has_input(i) ? node.scope().find_sequence(node.input_name(i)) : nullptr;
  if (!found) throw Error("input " + std::to_string(i) + " is no sequence that is known when the file is read");
  return *found;
}

/// Its tensors; Error where their number is not known.
std::vector<ValueId> tensors(NodeReader& node, size_t i) {
  const TensorSequence& given = sequence(node, i);
  if (given.parts)
    throw Error("how many parts the sequence has follows from extents that are open", {}, ErrorCode::unsupported);
  return given.tensors;
}

int64_t number(NodeReader& node, size_t i, const char* what) {
  const Tensor* tensor = node.constant(i);
  if (!tensor || tensor->elements() != 1)
    throw Error(std::string(what) + " depends on the data", {}, ErrorCode::unsupported);
  return to_int64s(*tensor)[0];
}

void define(NodeReader& node, TensorSequence made) {
  if (node.output_count() == 0) throw Error("has no output");
  node.scope().define_sequence(node.output_name(0), std::move(made));
}

/// Where `position`, which may count from the end, stands among `count`; `last` is 0 or, to insert, 1.
std::ptrdiff_t place(int64_t position, size_t count, int64_t last) {
  const auto size = static_cast<int64_t>(count), from_front = position < 0 ? position + size : position;
  if (from_front < 0 || from_front >= size + last)
    throw Error("position " + std::to_string(position) + " lies outside a sequence of " + std::to_string(size));
  return from_front;
}

void read_construct(NodeReader& node) { define(node, {node.inputs(), {}}); }

void read_empty(NodeReader& node) { define(node, {}); }

void read_insert(NodeReader& node) {
  std::vector<ValueId> items = tensors(node, 0);
  const std::ptrdiff_t at =
      node.has_input(2) ? place(number(node, 2, "the position"), items.size(), 1) : std::ssize(items);
  items.insert(items.begin() + at, node.input(1));
  define(node, {items, {}});
}

void read_erase(NodeReader& node) {
  std::vector<ValueId> items = tensors(node, 0);
  const int64_t position = node.has_input(1) ? number(node, 1, "the position") : -1;
  items.erase(items.begin() + place(position, items.size(), 0));
  define(node, {items, {}});
}

/// Element `at` along an axis, which stays with extent 1 or goes.
void emit_element(NodeReader& node, ValueId whole, int64_t axis, int64_t at, bool keep_dims) {
  auto op = std::make_shared<Gather>();
  op->axis = axis;
  Tensor position = Tensor::of<int64_t>(keep_dims ? Shape{1} : Shape{}, {at});
  node.emit(op, {whole, node.graph().add_constant(node.name() + ":position", std::move(position))});
}

void read_at(NodeReader& node) {
  const TensorSequence& from = sequence(node, 0);
  const int64_t position = number(node, 1, "the position");
  if (!from.parts) return node.emit_alias(from.tensors[static_cast<size_t>(place(position, from.tensors.size(), 0))]);
  const TensorSequence::Parts parts = *from.parts;
  if (parts.extent == 1) return emit_element(node, parts.whole, parts.axis, position, parts.keep_dims);
  if (position < 0) throw Error("counts parts from the end, whose number is not known", {}, ErrorCode::unsupported);
  auto part = std::make_shared<Slice>();
  part->starts = {checked_multiply(position, parts.extent)};
  part->ends = {checked_add(part->starts[0], parts.extent)};
  part->axes = {parts.axis};
  node.emit(part, {parts.whole});
}

void read_length(NodeReader& node) {
  const TensorSequence& of = sequence(node, 0);
  if (!of.parts) return node.emit_constant(Tensor::of<int64_t>({}, {static_cast<int64_t>(of.tensors.size())}));
  const TensorSequence::Parts parts = *of.parts;
  const auto constant = [&](const char* suffix, int64_t value) {
    return node.graph().add_constant(node.name() + suffix, Tensor::of<int64_t>({}, {value}));
  };
  const ValueId shape = node.emit_helper("shape", std::make_shared<ShapeOf>(), {parts.whole});
  const ValueId extent = node.emit_helper("extent", std::make_shared<Gather>(), {shape, constant(":axis", parts.axis)});
  const ValueId rounded = node.emit_helper("rounded", make_binary(Binary::Kind::add),
                                           {extent, constant(":part_less_one", parts.extent - 1)});
  node.emit(make_binary(Binary::Kind::div), {rounded, constant(":part", parts.extent)});
}

/// Parts of these extents. They must be the whole where its extent is known.
std::vector<ValueId> emit_parts(NodeReader& node, ValueId whole, int64_t axis, const std::vector<int64_t>& extents,
                                std::optional<int64_t> all) {
  int64_t first = 0;
  std::vector<ValueId> parts;
  for (const int64_t extent : extents) {
    auto op = std::make_shared<Slice>();
    op->starts = {first};
    op->ends = {first + extent};
    op->axes = {axis};
    parts.push_back(node.emit_helper("part" + std::to_string(parts.size()), op, {whole}));
    first += extent;
  }
  if (all && *all != first)
    throw Error("the parts have " + std::to_string(first) + " elements together, the whole " + std::to_string(*all),
                "the file is damaged");
  return parts;
}

/// The extent of input 0 along an axis; nothing where it is not known now.
std::optional<int64_t> extent_along(NodeReader& node, int64_t axis) {
  const Shape shape = node.known_shape(0);
  if (shape.empty()) return std::nullopt;
  const int64_t extent = shape[static_cast<size_t>(resolve_axis(axis, shape.rank()))];
  return extent == kOpenDim ? std::nullopt : std::optional(extent);
}

void read_split(NodeReader& node) {
  constexpr int64_t kMostParts = 4096;
  const ValueId whole = node.input(0);
  const int64_t axis = node.integer("axis", 0);
  const Tensor* split = node.has_input(1) ? node.constant(1) : nullptr;
  if (node.has_input(1) && !split) throw Error("the parts' extents depend on the data", {}, ErrorCode::unsupported);
  std::vector<int64_t> extents = split ? to_int64s(*split) : std::vector<int64_t>{1};
  for (int64_t extent : extents)
    if (extent < 0 || extent > INT32_MAX) throw Error("a part of " + std::to_string(extent) + " has no sense");
  // ONNX has keepdims ignored where extents are given; exporters of torch.unbind and ONNX Runtime do not, of parts
  // of 1.
  const bool single = !split || (split->shape().empty() && extents[0] == 1);
  const bool keep_dims = !single || node.integer("keepdims", 1) != 0;
  const std::optional<int64_t> all = extent_along(node, axis);
  if (!split || split->shape().empty()) {  // equal parts, of which the last may be smaller
    const int64_t each = extents[0];
    if (each == 0) throw Error("a part of 0 has no sense");
    if (!all) return define(node, {{}, {{whole, axis, each, keep_dims}}});
    if (*all / each > kMostParts) throw Error("makes " + std::to_string(*all / each) + " parts");
    extents.clear();
    for (int64_t first = 0; first < *all; first += each) extents.push_back(std::min(each, *all - first));
  }
  TensorSequence made{emit_parts(node, whole, axis, extents, all), {}};
  for (size_t i = 0; !keep_dims && i < made.tensors.size(); ++i) {
    auto squeeze = std::make_shared<Squeeze>();
    squeeze->axes = {axis};
    made.tensors[i] = node.emit_helper("element" + std::to_string(i), squeeze, {made.tensors[i]});
  }
  define(node, made);
}

void read_concat(NodeReader& node) {
  std::vector<ValueId> items = tensors(node, 0);
  if (items.empty()) throw Error("joins no tensors");
  auto joined = std::make_shared<Concat>();
  if (!node.has("axis")) throw Error("has no axis");
  joined->axis = node.integer("axis", 0);
  if (node.integer("new_axis", 0) != 0) {
    auto apart = std::make_shared<Unsqueeze>();
    apart->axes = {joined->axis};
    for (size_t i = 0; i < items.size(); ++i)
      items[i] = node.emit_helper("item" + std::to_string(i), apart, {items[i]});
  }
  node.emit(joined, items);
}

}  // namespace

void map_sequences(OpTable& table) {
  table.read("SequenceConstruct", read_construct);
  table.read("SequenceEmpty", read_empty);
  table.read("SequenceInsert", read_insert);
  table.read("SequenceErase", read_erase);
  table.read("SequenceAt", read_at);
  table.read("SequenceLength", read_length);
  table.read("SplitToSequence", read_split);
  table.read("ConcatFromSequence", read_concat);
}

}  // namespace graft
