#include "runtime/ops/attention.h"

#include "importer/op_table.h"

namespace graft {
namespace {

/// The written opset lacks it: the writer spells out what it stands for.
void read(NodeReader& node) {
  for (size_t i = 4; i < node.input_count(); ++i)
    if (node.has_input(i))
      throw Error("takes keys and values of earlier passes, or their count",
                  "export the model without a cache of keys and values");
  for (size_t i = 1; i < node.output_count(); ++i)
    if (node.output_is_read(i)) throw Error("only the first output is supported");
  auto op = std::make_shared<Attention>();
  op->heads = node.integer("q_num_heads", 0);
  op->key_heads = node.integer("kv_num_heads", 0);
  op->scale = node.real("scale", 0);
  op->softcap = node.real("softcap", 0);
  op->causal = node.integer("is_causal", 0) != 0;
  node.emit(op, node.inputs());
}

}  // namespace

void map_attention(OpTable& table) { table.read("Attention", read); }

}  // namespace graft
