// Convolutions and dense layers of 8-bit integers: what each result sees is a row of a matrix of bytes, which is
// multiplied with the weights.
#include "runtime/ops/quantised_product.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <vector>

#include "runtime/core/error.h"
#include "runtime/cpu/convolution/operands.h"
#include "runtime/cpu/dot_product.h"
#include "runtime/cpu/kernel_table.h"
#include "runtime/cpu/window_rows.h"

namespace graft::cpu {
namespace {

constexpr float kNone = std::numeric_limits<float>::infinity();
constexpr int32_t kSignedToUnsigned = 128;

class QuantisedProductKernel final : public Kernel {
 public:
  QuantisedProductKernel(const QuantisedProduct& op, const KernelRequest& r)
      : columns_(r.outputs[0].shape[1]),
        is_signed_(r.inputs[0].dtype == DType::i8),
        zero_(static_cast<std::byte>(op.x_zero)),
        product_(*int8_tiles(), 1, r.outputs[0].shape.elements() / columns_, r.inputs[1].shape.elements() / columns_,
                 columns_) {
    const Operand &x = r.inputs[0], &w = r.inputs[1];
    if (x.shape.rank() == 4) windows_.emplace(op.window, x, r.outputs[0], 1);
    const auto numbers = w.constant->data<int8_t>();
    pack(numbers, x.shape.rank() == 4 ? x.shape[1] : product_.depth());
    prepare_tail(op, numbers, r);
  }
  size_t scratch_bytes() const override { return product_.scratch_bytes(); }
  void run(const KernelArguments& a) override {
    Int8Tail tail = tail_;
    if (has_residual_) tail.residual = static_cast<const std::byte*>(a.inputs[4]);
    product_.run(
        [&](IndexRange rows, std::byte* buffer, int64_t pitch) { return source(a.inputs[0], rows, buffer, pitch); },
        static_cast<const std::byte*>(packed_.raw()), tail, a.outputs[0], a.scratch);
  }

 private:
  using Rows = PackedDotProduct<Int8Tail>::Rows;

  /// Rows of unsigned numbers; signed ones are 128 more there.
  Rows source(const void* x, IndexRange rows, std::byte* buffer, int64_t pitch) const {
    const bool is_plain = !windows_ || windows_->is_every_pixel();
    if (is_plain && !is_signed_) return product_.plain_rows(x, rows, buffer, pitch);
    if (is_plain) {
      product_.copy_rows(x, rows, buffer, pitch);
    } else {
      windows_->gather(x, rows, zero_, buffer, pitch);
      if (!is_signed_) return {buffer, pitch};
    }
    const int64_t words = (product_.depth() + 3) / 4;
    for (int64_t i = 0; i < rows.size(); ++i) {
      auto* const row = reinterpret_cast<uint32_t*>(buffer + i * pitch);
      for (int64_t k = 0; k < words; ++k) row[k] ^= 0x80808080u;
    }
    return {buffer, pitch};
  }

  /// Weights n, channel, tap → for each n taps, channels.
  void pack(std::span<const int8_t> w, int64_t channels) {
    packed_ = Tensor(DType::i8, {static_cast<int64_t>(product_.packed_bytes())});  // aligned to the registers' lines
    const int64_t depth = product_.depth(), taps = depth / channels;
    product_.pack(
        [&](int64_t n, std::byte* to) {
          const int8_t* const line = w.data() + n * depth;
          std::fill_n(to, (depth + 3) / 4 * 4, std::byte{0});
          for (int64_t c = 0; c < channels; ++c)
            for (int64_t t = 0; t < taps; ++t) to[t * channels + c] = static_cast<std::byte>(line[c * taps + t]);
        },
        static_cast<std::byte*>(packed_.raw()));
  }

  void prepare_tail(const QuantisedProduct& op, std::span<const int8_t> w, const KernelRequest& r) {
    const auto scale = r.inputs[2].constant->data<float>(), bias = r.inputs[3].constant->data<float>();
    const int32_t zero = op.x_zero + (is_signed_ ? kSignedToUnsigned : 0);
    // The product is counted in these steps, where it is not float.
    const std::optional<Steps>& steps = op.rounded ? op.rounded : op.result;
    const auto size = static_cast<size_t>(columns_);
    correction_.resize(size), scale_.resize(size), bias_.resize(size);
    const size_t depth = static_cast<size_t>(product_.depth());
    for (size_t n = 0; n < size; ++n) {
      int32_t sum = 0;
      for (size_t k = 0; k < depth; ++k) sum += w[n * depth + k];
      correction_[n] = zero * sum;
      scale_[n] = steps ? scale[n] / steps->scale : scale[n];
      bias_[n] = steps ? bias[n] / steps->scale + static_cast<float>(steps->zero) : bias[n];
    }
    tail_.correction = correction_.data();
    tail_.scale = scale_.data();
    tail_.bias = bias_.data();
    tail_.type = op.result_type;
    has_residual_ = op.residual.has_value();
    const auto in_result = [&](float v) {
      return op.result ? v / op.result->scale + static_cast<float>(op.result->zero) : v;
    };
    const Activation& activation = op.activation;
    tail_.floor = activation.kind == Activation::Kind::relu   ? in_result(0)
                  : activation.kind == Activation::Kind::clip ? in_result(activation.alpha)
                                                              : -kNone;
    if (op.result_type == DType::u8) tail_.floor = std::max(tail_.floor, 0.0f);
    tail_.ceiling = activation.kind == Activation::Kind::clip ? in_result(activation.beta) : kNone;
    // What does not fit 32 bits would become the smallest number there is.
    if (op.result) tail_.ceiling = std::min(tail_.ceiling, op.result_type == DType::u8 ? 255.0f : 127.0f);
    if (!has_residual_) return;
    const bool is_u8 = op.result_type == DType::u8;
    tail_.round_low = is_u8 ? 0.0f : -128.0f;
    tail_.round_high = is_u8 ? 255.0f : 127.0f;
    tail_.rounded_scale = op.rounded->scale / op.result->scale;
    tail_.residual_scale = op.residual->scale / op.result->scale;
    tail_.offset = static_cast<float>(op.result->zero) - static_cast<float>(op.rounded->zero) * tail_.rounded_scale -
                   static_cast<float>(op.residual->zero) * tail_.residual_scale;
  }

  int64_t columns_;
  bool is_signed_, has_residual_ = false;
  std::byte zero_;
  PackedDotProduct<Int8Tail> product_;
  std::optional<WindowRows> windows_;
  Tensor packed_;
  std::vector<int32_t> correction_;
  std::vector<float> scale_, bias_;
  Int8Tail tail_;
};

bool lies_as_needed(const Operand& o) {
  return o.shape.rank() == 4 ? is_channels_last(o) : o.strides == plain_strides(o.shape);
}

std::unique_ptr<Kernel> make(const QuantisedProduct& op, const KernelRequest& r) {
  if (r.inputs[0].shape.elements() == 0 || r.outputs[0].shape.elements() == 0 || r.inputs[1].shape.elements() == 0)
    throw Error("a product of nothing");
  if (!int8_tiles()) throw Error("this processor does not multiply 8-bit integers (AVX-512 VNNI)");
  for (const Operand* o : {&r.inputs[0], &r.outputs[0]})
    if (!lies_as_needed(*o)) throw Error("a product of 8-bit integers needs channels-last pictures");
  return std::make_unique<QuantisedProductKernel>(op, r);
}

}  // namespace

void register_quantised_product(KernelTable& table) { table.add<QuantisedProduct>(make); }

}  // namespace graft::cpu
