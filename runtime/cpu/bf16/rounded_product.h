#pragma once

#include <functional>
#include <vector>

#include "runtime/cpu/dot_product.h"
#include "runtime/cpu/packed_weights.h"
#include "runtime/cpu/vector/bf16_kernels.h"
#include "runtime/ops/convolution.h"

namespace graft::cpu::bf16 {

/// A product of bfloat16 rows with weights that are float32 in the graph and rounded where they are packed.
class RoundedProduct {
 public:
  using Product = PackedDotProduct<Bf16Tail>;
  using Rows = Product::Rows;
  static constexpr int64_t kBytes = 2;

  /// `pack(product, w, packed)` writes what Product::pack would.
  using Pack = std::function<void(const Product& product, const float* w, std::byte* packed)>;
  RoundedProduct(int64_t rows, int64_t depth, int64_t columns, const Operand& weights, Pack pack)
      : product_(bf16_kernels()->tiles, kBytes, rows, depth, columns),
        weights_(weights, static_cast<int64_t>(product_.packed_bytes() / sizeof(float)),
                 [product = product_, pack = std::move(pack)](const float* w, float* packed) {
                   pack(product, w, reinterpret_cast<std::byte*>(packed));
                 }) {}

  /// A Pack of `line(w, n, buffer)`: where the depth floats lie that column n multiplies, which may be written to
  /// `buffer`.
  template <typename Line>
  static Pack by_lines(const Line& line) {
    return [line](const Product& product, const float* w, std::byte* packed) {
      const int64_t depth = product.depth();
      product.pack(
          [&](int64_t n, std::byte* to) {
            // Weights that train are packed at each run, which is not to allocate.
            thread_local std::vector<float> buffer;
            buffer.resize(static_cast<size_t>(depth));
            auto* const numbers = reinterpret_cast<uint16_t*>(to);
            bf16_kernels()->loops.narrow(depth, line(w, n, buffer.data()), numbers);
            if (depth % 2 != 0) numbers[depth] = 0;
          },
          packed);
    };
  }

  const Product& product() const { return product_; }
  size_t scratch_bytes() const { return weights_.scratch_bytes() + product_.scratch_bytes(); }
  /// As Product::run, with the weights `w`.
  template <typename Source>
  void run(const Source& source, const void* w, const Bf16Tail& tail, void* result, void* scratch) const {
    const auto* packed = reinterpret_cast<const std::byte*>(weights_.get(w, scratch));
    product_.run(source, packed, tail, result, static_cast<std::byte*>(scratch) + weights_.scratch_bytes());
  }

 private:
  Product product_;
  PackedWeights weights_;
};

/// What a layer adds to its product: inputs 2 and 3 are bias and residual, where there are any.
class LayerTail {
 public:
  LayerTail(const Epilogue& epilogue, const KernelRequest& r)
      : epilogue_(epilogue), has_bias_(r.inputs.size() > 2 && r.inputs[2].present), type_(r.outputs[0].dtype) {}
  Bf16Tail of(const KernelArguments& a) const {
    return {has_bias_ ? static_cast<const float*>(a.inputs[2]) : nullptr,
            epilogue_.residual ? static_cast<const std::byte*>(a.inputs[3]) : nullptr, epilogue_.activation, type_};
  }

 private:
  Epilogue epilogue_;
  bool has_bias_;
  DType type_;
};

}  // namespace graft::cpu::bf16
