#include "importer/op_table.h"

namespace graft {

// One line for each file of importer/ops.
void map_arithmetic(OpTable& table);
void map_batch_norm(OpTable& table);
void map_constant(OpTable& table);
void map_convolution(OpTable& table);
void map_dropout(OpTable& table);
void map_gemm(OpTable& table);
void map_lrn(OpTable& table);
void map_movement(OpTable& table);
void map_pool(OpTable& table);
void map_reduce(OpTable& table);
void map_reshape(OpTable& table);
void map_softmax(OpTable& table);
void map_unary(OpTable& table);

const OpTable& op_table() {
  static const OpTable table = [] {
    OpTable t;
    map_arithmetic(t);
    map_batch_norm(t);
    map_constant(t);
    map_convolution(t);
    map_dropout(t);
    map_gemm(t);
    map_lrn(t);
    map_movement(t);
    map_pool(t);
    map_reduce(t);
    map_reshape(t);
    map_softmax(t);
    map_unary(t);
    return t;
  }();
  return table;
}

}  // namespace graft
