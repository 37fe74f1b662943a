#include "runtime/ops/selection.h"

#include "importer/op_table.h"

namespace graft {
namespace {

template <bool largest>
void read_extreme(NodeReader& node) {
  auto op = std::make_shared<ArgExtreme>();
  op->largest = largest;
  op->axis = node.integer("axis", 0);
  op->keep_dims = node.integer("keepdims", 1) != 0;
  op->last = node.integer("select_last_index", 0) != 0;
  node.emit(op, node.inputs());
}
void write_extreme(const ArgExtreme& op, NodeWriter& node) {
  node.begin();
  node.set("axis", op.axis);
  node.set("keepdims", int64_t{op.keep_dims});
  if (op.last) node.set("select_last_index", int64_t{1});
}

void read_hardmax(NodeReader& node) {
  auto op = std::make_shared<Hardmax>();
  op->flatten = node.opset() < 13;
  op->axis = node.integer("axis", op->flatten ? 1 : -1);
  node.emit(op, node.inputs());
}
void write_hardmax(const Hardmax& op, NodeWriter& node) {
  if (op.flatten && op.axis != node.input_shape(0).rank() - 1)
    throw Error("a Hardmax over several dimensions cannot be written at opset 17");
  node.begin();
  node.set("axis", op.axis);
}

void read_top_k(NodeReader& node) {
  auto op = std::make_shared<TopK>();
  op->axis = node.integer("axis", -1);
  op->largest = node.integer("largest", 1) != 0;
  op->k = node.integer("k", 0);
  node.emit(op, node.inputs(), 2);
}
void write_top_k(const TopK& op, NodeWriter& node) {
  node.begin();
  if (node.node().inputs.size() < 2) node.add_input("k", {op.k});
  node.set("axis", op.axis);
  node.set("largest", int64_t{op.largest});
}

void read_cum_sum(NodeReader& node) {
  auto op = std::make_shared<CumSum>();
  op->exclusive = node.integer("exclusive", 0) != 0;
  op->reverse = node.integer("reverse", 0) != 0;
  node.emit(op, node.inputs());
}
void write_cum_sum(const CumSum& op, NodeWriter& node) {
  node.begin();
  node.set("exclusive", int64_t{op.exclusive});
  node.set("reverse", int64_t{op.reverse});
}

}  // namespace

void map_selection(OpTable& table) {
  table.read("ArgMax", read_extreme<true>);
  table.read("ArgMin", read_extreme<false>);
  table.read("Hardmax", read_hardmax);
  table.read("TopK", read_top_k);
  table.read("CumSum", read_cum_sum);
  table.write<ArgExtreme>(write_extreme);
  table.write<Hardmax>(write_hardmax);
  table.write<TopK>(write_top_k);
  table.write<CumSum>(write_cum_sum);
}

}  // namespace graft
