#include "runtime/ops/prelu.h"

#include "importer/op_table.h"

namespace graft {
namespace {

void read(NodeReader& node) { node.emit(std::make_shared<PRelu>(), node.inputs()); }
void write(const PRelu&, NodeWriter& node) { node.begin(); }

}  // namespace

void map_prelu(OpTable& table) {
  table.read("PRelu", read);
  table.write<PRelu>(write);
}

}  // namespace graft
