#include "runtime/ops/scatter.h"

#include "importer/op_table.h"

namespace graft {
namespace {

std::shared_ptr<Scatter> scatter_of(NodeReader& node, Scatter::Of of) {
  if (const std::string reduction = node.text("reduction", "none"); reduction != "none")
    throw Error("reduction \"" + reduction + "\" is not supported");
  auto op = std::make_shared<Scatter>();
  op->of = of;
  op->axis = node.integer("axis", 0);
  return op;
}

template <Scatter::Of of>
void read(NodeReader& node) {
  node.emit(scatter_of(node, of), node.inputs());
}

void write(const Scatter& op, NodeWriter& node) {
  node.begin();
  if (op.of == Scatter::Of::elements) node.set("axis", op.axis);
}

}  // namespace

void map_scatter(OpTable& table) {
  table.read("ScatterND", read<Scatter::Of::slices>);
  table.read("ScatterElements", read<Scatter::Of::elements>);
  table.read("Scatter", read<Scatter::Of::elements>);  // its name up to opset 10
  table.write<Scatter>(write);
}

}  // namespace graft
