#include "runtime/ops/reduce.h"

#include "importer/op_table.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/reshape.h"
#include "runtime/ops/unary.h"

namespace graft {
namespace {

/// Over no axis at all each element is reduced by itself: a norm is its magnitude.
void reduce_each(NodeReader& node, Reduce::Kind kind) {
  const ValueId x = node.input(0);
  switch (kind) {
    case Reduce::Kind::l1:
    case Reduce::Kind::l2:
      return node.emit(make_unary(Unary::Kind::abs), {x});
    case Reduce::Kind::sum_square:
      return node.emit(make_binary(Binary::Kind::mul), {x, x});
    case Reduce::Kind::log_sum:
      return node.emit(make_unary(Unary::Kind::log), {x});
    default:
      return node.emit(std::make_shared<Identity>(), {x});
  }
}

template <Reduce::Kind kind>
void read(NodeReader& node) {
  auto op = std::make_shared<Reduce>();
  op->kind = kind;
  op->keep_dims = node.integer("keepdims", 1) != 0;
  op->axes = node.integers("axes");
  op->none_means_none = node.integer("noop_with_empty_axes", 0) != 0;
  if (const Tensor* axes = node.constant(1))
    op->axes = to_int64s(*axes);
  else if (node.has_input(1))
    return node.emit(op, {node.input(0), node.input(1)});
  if (op->axes.empty()) {
    if (op->none_means_none) return reduce_each(node, kind);
    op->all_axes = true;
  }
  node.emit(op, {node.input(0)});
}

template <Reduce::Kind kind>
void read_global(NodeReader& node) {
  auto op = std::make_shared<Reduce>();
  op->kind = kind;
  op->global_pool = true;
  node.emit(op, node.inputs());
}

void write(const Reduce& op, NodeWriter& node) {
  if (op.axes.empty() && !op.all_axes && !op.global_pool) throw Error("computed axes have no ONNX form at opset 17");
  node.begin();
  if (op.global_pool) return;
  if (!op.all_axes) {
    // Up to opset 17 only ReduceSum takes its axes as an input.
    if (op.kind == Reduce::Kind::sum)
      node.add_input("axes", op.axes);
    else
      node.set("axes", op.axes);
  }
  node.set("keepdims", int64_t{op.keep_dims});
}

}  // namespace

void map_reduce(OpTable& table) {
  using K = Reduce::Kind;
  table.read("ReduceMean", read<K::mean>);
  table.read("ReduceSum", read<K::sum>);
  table.read("ReduceMax", read<K::max>);
  table.read("ReduceMin", read<K::min>);
  table.read("ReduceProd", read<K::prod>);
  table.read("ReduceSumSquare", read<K::sum_square>);
  table.read("ReduceL1", read<K::l1>);
  table.read("ReduceL2", read<K::l2>);
  table.read("ReduceLogSum", read<K::log_sum>);
  table.read("ReduceLogSumExp", read<K::log_sum_exp>);
  table.read("GlobalAveragePool", read_global<K::mean>);
  table.read("GlobalMaxPool", read_global<K::max>);
  table.write<Reduce>(write);
}

}  // namespace graft
