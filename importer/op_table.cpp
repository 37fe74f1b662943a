#include "importer/op_table.h"

namespace graft {

// One line for each file of importer/ops.
void map_arithmetic(OpTable& table);
void map_batch_norm(OpTable& table);
void map_comparison(OpTable& table);
void map_constant(OpTable& table);
void map_conv_transpose(OpTable& table);
void map_convolution(OpTable& table);
void map_dropout(OpTable& table);
void map_gemm(OpTable& table);
void map_lrn(OpTable& table);
void map_movement(OpTable& table);
void map_normalise(OpTable& table);
void map_pool(OpTable& table);
void map_prelu(OpTable& table);
void map_quantise(OpTable& table);
void map_rearrange(OpTable& table);
void map_reduce(OpTable& table);
void map_reshape(OpTable& table);
void map_resize(OpTable& table);
void map_selection(OpTable& table);
void map_softmax(OpTable& table);
void map_unary(OpTable& table);

const OpTable& op_table() {
  static const OpTable table = [] {
    OpTable t;
    map_arithmetic(t);
    map_batch_norm(t);
    map_comparison(t);
    map_constant(t);
    map_conv_transpose(t);
    map_convolution(t);
    map_dropout(t);
    map_gemm(t);
    map_lrn(t);
    map_movement(t);
    map_normalise(t);
    map_pool(t);
    map_prelu(t);
    map_quantise(t);
    map_rearrange(t);
    map_reduce(t);
    map_reshape(t);
    map_resize(t);
    map_selection(t);
    map_softmax(t);
    map_unary(t);
    return t;
  }();
  return table;
}

}  // namespace graft
