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

/// Reads a pool over three dimensions; false where it is none.
bool read_3d(NodeReader& node, VolumePool pool) {
  if (node.integers("kernel_shape").size() != 3) return false;
  pool.depth = node.window({}, 3, 0, 3);
  pool.plane = node.window({}, 3, 1, 2);
  node.emit(std::make_shared<VolumePool>(pool), node.inputs());
  return true;
}

void read_max(NodeReader& node) {
  if (read_1d(node, "MaxPool")) return;
  if (!node.output_is_read(1) && read_3d(node, {})) return;
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
  const auto count =
      node.integer("count_include_pad", 0) ? AveragePool::Count::padding_too : AveragePool::Count::picture_only;
  VolumePool volume;
  volume.largest = false;
  volume.count = count;
  if (read_1d(node, "AveragePool") || read_3d(node, volume)) return;
  auto op = std::make_shared<AveragePool>();
  op->window = pool_window(node);
  op->count = count;
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
