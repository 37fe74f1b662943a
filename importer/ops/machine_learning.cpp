// ai.onnx.ml: what converters from other tools put around a network. Labels at its end are read by label_tail.h.
#include "importer/spelling.h"

namespace graft {
namespace {

/// (x - offset)·scale
void read_scaler(NodeReader& node) {
  Spelling spell(node);
  const auto numbers = [&](const char* name) {
    const auto values = node.reals(name);
    return spell.constant(name, Tensor::copy_of<float>({static_cast<int64_t>(values.size())}, values));
  };
  const std::string centred =
      node.has("offset") ? spell.add("Sub", "centred", {spell.input(0), numbers("offset")}) : spell.input(0);
  if (!node.has("scale")) return spell.give("Identity", {centred});
  spell.give("Mul", {centred, numbers("scale")});
}

/// Rows divided by their largest element or their norm.
void read_normalizer(NodeReader& node) {
  Spelling spell(node);
  const std::string norm = node.text("norm", "MAX");
  const char* type = norm == "MAX" ? "ReduceMax" : norm == "L1" ? "ReduceL1" : norm == "L2" ? "ReduceL2" : nullptr;
  if (!type) throw Error("norm \"" + norm + "\" is unknown");
  const std::string size = spell.add(type, "norm", {spell.input(0)}, {attribute("axes", std::vector<int64_t>{-1})});
  spell.give("Div", {spell.input(0), size});
}

}  // namespace

void map_machine_learning(OpTable& table) {
  table.read("ai.onnx.ml.Scaler", read_scaler);
  table.read("ai.onnx.ml.Normalizer", read_normalizer);
}

}  // namespace graft
