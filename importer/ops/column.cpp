#include "runtime/ops/column.h"

#include "importer/op_table.h"

namespace graft {

void map_column(OpTable& table) {
  table.read("Col2Im", [](NodeReader& node) {
    auto op = std::make_shared<ColumnsToImage>();
    op->window = node.window({});
    node.emit(op, node.inputs());
  });
}

}  // namespace graft
