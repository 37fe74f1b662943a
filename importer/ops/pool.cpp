#include "runtime/ops/pool.h"

#include "importer/op_table.h"

namespace graft {
namespace {

Window2d pool_window(NodeReader& node) {
  if (node.integers("kernel_shape").size() != 2) throw Error("only 2-D pooling is supported");
  return node.window({});
}

void read_max(NodeReader& node) {
  if (node.output_count() > 1) throw Error("the indices output is not supported");
  auto op = std::make_shared<MaxPool>();
  op->window = pool_window(node);
  node.emit(op, node.inputs());
}

void read_average(NodeReader& node) {
  auto op = std::make_shared<AveragePool>();
  op->window = pool_window(node);
  op->count = node.integer("count_include_pad", 0) ? AveragePool::Count::padding_too : AveragePool::Count::picture_only;
  node.emit(op, node.inputs());
}

void write_max(const MaxPool& op, NodeWriter& node) {
  node.begin();
  node.set_window(op.window, true);
}

void write_average(const AveragePool& op, NodeWriter& node) {
  node.begin();
  node.set_window(op.window, true);
  if (op.count == AveragePool::Count::padding_too) node.set("count_include_pad", int64_t{1});
}

}  // namespace

void map_pool(OpTable& table) {
  table.read("MaxPool", read_max);
  table.read("AveragePool", read_average);
  table.write<MaxPool>(write_max);
  table.write<AveragePool>(write_average);
}

}  // namespace graft
