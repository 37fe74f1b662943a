#include "runtime/ops/reshape.h"

#include "importer/op_table.h"

namespace graft {
namespace {

void read_reshape(NodeReader& node) {
  auto op = std::make_shared<Reshape>();
  op->allow_zero = node.integer("allowzero", 0) != 0;
  node.emit(op, node.inputs());
}

void read_flatten(NodeReader& node) {
  auto op = std::make_shared<Flatten>();
  op->axis = node.integer("axis", 1);
  node.emit(op, node.inputs());
}

template <typename Op>
void read_axes(NodeReader& node) {
  auto op = std::make_shared<Op>();
  op->axes = node.integers("axes");
  node.emit(op, node.inputs());
}

/// Exporters write constants of equal content once and name the others by an Identity: each gets its own, as layers
/// that begin alike need not stay so.
void read_identity(NodeReader& node) {
  if (const auto* sequence = node.has_input(0) ? node.scope().find_sequence(node.input_name(0)) : nullptr)
    return node.scope().define_sequence(node.output_name(0), *sequence);
  if (const Tensor* shared = node.constant(0)) return node.emit_constant(shared->clone());
  node.emit(std::make_shared<Identity>(), node.inputs());
}

void write_reshape(const Reshape& op, NodeWriter& node) {
  node.begin();
  if (op.allow_zero) node.set("allowzero", int64_t{1});
}

void write_reshape_to(const ReshapeTo& op, NodeWriter& node) {
  std::vector<int64_t> target = op.target;
  if (!target.empty()) target[0] = -1;  // the batch
  node.begin("Reshape");
  node.add_input("shape", target);
}

void write_flatten(const Flatten& op, NodeWriter& node) {
  node.begin();
  node.set("axis", op.axis);
}

template <typename Op>
void write_axes(const Op& op, NodeWriter& node) {
  node.begin();
  if (node.node().inputs.size() < 2 && !op.axes.empty()) node.add_input("axes", op.axes);
}

void write_identity(const Identity&, NodeWriter& node) { node.begin(); }

}  // namespace

void map_reshape(OpTable& table) {
  table.read("Reshape", read_reshape);
  table.read("Flatten", read_flatten);
  table.read("Squeeze", read_axes<Squeeze>);
  table.read("Unsqueeze", read_axes<Unsqueeze>);
  table.read("Identity", read_identity);
  table.write<Reshape>(write_reshape);
  table.write<ReshapeTo>(write_reshape_to);
  table.write<Flatten>(write_flatten);
  table.write<Squeeze>(write_axes<Squeeze>);
  table.write<Unsqueeze>(write_axes<Unsqueeze>);
  table.write<Identity>(write_identity);
}

}  // namespace graft
