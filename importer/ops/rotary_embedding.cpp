#include "runtime/ops/rotary_embedding.h"

#include "importer/op_table.h"

namespace graft {
namespace {

std::shared_ptr<RotaryEmbedding> described(NodeReader& node) {
  auto op = std::make_shared<RotaryEmbedding>();
  op->width = node.integer("rotary_embedding_dim", 0);
  op->heads = node.integer("num_heads", 0);
  op->interleaved = node.integer("interleaved", 0) != 0;
  return op;
}

void read(NodeReader& node) {
  std::vector<ValueId> inputs{node.input(0), node.input(1), node.input(2)};
  if (node.has_input(3)) inputs.push_back(node.input(3));
  node.emit(described(node), inputs);
}

/// Positions come before the tables there.
void read_microsoft(NodeReader& node) {
  if (node.real("scale", 1.0f) != 1.0f) throw Error("scaled rotations are not supported", {}, ErrorCode::unsupported);
  if (node.integer("is_packed_batching", 0) != 0)
    throw Error("packed batches are not supported", {}, ErrorCode::unsupported);
  auto op = described(node);
  if (const Shape cosines = node.shape(2);
      op->heads == 0 && cosines.rank() == 2 && cosines[1] > 0 && node.shape(0).rank() == 3)
    op->heads = node.shape(0)[2] / (2 * cosines.back());
  node.emit(op, {node.input(0), node.input(2), node.input(3), node.input(1)});
}

}  // namespace

// Opset 17, which is written, has no such operator: what it stands for is written.
void map_rotary_embedding(OpTable& table) {
  table.read("RotaryEmbedding", read);
  table.read("com.microsoft.RotaryEmbedding", read_microsoft);
}

}  // namespace graft
