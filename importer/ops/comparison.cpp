#include "runtime/ops/comparison.h"

#include "importer/op_table.h"

namespace graft {
namespace {

template <Comparison::Kind kind>
void read(NodeReader& node) {
  node.emit(make_comparison(kind), node.inputs());
}

template <Predicate::Kind kind>
void read_predicate(NodeReader& node) {
  auto op = std::make_shared<Predicate>();
  op->kind = kind;
  op->positive = node.integer("detect_positive", 1) != 0;
  op->negative = node.integer("detect_negative", 1) != 0;
  node.emit(op, node.inputs());
}

void write(const Comparison&, NodeWriter& node) { node.begin(); }

void write_predicate(const Predicate& op, NodeWriter& node) {
  node.begin();
  if (!op.positive) node.set("detect_positive", int64_t{0});
  if (!op.negative) node.set("detect_negative", int64_t{0});
}

}  // namespace

void map_comparison(OpTable& table) {
  using K = Comparison::Kind;
  table.read("Equal", read<K::equal>);
  table.read("Greater", read<K::greater>);
  table.read("GreaterOrEqual", read<K::greater_or_equal>);
  table.read("Less", read<K::less>);
  table.read("LessOrEqual", read<K::less_or_equal>);
  table.read("And", read<K::logical_and>);
  table.read("Or", read<K::logical_or>);
  table.read("Xor", read<K::logical_xor>);
  table.read("Not", read_predicate<Predicate::Kind::logical_not>);
  table.read("IsNaN", read_predicate<Predicate::Kind::is_nan>);
  table.read("IsInf", read_predicate<Predicate::Kind::is_inf>);
  table.plain<Where>("Where");
  table.write<Comparison>(write);
  table.write<Predicate>(write_predicate);
}

}  // namespace graft
