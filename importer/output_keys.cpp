#include "importer/output_keys.h"

#include <algorithm>

#include "importer/op_table.h"
#include "runtime/core/error.h"
#include "runtime/ops/reduce.h"

namespace graft {
namespace {

ContentKey constant_key(const Tensor& constant) {
  ContentHasher hasher;
  hasher.add(std::string_view("constant")).add(static_cast<int>(constant.dtype()));
  for (const int64_t extent : constant.shape()) hasher.add(extent);
  return hasher.add(constant.bytes()).bytes(constant.raw(), constant.bytes()).key();
}

/// Whether an operator may join the pictures of a batch, so that a row is no affair of its own picture.
bool joins_pictures(const Graph& graph, const Node& node) {
  const auto* reduce = dynamic_cast<const Reduce*>(node.op.get());
  if (!reduce || reduce->global_pool) return false;
  const int64_t rank = graph.value(node.inputs[0]).shape.rank();
  return reduce->all_axes || reduce->axes.empty() ||
         std::any_of(reduce->axes.begin(), reduce->axes.end(),
                     [&](int64_t axis) { return axis == 0 || axis == -rank; });
}

/// Adds an operator as ONNX has it, which may take several nodes and tables; false where it has no such form.
bool add_operator(const Graph& graph, const Node& node, ContentHasher& hasher) {
  const auto* write = op_table().writer(*node.op);
  if (!write || joins_pictures(graph, node)) return false;
  onnx::GraphProto proto;
  try {
    NodeWriter writer(graph, node, proto);
    (*write)(*node.op, writer);
  } catch (const Error&) {
    return false;
  }
  hasher.add(node.op->type()).add(proto.node_size());
  for (const auto& written : proto.node()) {
    hasher.add(std::string_view(written.op_type())).add(std::string_view(written.domain()));
    for (const auto& attribute : written.attribute()) hasher.add(std::string_view(attribute.SerializeAsString()));
  }
  for (auto table : proto.initializer()) {
    table.clear_name();
    hasher.add(std::string_view(table.SerializeAsString()));
  }
  return true;
}

}  // namespace

std::vector<std::optional<ContentKey>> output_keys(const Graph& graph) {
  const auto producers = graph.producers();
  std::vector<bool> needed(graph.nodes.size(), false);
  const auto need = [&](ValueId id) {
    if (id == kNoValue) return;
    if (const auto at = producers[static_cast<size_t>(id)]; at >= 0) needed[static_cast<size_t>(at)] = true;
  };
  for (const ValueId id : graph.outputs) need(id);
  for (size_t n = graph.nodes.size(); n-- > 0;)
    if (needed[n])
      for (const ValueId id : graph.nodes[n].inputs) need(id);

  std::vector<std::optional<ContentKey>> keys(producers.size());
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const ValueId id = graph.inputs[i];
    keys[static_cast<size_t>(id)] =
        ContentHasher().add(std::string_view("input")).add(i).add(static_cast<int>(graph.value(id).dtype)).key();
  }
  const auto key_of = [&](ValueId id) {
    std::optional<ContentKey>& key = keys[static_cast<size_t>(id)];
    if (!key && graph.value(id).constant) key = constant_key(*graph.value(id).constant);
    return key;
  };
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!needed[n]) continue;
    const Node& node = graph.nodes[n];
    ContentHasher hasher;
    bool known = add_operator(graph, node, hasher);
    for (const ValueId id : node.inputs) {
      const std::optional<ContentKey> key = id == kNoValue ? ContentKey{} : key_of(id);
      known = known && key;
      if (known) hasher.add(*key);
    }
    if (!known) continue;
    for (size_t o = 0; o < node.outputs.size(); ++o)
      keys[static_cast<size_t>(node.outputs[o])] = ContentHasher().add(hasher.key()).add(o).key();
  }
  std::vector<std::optional<ContentKey>> result;
  for (const ValueId id : graph.outputs) result.push_back(key_of(id));
  return result;
}

}  // namespace graft
