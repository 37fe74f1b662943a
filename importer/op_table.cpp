#include "importer/op_table.h"

namespace graft {

// One word for each file of importer/ops: NAME stands for map_NAME, which it defines.
#define GRAFT_OPERATOR_FILES(file)                                                                          \
  file(arithmetic) file(attention) file(batch_norm) file(comparison) file(constant) file(conv_transpose)    \
      file(convolution) file(dropout) file(einsum) file(gather_nd) file(gemm) file(lp_normalise) file(lrn)  \
          file(movement) file(normalise) file(pool) file(prelu) file(quantise) file(rearrange) file(reduce) \
              file(reshape) file(resize) file(selection) file(softmax) file(trilu) file(unary)

#define GRAFT_DECLARE(name) void map_##name(OpTable& table);
GRAFT_OPERATOR_FILES(GRAFT_DECLARE)
#undef GRAFT_DECLARE

const OpTable& op_table() {
  static const OpTable table = [] {
    OpTable t;
#define GRAFT_MAP(name) map_##name(t);
    GRAFT_OPERATOR_FILES(GRAFT_MAP)
#undef GRAFT_MAP
    return t;
  }();
  return table;
}

}  // namespace graft
