#include "runtime/ops/movement.h"

#include "importer/op_table.h"
#include "importer/tensor_types.h"
#include "runtime/ops/reduce.h"

namespace graft {
namespace {

void read_transpose(NodeReader& node) {
  auto op = std::make_shared<Transpose>();
  op->permutation = node.integers("perm");
  node.emit(op, node.inputs());
}
void write_transpose(const Transpose& op, NodeWriter& node) {
  node.begin();
  if (!op.permutation.empty()) node.set("perm", op.permutation);
}

void read_concat(NodeReader& node) {
  auto op = std::make_shared<Concat>();
  op->axis = node.integer("axis", 1);
  node.emit(op, node.inputs());
}
void write_concat(const Concat& op, NodeWriter& node) {
  node.begin();
  node.set("axis", op.axis);
}

void read_slice(NodeReader& node) {
  auto op = std::make_shared<Slice>();
  op->starts = node.integers("starts");
  op->ends = node.integers("ends");
  op->axes = node.integers("axes");
  node.emit(op, node.inputs());
}
void write_slice(const Slice& op, NodeWriter& node) {
  node.begin();
  if (node.node().inputs.size() > 1) return;
  node.add_input("starts", op.starts);
  node.add_input("ends", op.ends);
  if (op.axes.empty() && op.steps.empty()) return;
  auto axes = op.axes;
  for (size_t i = axes.size(); i < op.starts.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  node.add_input("axes", axes);
  if (!op.steps.empty()) node.add_input("steps", op.steps);
}

Pad::Mode pad_mode(const std::string& name) {
  if (name == "constant") return Pad::Mode::constant;
  if (name == "reflect") return Pad::Mode::reflect;
  if (name == "edge") return Pad::Mode::edge;
  if (name == "wrap") return Pad::Mode::wrap;
  throw Error("mode \"" + name + "\" is unknown");
}

void read_pad(NodeReader& node) {
  auto op = std::make_shared<Pad>();
  op->mode = pad_mode(node.text("mode", "constant"));
  op->pads = node.integers("pads");
  op->fill = node.real("value", 0);
  node.emit(op, node.inputs());
}
/// Opset 17 has no wrapping pads: slices of what is there stand before and after it, one dimension after the other.
void write_wrapping(const Pad& op, NodeWriter& node) {
  const std::vector<ValueType> inputs = input_types(node.graph(), node.node());
  const std::vector<int64_t> pads = op.resolved_pads(inputs);
  const size_t rank = pads.size() / 2;
  std::string y = node.name_of(node.node().inputs[0]);
  const auto integers = [&](const std::string& suffix, int64_t value) {
    return node.constant(suffix, Tensor::of<int64_t>({1}, {value}));
  };
  for (size_t d = 0; d < rank; ++d) {
    const std::string along = "along" + std::to_string(d);
    const std::string axis = integers(along + "_axis", static_cast<int64_t>(d));
    const auto slice = [&](const char* what, int64_t from, int64_t to) {
      const std::string suffix = along + what;
      return node.helper("Slice", {y, integers(suffix + "_from", from), integers(suffix + "_to", to), axis}, suffix);
    };
    const int64_t before = pads[d], after = pads[d + rank];
    if (before < 0 || after < 0) y = slice("_kept", std::max<int64_t>(0, -before), after < 0 ? after : INT64_MAX);
    if (before <= 0 && after <= 0) continue;
    const int64_t extent = inputs[0].shape[d],
                  kept = extent + std::min<int64_t>(before, 0) + std::min<int64_t>(after, 0);
    if (extent != kOpenDim && (before > kept || after > kept))
      throw Error("pads that wrap around more than once cannot be written at opset 17", {}, ErrorCode::unsupported);
    std::vector<std::string> parts;
    if (before > 0) parts.push_back(slice("_end", -before, INT64_MAX));
    parts.push_back(y);
    if (after > 0) parts.push_back(slice("_begin", 0, after));
    y = node.helper("Concat", parts, along + "_joined");
    node.set("axis", static_cast<int64_t>(d));
  }
  node.helper("Identity", {y}, "wrapped", node.name_of(node.node().outputs[0]));
}

void write_pad(const Pad& op, NodeWriter& node) {
  constexpr const char* kNames[] = {"constant", "reflect", "edge", "wrap"};
  if (op.mode == Pad::Mode::wrap) return write_wrapping(op, node);
  // Opset 17 has no axes input; whoever gave them is resolved to pads of every dimension.
  const bool has_axes = node.node().inputs.size() > 3;
  if (node.node().inputs.size() > 1 && !has_axes) {
    node.begin();
  } else {
    const std::vector<ValueType> inputs = input_types(node.graph(), node.node());
    const auto pads = op.resolved_pads(inputs);
    node.begin("", 1);
    node.add_input("pads", pads);
    if (has_axes && inputs[2].constant)
      node.add_input("value", *inputs[2].constant);
    else if (op.fill != 0)
      node.add_input("value", Tensor::of<float>({}, {op.fill}));
  }
  node.set("mode", kNames[static_cast<size_t>(op.mode)]);
}

void read_gather(NodeReader& node) {
  auto op = std::make_shared<Gather>();
  op->axis = node.integer("axis", 0);
  node.emit(op, node.inputs());
}
void write_gather(const Gather& op, NodeWriter& node) {
  node.begin();
  node.set("axis", op.axis);
}

void read_cast(NodeReader& node) {
  auto op = std::make_shared<Cast>();
  op->to = activation_dtype(static_cast<int>(node.integer("to", onnx::TensorProto::FLOAT)));
  // Half-precision weights were converted when they were read: their casts have nothing left to do.
  if (const Tensor* weight = node.constant(0); weight && weight->dtype() == op->to)
    return node.emit_alias(node.input(0));
  node.emit(op, node.inputs());
}
void write_cast(const Cast& op, NodeWriter& node) {
  if (op.like) {
    node.begin("CastLike");
    return;
  }
  node.begin();
  node.set("to", int64_t{onnx_type(op.to)});
}

void read_cast_like(NodeReader& node) {
  auto op = std::make_shared<Cast>();
  op->like = true;
  node.emit(op, node.inputs());
}

void read_shape(NodeReader& node) {
  auto op = std::make_shared<ShapeOf>();
  op->start = node.integer("start", 0);
  op->end = node.integer("end", INT64_MAX);
  node.emit(op, node.inputs());
}
/// The product of the shape.
void read_size(NodeReader& node) {
  auto product = std::make_shared<Reduce>();
  product->kind = Reduce::Kind::prod;
  product->all_axes = true;
  product->keep_dims = false;
  node.emit(product, {node.emit_helper("shape", std::make_shared<ShapeOf>(), {node.input(0)})});
}

void write_shape(const ShapeOf& op, NodeWriter& node) {
  node.begin();
  if (op.start != 0) node.set("start", op.start);
  if (op.end != INT64_MAX) node.set("end", op.end);
}

}  // namespace

void map_movement(OpTable& table) {
  table.read("Transpose", read_transpose);
  table.read("Concat", read_concat);
  table.read("Slice", read_slice);
  table.read("Pad", read_pad);
  table.read("Gather", read_gather);
  table.plain<Expand>("Expand");
  table.read("Cast", read_cast);
  table.read("CastLike", read_cast_like);
  table.read("Shape", read_shape);
  table.read("Size", read_size);
  table.plain<Range>("Range");
  table.write<Transpose>(write_transpose);
  table.write<Concat>(write_concat);
  table.write<Slice>(write_slice);
  table.write<Pad>(write_pad);
  table.write<Gather>(write_gather);
  table.write<Cast>(write_cast);
  table.write<ShapeOf>(write_shape);
}

}  // namespace graft
