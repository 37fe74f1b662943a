// A 1×1 convolution without padding is one product: pixels × channels in, times channels in × channels out. A stride
// picks pixels on the way in (forward) or spreads them on the way out (gradient of the input).
#include <omp.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <type_traits>

#include "runtime/core/index_range.h"
#include "runtime/core/isa.h"
#include "runtime/core/parallel.h"
#include "runtime/cpu/channel_statistics.h"
#include "runtime/cpu/convolution/kernels.h"
#include "runtime/cpu/convolution/operands.h"
#include "runtime/cpu/convolution/packed_weights.h"
#include "runtime/cpu/norm_gradient_sums.h"
#include "runtime/cpu/vector/tiles.h"
#include "runtime/cpu/vector/vector.h"

namespace graft::cpu {
namespace {

constexpr int64_t kBlockTiles = 8;  // tiles of rows that share a panel of weights while it is in the first cache
constexpr int64_t kBlockResults =
    int64_t{1} << 16;  // of a block that is read again with arrays of its size: all fit the second cache
constexpr int64_t kFarResults = int64_t{8} << 20;  // elements that no cache holds
constexpr int64_t kDepthBlock = 512;
constexpr int64_t kPadding = 16;  // floats between copied rows, so that rows do not fall on one cache set

/// Where the pixels of the smaller picture lie in the larger one.
struct Sampling {
  int64_t small_height, small_width, large_height, large_width, stride_y, stride_x;
  bool dense() const {
    return stride_y == 1 && stride_x == 1 && small_height == large_height && small_width == large_width;
  }
  int64_t large_pixels(int64_t small_pixels) const {
    return small_pixels / (small_height * small_width) * large_height * large_width;
  }
  int64_t large_index(int64_t small_index) const {
    const int64_t x = small_index % small_width, rest = small_index / small_width;
    const int64_t y = rest % small_height, image = rest / small_height;
    return (image * large_height + y * stride_y) * large_width + x * stride_x;
  }
};

/// Result[m][n] = Σ_k source[m][k]·weights[k][n] over `rows` pixels.
class PointwiseProduct {
 public:
  /// `read_again`: with other arrays of the result's size.
  PointwiseProduct(int64_t rows, int64_t depth, int64_t columns, bool read_again = false)
      : rows_(rows), depth_(depth), columns_(columns), threads_(omp_get_max_threads()) {
    // Few pixels: threads share the columns, so that each reads only its part of the weights.
    split_columns_ = rows_ < int64_t{threads_} * tiles_.rows * 4;
    block_ = tiles_.rows *
             (read_again ? std::clamp<int64_t>(kBlockResults / (tiles_.rows * columns), 2, kBlockTiles) : kBlockTiles);
    depth_block_ = (depth_ / 16 + blocks() - 1) / blocks() * 16;
  }

  int64_t columns() const { return columns_; }
  int64_t packed_elements() const { return tiles_.panels(columns_) * depth_ * tiles_.columns; }

  /// weight(k, n) is at w[k·k_stride + n·n_stride].
  void pack(const float* w, int64_t k_stride, int64_t n_stride, float* packed) const {
    const int64_t width = tiles_.columns;
    parallel_for(tiles_.panels(columns_), 1, [&](int64_t first, int64_t last) {
      for (int64_t panel = first; panel < last; ++panel) {
        const int64_t n0 = panel * width, n1 = std::min(columns_, n0 + width);
        float* to = packed + panel * depth_ * width;
        if (n_stride == 1) {
          for (int64_t k = 0; k < depth_; ++k) std::copy_n(w + k * k_stride + n0, n1 - n0, to + k * width);
        } else {  // the source's rows are long: reading along them is what counts
          for (int64_t k0 = 0; k0 < depth_; k0 += 16)
            for (int64_t n = n0; n < n1; ++n)
              for (int64_t k = k0; k < k0 + 16; ++k) to[k * width + n - n0] = w[k * k_stride + n * n_stride];
        }
      }
    });
  }

  /// For each thread: a copy of a block of source rows, and a block of results.
  size_t scratch_bytes() const {
    return (static_cast<size_t>(threads_) * thread_floats() * sizeof(float) + 63) / 64 * 64;
  }

  /// Whether run() can hand its result on in pieces: threads share rows then.
  bool has_pieces() const { return !split_columns_; }

  /// `in`: how source rows lie, `out`: how result rows do; at most one of them is sparse. A sparse result is added to
  /// what is there, or with `fresh` stands among zeros. `after(piece, first row, rows)` sees each block of a dense
  /// result while it is in the cache, the blocks of one of kRowPieces pieces in order; `beside` are arrays like the
  /// result that it reads then.
  template <typename After = std::nullptr_t>
  void run(const float* source, const Sampling& in, const float* packed, const TileTail& tail, float* result,
           const Sampling& out, bool fresh, void* scratch, const After& after = nullptr,
           std::array<const float*, 2> beside = {}) const {
    parallel_team(threads_, [&](int64_t t, int64_t count) {
      const int64_t row_parts = split_columns_ ? 1 : count, column_parts = split_columns_ ? count : 1;
      const int64_t units = (rows_ + tiles_.rows - 1) / tiles_.rows, panels = tiles_.panels(columns_);
      const int64_t row_part = split_columns_ ? 0 : t, column_part = split_columns_ ? t : 0;
      const int64_t r0 = units * row_part / row_parts * tiles_.rows,
                    r1 = std::min(rows_, units * (row_part + 1) / row_parts * tiles_.rows);
      const int64_t n0 = panels * column_part / column_parts * tiles_.columns;
      const int64_t n1 = std::min(columns_, panels * (column_part + 1) / column_parts * tiles_.columns);
      float* mine = static_cast<float*>(scratch) + t * thread_floats();
      if constexpr (!std::is_null_pointer_v<After>) {
        for (int64_t piece = kRowPieces * t / count; piece < kRowPieces * (t + 1) / count; ++piece) {
          const int64_t end = first_row_of_piece(rows_, piece + 1);
          for (int64_t r = first_row_of_piece(rows_, piece); r < end; r += block_) {
            const int64_t last = std::min(end, r + block_);
            run_block({r, last}, {0, columns_}, source, in, packed, tail, result, out, fresh, mine, beside);
            after(piece, r, last - r);
          }
        }
      } else if (n0 < n1) {
        for (int64_t r = r0; r < r1; r += block_)
          run_block({r, std::min(r1, r + block_)}, {n0, n1}, source, in, packed, tail, result, out, fresh, mine);
      }
    });
  }

 private:
  int64_t blocks() const { return (depth_ + kDepthBlock - 1) / kDepthBlock; }
  int64_t thread_floats() const { return block_ * (depth_block_ + kPadding) + block_ * columns_; }

  void run_block(IndexRange rows, IndexRange columns, const float* source, const Sampling& in, const float* packed,
                 const TileTail& tail, float* result, const Sampling& out, bool fresh, float* scratch,
                 std::array<const float*, 2> beside = {}) const {
    float* const copy = scratch;
    float* const target =
        out.dense() ? result + rows.first * columns_ + columns.first : scratch + block_ * (depth_block_ + kPadding);
    const int64_t copy_row = depth_block_ + kPadding;
    TileTail shifted = tail;
    if (tail.bias) shifted.bias = tail.bias + columns.first;
    // A residual in the result's own memory is what the sums begin with; it would be gone after the first block of the
    // depth.
    const bool begins_with_residual = tail.residual == result;
    if (tail.residual)
      shifted.residual = begins_with_residual ? nullptr : tail.residual + rows.first * columns_ + columns.first;
    for (int64_t k = 0; k < depth_; k += depth_block_) {
      const int64_t depth = std::min(depth_block_, depth_ - k);
      const float* a = source + rows.first * depth_ + k;
      int64_t a_row = depth_;
      if (!in.dense() || copies_rows()) {
        for (int64_t r = rows.first; r < rows.last; ++r) {
          const int64_t from = in.dense() ? r : in.large_index(r);
          std::memcpy(copy + (r - rows.first) * copy_row, source + from * depth_ + k,
                      static_cast<size_t>(depth) * sizeof(float));
        }
        a = copy;
        a_row = copy_row;
      }
      const int64_t tile_rows = tiles_.tile_rows(rows.size());
      const float* next = source + (in.dense() ? rows.last : in.large_index(rows.last)) * depth_ + rows.size() * k;
      BlockProduct product{rows.size(),
                           columns.size(),
                           depth,
                           a,
                           a_row,
                           tile_rows * a_row,
                           tile_rows,
                           packed + (columns.first / tiles_.columns * depth_ + k) * tiles_.columns,
                           tiles_.columns,
                           depth_ * tiles_.columns,
                           target,
                           columns_,
                           k > 0 || begins_with_residual,
                           k + depth >= depth_ ? &shifted : nullptr,
                           false,
                           {}};
      if (k + depth >= depth_) {
        for (size_t i = 0; i < beside.size(); ++i)
          if (beside[i])
            product.ahead[i] = {beside[i] + rows.first * columns_, 1, rows.size() * columns_ / kLineFloats, 0};
      }
      product.ahead[2] = {next, 1, rows.size() * depth / kLineFloats, 0};
      tiles_.multiply_rows(product);
    }
    if (out.dense()) return;
    if (fresh)
      place(rows, columns, target, result, out);
    else
      spread(rows, columns, target, result, out);
  }

  /// Rows whose distance is a large power of two meet in one set of the first cache; then a copy pays for itself.
  bool copies_rows() const { return depth_ % 512 == 0 && columns_ >= 128; }

  /// Adds a block of results to the pixels they belong to.
  void spread(IndexRange rows, IndexRange columns, const float* block, float* result, const Sampling& out) const {
    for (int64_t r = rows.first; r < rows.last; ++r)
      vector_loops().add_scaled(columns.size(), block + (r - rows.first) * columns_, 1.0f,
                                result + out.large_index(r) * columns_ + columns.first);
  }

  /// Copies a block of results to the pixels they belong to, and zeros to those between them.
  void place(IndexRange rows, IndexRange columns, const float* block, float* result, const Sampling& out) const {
    const auto width = static_cast<size_t>(columns.size());
    for (int64_t r = rows.first; r < rows.last; ++r) {
      const int64_t end = r + 1 < rows_ ? out.large_index(r + 1) : out.large_pixels(rows_);
      int64_t pixel = out.large_index(r);
      std::copy_n(block + (r - rows.first) * columns_, width, result + pixel * columns_ + columns.first);
      for (++pixel; pixel < end; ++pixel) std::fill_n(result + pixel * columns_ + columns.first, width, 0.0f);
    }
  }

  const TileKernels& tiles_ = tile_kernels();
  int64_t rows_, depth_, columns_;
  int threads_;
  bool split_columns_;
  int64_t block_, depth_block_;
};

/// Whether a convolution of `large` to `small` pictures is a product over pixels with whole vectors of channels.
bool serves(const Window2d& window, int64_t groups, const Operand& large, const Operand& small) {
  const bool pointwise = window.kernel.height == 1 && window.kernel.width == 1;
  const bool unpadded =
      window.padding.top == 0 && window.padding.left == 0 && window.padding.bottom == 0 && window.padding.right == 0;
  return pointwise && unpadded && has_whole_vectors(groups, large, small);
}

/// Where sums are long and results few, oneDNN's product for AVX-512 is a tenth faster; elsewhere this one is.
bool library_is_faster(const Window2d& window, int64_t depth, int64_t columns) {
  return best_isa() == Isa::avx512 && window.stride.height == 1 && window.stride.width == 1 && depth > columns &&
         depth >= 512;
}

Sampling sampling(const Window2d& window, const Operand& large, const Operand& small) {
  return {small.shape[2], small.shape[3], large.shape[2], large.shape[3], window.stride.height, window.stride.width};
}

Sampling every_pixel(const Operand& operand) {
  return {operand.shape[2], operand.shape[3], operand.shape[2], operand.shape[3], 1, 1};
}

class PointwiseForward final : public Kernel {
 public:
  PointwiseForward(const Convolution& op, const KernelRequest& request)
      : in_(sampling(op.window, request.inputs[0], request.outputs[0])),
        out_(every_pixel(request.outputs[0])),
        product_(pixels(request.outputs[0]), request.inputs[0].shape[1], request.outputs[0].shape[1]),
        weights_(request.inputs[1], product_.packed_elements(),
                 [product = product_, depth = request.inputs[0].shape[1]](const float* w, float* packed) {
                   product.pack(w, 1, depth, packed);
                 }),
        has_bias_(request.inputs.size() > 2 && request.inputs[2].present),
        tail_(op.tail) {
    if (op.statistics) statistics_.emplace(pixels(request.outputs[0]), request.outputs[0].shape[1]);
  }
  bool has_pieces() const { return product_.has_pieces(); }
  size_t scratch_bytes() const override {
    return weights_.scratch_bytes() + product_.scratch_bytes() + (statistics_ ? statistics_->scratch_bytes() : 0);
  }
  void run(const KernelArguments& a) override {
    const float* packed = weights_.get(a.inputs[1], a.scratch);
    const TileTail tail{has_bias_ ? static_cast<const float*>(a.inputs[2]) : nullptr,
                        tail_.residual ? static_cast<const float*>(a.inputs[3]) : nullptr, tail_.activation};
    std::byte* const scratch = static_cast<std::byte*>(a.scratch) + weights_.scratch_bytes();
    void* const measured = scratch + product_.scratch_bytes();
    const auto* x = static_cast<const float*>(a.inputs[0]);
    auto* y = static_cast<float*>(a.outputs[0]);
    if (!statistics_) return product_.run(x, in_, packed, tail, y, out_, true, scratch);
    const int64_t channels = product_.columns();
    product_.run(x, in_, packed, tail, y, out_, true, scratch, [&](int64_t piece, int64_t row, int64_t rows) {
      statistics_->add(piece, row, y + row * channels, rows, measured);
    });
    statistics_->finish(measured, static_cast<float*>(a.outputs[1]), static_cast<float*>(a.outputs[2]));
  }

 private:
  Sampling in_, out_;
  PointwiseProduct product_;
  PackedWeights weights_;
  bool has_bias_;
  Epilogue tail_;
  std::optional<ChannelStatistics> statistics_;
};

class PointwiseBackwardData final : public Kernel {
 public:
  PointwiseBackwardData(const ConvolutionBackwardData& op, const KernelRequest& request)
      : in_(every_pixel(request.inputs[0])),
        out_(sampling(op.window, request.outputs[0], request.inputs[0])),
        product_(pixels(request.inputs[0]), request.inputs[0].shape[1], request.outputs[0].shape[1],
                 op.norm.has_value()),
        weights_(request.inputs[1], product_.packed_elements(),
                 [product = product_, columns = request.outputs[0].shape[1]](const float* w, float* packed) {
                   product.pack(w, columns, 1, packed);
                 }),
        output_elements_(request.outputs[0].shape.elements()),
        tail_(op.tail),
        residual_in_place_(request.in_place_input >= 0),
        norm_(op.norm) {
    if (norm_) sums_.emplace(pixels(request.outputs[0]), request.outputs[0].shape[1], norm_->activation);
  }
  /// Whether it can go on through a norm.
  bool has_pieces() const { return out_.dense() && product_.has_pieces(); }
  size_t scratch_bytes() const override {
    return weights_.scratch_bytes() + product_.scratch_bytes() + (sums_ ? sums_->scratch_bytes() : 0);
  }
  void run(const KernelArguments& a) override {
    const float* packed = weights_.get(a.inputs[1], a.scratch);
    auto* dx = static_cast<float*>(a.outputs[0]);
    const float* residual = tail_.residual ? static_cast<const float*>(a.inputs[2]) : nullptr;
    TileTail tail{nullptr, residual, tail_.activation};
    std::byte* const scratch = static_cast<std::byte*>(a.scratch) + weights_.scratch_bytes();
    if (norm_) {
      const size_t first = a.inputs.size() - 4;
      const auto norm_input = [&](size_t i) { return static_cast<const float*>(a.inputs[first + i]); };
      void* const sums = scratch + product_.scratch_bytes();
      const NormGradientSums::Arrays arrays{dx, norm_input(1), norm_input(2), norm_input(0), dx};
      product_.run(static_cast<const float*>(a.inputs[0]), in_, packed, tail, dx, out_, true, scratch,
                   [&](int64_t piece, int64_t row, int64_t rows) { sums_->add(piece, row, rows, arrays, sums); },
                   {arrays.x, arrays.y});
      return sums_->finish(sums, norm_input(3), norm_->epsilon, static_cast<float*>(a.outputs[1]),
                           static_cast<float*>(a.outputs[2]));
    }
    if (!out_.dense()) {  // the product reaches some pixels only; the others are their residual, or nothing
      tail = {};
      if (residual && !residual_in_place_) {
        parallel_for(output_elements_, 1 << 16,
                     [&](int64_t first, int64_t last) { std::copy(residual + first, residual + last, dx + first); });
      }
    }
    product_.run(static_cast<const float*>(a.inputs[0]), in_, packed, tail, dx, out_, residual == nullptr, scratch);
    if (!out_.dense() && tail_.activation.kind != Activation::Kind::none) {
      parallel_for(output_elements_, 1 << 16, [&](int64_t first, int64_t last) {
        vector_loops().activate(last - first, dx + first, tail_.activation, dx + first);
      });
    }
  }

 private:
  Sampling in_, out_;
  PointwiseProduct product_;
  PackedWeights weights_;
  int64_t output_elements_;
  Epilogue tail_;
  bool residual_in_place_;
  std::optional<ConvolutionBackwardData::Norm> norm_;
  std::optional<NormGradientSums> sums_;
};

}  // namespace

std::unique_ptr<Kernel> pointwise_forward(const Convolution& op, const KernelRequest& request) {
  const Operand &x = request.inputs[0], &y = request.outputs[0];
  if (!serves(op.window, op.groups, x, y) || library_is_faster(op.window, x.shape[1], y.shape[1])) return nullptr;
  auto kernel = std::make_unique<PointwiseForward>(op, request);
  if (op.statistics && !kernel->has_pieces()) return nullptr;
  return kernel;
}

std::unique_ptr<Kernel> pointwise_backward_data(const ConvolutionBackwardData& op, const KernelRequest& request) {
  const Operand &dy = request.inputs[0], &dx = request.outputs[0];
  if (!serves(op.window, op.groups, dx, dy) || library_is_faster(op.window, dy.shape[1], dx.shape[1])) return nullptr;
  // Smaller results lie in the last cache when the product is done, and what a norm needs is read faster alone than
  // beside a product.
  if (op.norm && dx.shape.elements() < kFarResults) return nullptr;
  auto kernel = std::make_unique<PointwiseBackwardData>(op, request);
  if (op.norm && !kernel->has_pieces()) return nullptr;
  return kernel;
}

}  // namespace graft::cpu
