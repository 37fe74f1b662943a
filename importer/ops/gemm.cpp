#include "runtime/ops/gemm.h"

#include "importer/op_table.h"

namespace graft {
namespace {

void read_gemm(NodeReader& node) {
  auto op = std::make_shared<Gemm>();
  op->alpha = node.real("alpha", 1);
  op->beta = node.real("beta", 1);
  op->transpose_a = node.integer("transA", 0) ? Transpose2d::yes : Transpose2d::no;
  op->transpose_b = node.integer("transB", 0) ? Transpose2d::yes : Transpose2d::no;
  node.emit(op, node.inputs());
}

void write_gemm(const Gemm& op, NodeWriter& node) {
  if (!op.tail.empty()) throw Error("a fused dense layer has no ONNX form");
  node.begin();
  if (op.alpha != 1) node.set("alpha", op.alpha);
  if (op.beta != 1) node.set("beta", op.beta);
  if (op.transpose_a == Transpose2d::yes) node.set("transA", int64_t{1});
  if (op.transpose_b == Transpose2d::yes) node.set("transB", int64_t{1});
}

void read_matmul(NodeReader& node) { node.emit(std::make_shared<MatMul>(), node.inputs()); }
void write_matmul(const MatMul&, NodeWriter& node) { node.begin(); }

}  // namespace

void map_gemm(OpTable& table) {
  table.read("Gemm", read_gemm);
  table.read("MatMul", read_matmul);
  table.write<Gemm>(write_gemm);
  table.write<MatMul>(write_matmul);
}

}  // namespace graft
