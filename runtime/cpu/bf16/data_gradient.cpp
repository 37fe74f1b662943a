// Gradients of a convolution's input in bfloat16: the same product as forward, over dL/dy, with the filters turned
// round. A stride divides the result into phases, the pixels that are met by the same taps, each a product of its own.
#include <vector>

#include "runtime/core/parallel.h"
#include "runtime/core/strided_copy.h"
#include "runtime/cpu/bf16/kernels.h"
#include "runtime/cpu/bf16/norm_rows.h"
#include "runtime/cpu/bf16/rounded_product.h"
#include "runtime/cpu/bf16/winograd.h"
#include "runtime/cpu/convolution/afterwards.h"
#include "runtime/cpu/convolution/operands.h"
#include "runtime/cpu/window_rows.h"
#include "runtime/ops/convolution.h"

namespace graft::cpu::bf16 {
namespace {

/// Along one dimension: the result's pixels i·stride + phase, and the taps that meet them, last to first.
struct Phase {
  int64_t phase, count;       // of the result's pixels
  std::vector<int64_t> taps;  // in the order of the pixels of dL/dy that they meet, neighbours
  int64_t before;             // how far the first of those lies before pixel i
};

Phase phase_of(int64_t phase, int64_t extent, int64_t kernel, int64_t stride, int64_t padding) {
  Phase p{phase, extent > phase ? (extent - phase + stride - 1) / stride : 0, {}, 0};
  for (int64_t tap = kernel; tap-- > 0;)
    if ((phase + padding - tap) % stride == 0) p.taps.push_back(tap);
  if (!p.taps.empty()) p.before = -(phase + padding - p.taps[0]) / stride;
  return p;
}

class PhaseProduct {
 public:
  PhaseProduct(Phase rows, Phase columns, const Window2d& window, const Operand& dy, const Operand& w,
               const Operand& dx)
      : rows_(std::move(rows)),
        columns_(std::move(columns)),
        windows_(reduced(), dy, grid(dx), RoundedProduct::kBytes),
        product_(dx.shape[0] * rows_.count * columns_.count, windows_.row_bytes() / RoundedProduct::kBytes, dx.shape[1],
                 w,
                 [this, kernel = window.kernel, in = dx.shape[1], out = dy.shape[1]](
                     const RoundedProduct::Product& product, const float* f, std::byte* packed) {
                   pack(product, kernel, in, out, f, packed);
                 }) {}
  PhaseProduct(const PhaseProduct&) = delete;
  PhaseProduct& operator=(const PhaseProduct&) = delete;

  size_t scratch_bytes() const { return product_.scratch_bytes(); }
  int64_t results() const { return product_.product().rows() * product_.product().columns(); }
  const Phase& rows() const { return rows_; }
  const Phase& columns() const { return columns_; }
  void run(const void* dy, const void* w, const Bf16Tail& tail, void* result, void* scratch) const {
    product_.run(
        [&](IndexRange range, std::byte* buffer, int64_t pitch) -> RoundedProduct::Rows {
          if (windows_.is_every_pixel()) return product_.product().plain_rows(dy, range, buffer, pitch);
          windows_.gather(dy, range, std::byte{0}, buffer, pitch);
          return {buffer, pitch};
        },
        w, tail, result, scratch);
  }

 private:
  Window2d reduced() const {
    Window2d w;
    w.kernel = {static_cast<int64_t>(rows_.taps.size()), static_cast<int64_t>(columns_.taps.size())};
    w.padding = {rows_.before, columns_.before, 0, 0};
    return w;
  }
  Operand grid(const Operand& dx) const {
    Operand g = dx;
    g.shape[2] = rows_.count;
    g.shape[3] = columns_.count;
    return g;
  }
  /// Filters [out][in][kernel] → for each input channel: taps, output channels.
  void pack(const RoundedProduct::Product& product, Extent2d kernel, int64_t in, int64_t out, const float* w,
            std::byte* packed) const {
    if (out % 2 == 0) return pack_pairs(product, kernel, in, out, w, reinterpret_cast<uint32_t*>(packed));
    const int64_t all = kernel.height * kernel.width;
    RoundedProduct::by_lines([&](const float* filters, int64_t c, float* buffer) {
      float* to = buffer;
      for (const int64_t r : rows_.taps)
        for (const int64_t s : columns_.taps)
          for (int64_t n = 0; n < out; ++n) *to++ = filters[(n * in + c) * all + r * kernel.width + s];
      return static_cast<const float*>(buffer);
    })(product, w, packed);
  }

  /// The same in the order in which filters lie: a word is two of them.
  void pack_pairs(const RoundedProduct::Product& product, Extent2d kernel, int64_t in, int64_t out, const float* w,
                  uint32_t* packed) const {
    constexpr int64_t kWidth = DotShape::kColumns;
    const int64_t all = kernel.height * kernel.width, words = product.depth() / 2;
    parallel_for(DotShape::panels(in), 1, [&](int64_t first, int64_t last) {
      thread_local std::vector<uint16_t> pair;  // weights that train are packed at each run, which is not to allocate
      pair.resize(static_cast<size_t>(2 * kWidth * all));
      uint16_t *const even = pair.data(), *const odd = even + kWidth * all;
      for (int64_t panel = first; panel < last; ++panel) {
        const int64_t c0 = panel * kWidth, columns = std::min(kWidth, in - c0);
        uint32_t* const to = packed + panel * words * kWidth;
        if (columns < kWidth) std::fill_n(to, words * kWidth, 0u);
        for (int64_t n = 0; n < out; n += 2) {
          bf16_kernels()->loops.narrow(columns * all, w + (n * in + c0) * all, even);
          bf16_kernels()->loops.narrow(columns * all, w + ((n + 1) * in + c0) * all, odd);
          int64_t tap = 0;
          for (const int64_t r : rows_.taps)
            for (const int64_t s : columns_.taps) {
              uint32_t* const word = to + (tap++ * out + n) / 2 * kWidth;
              const int64_t from = r * kernel.width + s;
              for (int64_t c = 0; c < columns; ++c)
                word[c] = even[c * all + from] | static_cast<uint32_t>(odd[c * all + from]) << 16;
            }
        }
      }
    });
  }

  Phase rows_, columns_;
  WindowRows windows_;
  RoundedProduct product_;
};

class DataGradient final : public Kernel {
 public:
  DataGradient(const ConvolutionBackwardData& op, const KernelRequest& r)
      : stride_(op.window.stride), dx_(r.outputs[0].shape), residual_(op.tail.residual) {
    const Window2d& w = op.window;
    for (int64_t i = 0; i < std::min(stride_.height, dx_[2]); ++i)
      for (int64_t j = 0; j < std::min(stride_.width, dx_[3]); ++j) {
        Phase rows = phase_of(i, dx_[2], w.kernel.height, stride_.height, w.padding.top),
              columns = phase_of(j, dx_[3], w.kernel.width, stride_.width, w.padding.left);
        if (rows.count == 0 || columns.count == 0) continue;
        if (rows.taps.empty() || columns.taps.empty()) {
          untouched_ = true;
          continue;
        }
        phases_.push_back(std::make_unique<PhaseProduct>(std::move(rows), std::move(columns), w, r.inputs[0],
                                                         r.inputs[1], r.outputs[0]));
      }
    for (const auto& phase : phases_) {
      own_scratch_ = std::max(own_scratch_, (phase->scratch_bytes() + 63) / 64 * 64);
      results_ = std::max(results_, phase->results());
    }
  }
  size_t scratch_bytes() const override {
    return own_scratch_ + (is_whole() ? 0 : static_cast<size_t>(results_ * RoundedProduct::kBytes));
  }
  void run(const KernelArguments& a) override {
    const auto* residual = residual_ ? static_cast<const uint16_t*>(a.inputs[2]) : nullptr;
    auto* const dx = static_cast<uint16_t*>(a.outputs[0]);
    Bf16Tail tail;
    tail.type = DType::bf16;
    if (is_whole()) {
      tail.residual = reinterpret_cast<const std::byte*>(residual);
      return phases_[0]->run(a.inputs[0], a.inputs[1], tail, dx, a.scratch);
    }
    if (untouched_) fill_untouched(residual, dx);
    auto* const results = reinterpret_cast<uint16_t*>(static_cast<std::byte*>(a.scratch) + own_scratch_);
    for (const auto& phase : phases_) {
      phase->run(a.inputs[0], a.inputs[1], tail, results, a.scratch);
      place(*phase, results, residual, dx);
    }
  }

 private:
  bool is_whole() const { return stride_.height == 1 && stride_.width == 1 && phases_.size() == 1; }

  void fill_untouched(const uint16_t* residual, uint16_t* dx) const {
    if (residual == dx) return;
    parallel_for(dx_.elements(), 1 << 15, [&](int64_t first, int64_t last) {
      if (residual)
        std::copy(residual + first, residual + last, dx + first);
      else
        std::fill(dx + first, dx + last, uint16_t{0});
    });
  }

  void place(const PhaseProduct& phase, const uint16_t* results, const uint16_t* residual, uint16_t* dx) const {
    const int64_t channels = dx_[1], count = phase.columns().count;
    parallel_for(dx_[0] * phase.rows().count, 1, [&](int64_t first, int64_t last) {
      for (int64_t line = first; line < last; ++line) {
        const int64_t image = line / phase.rows().count,
                      row = line % phase.rows().count * stride_.height + phase.rows().phase;
        for (int64_t i = 0; i < count; ++i) {
          const int64_t at = ((image * dx_[2] + row) * dx_[3] + i * stride_.width + phase.columns().phase) * channels;
          const uint16_t* const from = results + (line * count + i) * channels;
          if (residual)
            bf16_kernels()->loops.add(channels, from, residual + at, {}, dx + at);
          else
            std::copy_n(from, channels, dx + at);
        }
      }
    });
  }

  Extent2d stride_;
  Shape dx_;
  bool residual_, untouched_ = false;
  std::vector<std::unique_ptr<PhaseProduct>> phases_;
  size_t own_scratch_ = 0;
  int64_t results_ = 0;
};

std::unique_ptr<Kernel> make(const ConvolutionBackwardData& op, const KernelRequest& r) {
  if (op.norm) {
    if (op.input_shape[1] > kMostChannels) return nullptr;
    ConvolutionBackwardData bare = op;
    bare.norm.reset();
    const size_t inputs = r.inputs.size() - 4;
    for (size_t i = inputs; i < inputs + 2; ++i)
      if (r.inputs[i].dtype != DType::bf16 || r.inputs[i].strides != r.outputs[0].strides) return nullptr;
    auto kernel = make(bare, {bare, r.inputs.first(inputs), r.outputs.first(1), r.in_place_input});
    return kernel ? std::make_unique<NormAfterwards<Bf16Rows>>(std::move(kernel), op) : nullptr;
  }
  const Operand &dy = r.inputs[0], &w = r.inputs[1], &dx = r.outputs[0];
  const bool types = dy.dtype == DType::bf16 && w.dtype == DType::f32 && dx.dtype == DType::bf16 &&
                     (!op.tail.residual || r.inputs[2].dtype == DType::bf16);
  const Extent2d& dilation = op.window.dilation;
  if (!types || op.tail.activation.kind != Activation::Kind::none || op.groups != 1 || dilation.height != 1 ||
      dilation.width != 1 || !is_channels_last(dy) || !is_channels_last(dx) || dy.shape.elements() == 0 ||
      dx.shape.elements() == 0 || !is_row_major(w.shape, w.strides))
    return nullptr;
  if (auto kernel = winograd_backward_data(op, r)) return kernel;
  return std::make_unique<DataGradient>(op, r);
}

}  // namespace

void register_data_gradient(KernelTable& table) { table.add<ConvolutionBackwardData>(make); }

}  // namespace graft::cpu::bf16
