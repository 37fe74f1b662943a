#include "runtime/ops/scatter.h"

#include <algorithm>
#include <array>

#include "importer/op_table.h"

namespace graft {
namespace {

constexpr std::array kReductions{"none", "add", "mul", "max", "min"};  // by Scatter::Reduction

std::shared_ptr<Scatter> scatter_of(NodeReader& node, Scatter::Of of) {
  auto op = std::make_shared<Scatter>();
  const std::string reduction = node.text("reduction", "none");
  const auto known = std::find(kReductions.begin(), kReductions.end(), reduction);
  if (known == kReductions.end()) throw Error("reduction \"" + reduction + "\" is unknown");
  op->reduction = static_cast<Scatter::Reduction>(known - kReductions.begin());
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
  if (op.reduction > Scatter::Reduction::mul) throw Error("the largest and the smallest are younger than opset 17");
  if (op.reduction != Scatter::Reduction::none) node.set("reduction", kReductions[static_cast<size_t>(op.reduction)]);
}

}  // namespace

void map_scatter(OpTable& table) {
  table.read("ScatterND", read<Scatter::Of::slices>);
  table.read("ScatterElements", read<Scatter::Of::elements>);
  table.read("Scatter", read<Scatter::Of::elements>);  // its name up to opset 10
  table.write<Scatter>(write);
}

}  // namespace graft
