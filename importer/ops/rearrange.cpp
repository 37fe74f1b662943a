#include "runtime/ops/rearrange.h"

#include "importer/op_table.h"

namespace graft {
namespace {

void read_split(NodeReader& node) {
  SplitSlice part;
  part.axis = node.integer("axis", 0);
  part.count = static_cast<int64_t>(node.output_count());
  std::vector<int64_t> sizes = node.integers("split");
  if (const Tensor* given = node.constant(1)) sizes = to_int64s(*given);
  const std::vector<ValueId> inputs = sizes.empty() ? node.inputs() : std::vector{node.input(0)};
  int64_t first = 0;
  const int64_t all = sizes.empty() ? 0 : SplitSlice::piece(sizes, 0, part.count).of;
  for (; part.index < part.count; ++part.index) {
    if (!sizes.empty()) {
      const int64_t size = sizes[static_cast<size_t>(part.index)];
      part.known = SplitSlice::Range{first, size, all};
      first += size;
    }
    node.emit_output(static_cast<size_t>(part.index), std::make_shared<SplitSlice>(part), inputs);
  }
}

/// Each piece by itself: nodes of graft's graphs have them apart.
void write_split_slice(const SplitSlice& op, NodeWriter& node) {
  const Shape& x = node.input_shape(0);
  if (node.node().inputs.size() > 1 && !op.known) throw Error("pieces of computed sizes have no form of their own");
  const SplitSlice::Range range = op.range(x);
  node.begin("Slice", 1);
  node.add_input("starts", {range.first});
  node.add_input("ends", {range.first + range.count});
  node.add_input("axes", {op.axis});
}

void read_depth_to_space(NodeReader& node) {
  auto op = std::make_shared<DepthSpace>();
  op->block = node.integer("blocksize", 1);
  const std::string mode = node.text("mode", "DCR");
  if (mode != "DCR" && mode != "CRD") throw Error("mode \"" + mode + "\" is unknown");
  op->channel_first = mode == "CRD";
  node.emit(op, node.inputs());
}

void read_space_to_depth(NodeReader& node) {
  auto op = std::make_shared<DepthSpace>();
  op->to_depth = true;
  op->block = node.integer("blocksize", 1);
  node.emit(op, node.inputs());
}

void write_depth_space(const DepthSpace& op, NodeWriter& node) {
  if (op.to_depth && op.channel_first) throw Error("SpaceToDepth with channels first has no ONNX form");
  node.begin();
  node.set("blocksize", op.block);
  if (!op.to_depth) node.set("mode", op.channel_first ? "CRD" : "DCR");
}

}  // namespace

void map_rearrange(OpTable& table) {
  table.read("Split", read_split);
  table.plain<Tile>("Tile");
  table.read("DepthToSpace", read_depth_to_space);
  table.read("SpaceToDepth", read_space_to_depth);
  table.write<SplitSlice>(write_split_slice);
  table.write<DepthSpace>(write_depth_space);
}

}  // namespace graft
