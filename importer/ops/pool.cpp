#include "runtime/ops/pool.h"

#include "importer/op_table.h"
#include "importer/spelling.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/reduce.h"
#include "runtime/ops/unary.h"
#include "runtime/ops/volume_pool.h"

namespace graft {
namespace {

Window2d pool_window(NodeReader& node) {
  if (node.integers("kernel_shape").size() != 2) throw Error("only pooling over one to three dimensions is supported");
  return node.window({});
}

/// Reads a pool over one dimension as one over two of which the first has extent 1; false where it is none.
bool read_1d(NodeReader& node, const char* type) {
  if (node.integers("kernel_shape").size() != 1) return false;
  Spelling spell(node);
  const std::string rows = spell.integers("rows", {2});
  const std::string wide = spell.add("Unsqueeze", "wide", {spell.input(0), rows});
  Spelling::Attributes attributes = spell.wide_window();
  for (const auto& a : spell.own({"p"})) attributes.push_back(a);
  spell.give("Squeeze", {spell.add(type, "pool", {wide}, attributes), rows});
  return true;
}

/// Of three numbers, or of befores and afters of three dimensions, those of one.
void take_dimension(const NodeReader& node, const char* name, size_t d, int64_t& value) {
  const auto values = node.integers(name);
  if (values.empty()) return;
  if (values.size() != 3) throw Error(std::string(name) + " does not have three entries");
  value = values[d];
}

/// Reads a pool over three dimensions; false where it is none.
bool read_3d(NodeReader& node, VolumePool::Kind kind) {
  if (node.integers("kernel_shape").size() != 3) return false;
  auto op = std::make_shared<VolumePool>();
  op->kind = kind;
  const auto pads = node.integers("pads");
  if (!pads.empty() && pads.size() != 6) throw Error("pads does not have six entries");
  const std::string automatic = node.text("auto_pad", "NOTSET");
  const auto describe = [&](size_t d, Window2d& window, bool high) {
    const auto side = [high](Extent2d& extent) -> int64_t& { return high ? extent.height : extent.width; };
    take_dimension(node, "kernel_shape", d, side(window.kernel));
    take_dimension(node, "strides", d, side(window.stride));
    take_dimension(node, "dilations", d, side(window.dilation));
    if (automatic == "SAME_UPPER" || automatic == "SAME_LOWER")
      window.auto_pad = automatic == "SAME_UPPER" ? AutoPad::same_upper : AutoPad::same_lower;
    else if (automatic != "NOTSET" && automatic != "VALID")
      throw Error("auto_pad \"" + automatic + "\" is unknown");
    else if (automatic == "NOTSET" && !pads.empty()) {
      (high ? window.padding.top : window.padding.left) = pads[d];
      (high ? window.padding.bottom : window.padding.right) = pads[d + 3];
    }
    if (node.integer("ceil_mode", 0) != 0) window.rounding = Rounding::ceil;
  };
  describe(0, op->depth, true);
  describe(1, op->plane, true);
  describe(2, op->plane, false);
  node.emit(op, node.inputs());
  return true;
}

void read_max(NodeReader& node) {
  if (read_1d(node, "MaxPool")) return;
  if (!node.output_is_read(1) && read_3d(node, VolumePool::Kind::max)) return;
  if (node.output_is_read(1)) throw Error("the indices output is not supported");
  auto op = std::make_shared<MaxPool>();
  op->window = pool_window(node);
  const DType dtype = node.graph().value(node.input(0)).dtype;
  if (dtype == DType::f32) return node.emit(op, node.inputs());
  // Bytes are exact in float32.
  if (dtype != DType::u8 && dtype != DType::i8)
    throw Error("the maximum of " + std::string(name_of(dtype)) + " is not supported");
  auto back = std::make_shared<Cast>();
  back->to = dtype;
  node.emit(back,
            {node.emit_helper("maximum", op, {node.emit_helper("float", std::make_shared<Cast>(), {node.input(0)})})});
}

void read_average(NodeReader& node) {
  const bool padding_too = node.integer("count_include_pad", 0) != 0;
  if (read_1d(node, "AveragePool") ||
      read_3d(node, padding_too ? VolumePool::Kind::average_with_padding : VolumePool::Kind::average_of_picture))
    return;
  auto op = std::make_shared<AveragePool>();
  op->window = pool_window(node);
  op->count = padding_too ? AveragePool::Count::padding_too : AveragePool::Count::picture_only;
  node.emit(op, node.inputs());
}

/// (Σ|x|ᵖ)^(1/p), from the functions and sums that graft has.
template <typename Sum>
void read_lp_sum(NodeReader& node, OperatorPtr absolute_sum, const Sum& sum) {
  const auto p = static_cast<float>(node.integer("p", 2));
  const ValueId magnitude = node.emit_helper("magnitude", make_unary(Unary::Kind::abs), {node.input(0)});
  if (p == 1.0f) return node.emit(absolute_sum, {magnitude});
  const auto number = [&](const char* name, float value) {
    return node.graph().add_constant(node.name() + name, Tensor::of<float>({}, {value}));
  };
  const ValueId power = node.emit_helper("power", make_binary(Binary::Kind::pow), {magnitude, number(":p", p)});
  node.emit(make_binary(Binary::Kind::pow), {sum(power), number(":root", 1.0f / p)});
}

void read_lp(NodeReader& node) {
  if (read_1d(node, "LpPool")) return;
  auto op = std::make_shared<AveragePool>();
  op->window = pool_window(node);
  op->count = AveragePool::Count::none;
  read_lp_sum(node, op, [&](ValueId power) { return node.emit_helper("sum", op, {power}); });
}

void read_global_lp(NodeReader& node) {
  auto op = std::make_shared<Reduce>();
  op->kind = Reduce::Kind::sum;
  op->axes = {2, 3};
  read_lp_sum(node, op, [&](ValueId power) { return node.emit_helper("sum", op, {power}); });
}

void write_max(const MaxPool& op, NodeWriter& node) {
  node.begin();
  node.set_window(op.window, true);
}

void write_average(const AveragePool& op, NodeWriter& node) {
  // What is only summed has been made positive before; so it is a pool of the first norm.
  node.begin(op.count == AveragePool::Count::none ? "LpPool" : "");
  if (op.count == AveragePool::Count::none) node.set("p", int64_t{1});
  node.set_window(op.window, true);
  if (op.count == AveragePool::Count::padding_too) node.set("count_include_pad", int64_t{1});
}

}  // namespace

void map_pool(OpTable& table) {
  table.read("MaxPool", read_max);
  table.read("AveragePool", read_average);
  table.read("LpPool", read_lp);
  table.read("GlobalLpPool", read_global_lp);
  table.write<MaxPool>(write_max);
  table.write<AveragePool>(write_average);
}

}  // namespace graft
