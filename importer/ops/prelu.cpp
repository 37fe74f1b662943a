#include "runtime/ops/prelu.h"

#include "importer/op_table.h"

namespace graft {

void map_prelu(OpTable& table) { table.plain<PRelu>("PRelu"); }

}  // namespace graft
