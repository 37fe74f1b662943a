#include "importer/op_table.h"

#include "importer/functions.h"

namespace graft {

std::string operator_name(const onnx::NodeProto& node) {
  return is_own_operator(node) ? node.op_type() : node.domain() + "." + node.op_type();
}

// One word for each file of importer/ops: NAME stands for map_NAME, which it defines.
#define GRAFT_OPERATOR_FILES(file)                                                                                    \
  file(affine_grid) file(arithmetic) file(attention) file(batch_norm) file(center_crop_pad) file(column)              \
      file(comparison) file(constant) file(conv_transpose) file(convolution) file(deform_convolution) file(dropout)   \
          file(einsum) file(gather_elements) file(gather_nd) file(gemm) file(grid_sample) file(low_bit_product)       \
              file(linear_model) file(lp_normalise) file(lrn) file(machine_learning) file(microsoft) file(movement)   \
                  file(normalise) file(of_shapes) file(one_hot) file(pool) file(prelu) file(quantise)                 \
                      file(quantised_forms) file(rearrange) file(recurrent) file(reduce) file(reshape) file(resize)   \
                          file(reverse_sequence) file(rotary_embedding) file(scatter) file(selection) file(sequences) \
                              file(softmax) file(trilu) file(unary)

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
