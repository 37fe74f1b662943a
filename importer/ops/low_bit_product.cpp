// com.microsoft.MatMulNBits: products with weights of 2, 4 or 8 bits, as ONNX Runtime's weight-only quantisers write
// them. The weights become floats when they are read.
#include "importer/spelling.h"

namespace graft {
namespace {

/// Numbers of `bits` bits, the lowest bits of a byte first.
int64_t unpacked(std::span<const uint8_t> bytes, int64_t i, int64_t bits) {
  const int64_t per_byte = 8 / bits;
  return bytes[static_cast<size_t>(i / per_byte)] >> (i % per_byte * bits) & ((1 << bits) - 1);
}

const Tensor& known(NodeReader& node, size_t i, const char* what) {
  const Tensor* tensor = node.has_input(i) ? node.constant(i) : nullptr;
  if (!tensor) throw Error(std::string(what) + " must be constant");
  return *tensor;
}

/// B (N × blocks × bytes) as a matrix of K×N: (number - zero point)·scale, one of each for every block of K.
Tensor dequantised(NodeReader& node, int64_t rows, int64_t columns) {
  const int64_t bits = node.integer("bits", 4), block = node.integer("block_size", 0);
  constexpr int64_t kLargestBlock = 1 << 16;
  if ((bits != 2 && bits != 4 && bits != 8) || block < 16 || block > kLargestBlock || (block & (block - 1)) != 0)
    throw Error(
        "weights of " + std::to_string(bits) + " bits in blocks of " + std::to_string(block) + " are not supported", {},
        ErrorCode::unsupported);
  constexpr int64_t kLargest = int64_t{1} << 28;
  if (rows < 1 || columns < 1 || rows > kLargest / columns)
    throw Error("a weight of " + std::to_string(rows) + "x" + std::to_string(columns) + " has no sense");
  const int64_t blocks = (rows + block - 1) / block, block_bytes = block * bits / 8;
  const int64_t zero_row = (blocks * bits + 7) / 8;  // bytes of one column's zero points
  const Tensor &packed = known(node, 1, "the weight"), &scales = known(node, 2, "the scales");
  const Tensor* zeros = node.has_input(3) ? &known(node, 3, "the zero points") : nullptr;
  if (packed.dtype() != DType::u8 || packed.elements() != columns * blocks * block_bytes ||
      scales.dtype() != DType::f32 || scales.elements() != columns * blocks)
    throw Error("a weight of " + packed.shape().str() + " and scales of " + scales.shape().str() + " do not fit K " +
                std::to_string(rows) + ", N " + std::to_string(columns) + " in blocks of " + std::to_string(block));
  const bool float_zeros = zeros && zeros->dtype() == DType::f32;
  if (zeros && zeros->elements() != (float_zeros ? columns * blocks : columns * zero_row))
    throw Error("zero points of " + zeros->shape().str() + " do not fit");
  if (zeros && !float_zeros && zeros->dtype() != DType::u8)
    throw Error(std::string("zero points are ") + name_of(zeros->dtype()));
  const auto zero_of = [&](int64_t column, int64_t at) {
    if (!zeros) return static_cast<float>(1 << (bits - 1));
    if (float_zeros) return zeros->data<float>()[static_cast<size_t>(column * blocks + at)];
    return static_cast<float>(
        unpacked(zeros->data<uint8_t>().subspan(static_cast<size_t>(column * zero_row)), at, bits));
  };
  Tensor weight(DType::f32, {rows, columns});
  float* to = weight.data<float>().data();
  for (int64_t column = 0; column < columns; ++column)
    for (int64_t at = 0; at < blocks; ++at) {
      const float scale = scales.data<float>()[static_cast<size_t>(column * blocks + at)], zero = zero_of(column, at);
      const auto bytes = packed.data<uint8_t>().subspan(static_cast<size_t>((column * blocks + at) * block_bytes));
      for (int64_t i = 0; i < std::min(block, rows - at * block); ++i)
        to[(at * block + i) * columns + column] = (static_cast<float>(unpacked(bytes, i, bits)) - zero) * scale;
    }
  return weight;
}

void read(NodeReader& node) {
  if (node.has_input(4)) throw Error("reordered weights (g_idx) are not supported", {}, ErrorCode::unsupported);
  Spelling spell(node);
  const std::string weight = spell.constant("weight", dequantised(node, node.integer("K", 0), node.integer("N", 0)));
  if (!node.has_input(5)) return spell.give("MatMul", {spell.input(0), weight});
  spell.give("Add", {spell.add("MatMul", "product", {spell.input(0), weight}), spell.input(5)});
}

}  // namespace

void map_low_bit_product(OpTable& table) { table.read("com.microsoft.MatMulNBits", read); }

}  // namespace graft
