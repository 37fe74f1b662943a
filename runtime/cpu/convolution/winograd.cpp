// 3×3 convolutions of stride 1 by Winograd's F(4×4, 3×3): tiles of the picture are transformed, multiplied position by
// position as 36 products tiles × channels in times channels in × channels out, and transformed back. Where the filters
// fit the second cache, each thread takes its own blocks of tiles through all three steps, so that what lies between
// them stays in its cache; where they do not, threads share larger blocks and divide the products among them, so that
// each reads only its part of the filters. The gradient of the input is the same convolution with the filters turned
// round.

#include <algorithm>

#include "runtime/core/index_range.h"
#include "runtime/core/parallel.h"
#include "runtime/cpu/convolution/kernels.h"
#include "runtime/cpu/convolution/winograd_tiles.h"
#include "runtime/cpu/packed_weights.h"
#include "runtime/cpu/vector/split_tiles.h"
#include "runtime/cpu/vector/tiles.h"
#include "runtime/cpu/vector/winograd_transforms.h"

namespace graft::cpu {
namespace {

constexpr int64_t kPadding =
    16;  // floats between rows of a transformed block, so that they do not fall on one cache set
constexpr int64_t kDepthBlock = 256;
constexpr int64_t kPackDepth = 8;      // channels of filters transformed before they are written: 36 × 8 × 32 floats
constexpr int64_t kLargestGroup = 32;  // columns of a panel on any processor
constexpr int64_t kCachedFilters =
    128 * 128;  // channels in × channels out whose 36 products fit the caches with a block of tiles
constexpr int64_t kCachedSplitFilters = 64 * 64;  // the same in three parts
constexpr int64_t kSharedTiles = 128, kTilesOfAPart = 8;

class WinogradProduct {
 public:
  WinogradProduct(const WinogradTiles& tiles, int64_t in, int64_t out)
      : tiles_(tiles), in_(in), out_(out), threads_(thread_count()) {
    shared_ = in_ * out_ > (split_ ? kCachedSplitFilters : kCachedFilters);
    const int64_t share = shared_ ? tiles_.count() : (tiles_.count() + threads_ - 1) / threads_,
                  rows = split_ ? kSplitRows : product_.rows;
    block_ = std::min(shared_ ? kSharedTiles : rows, (share + rows - 1) / rows * rows);
    panel_ = split_ ? kSplitColumns : product_.columns;
    panels_ = (out_ + panel_ - 1) / panel_;
    split_tile_ = SplitTiles::steps(in_) * SplitTiles::kStepBytes;
  }

  int64_t packed_elements() const { return kWinogradPositions * position_elements(); }
  size_t scratch_bytes() const {
    return static_cast<size_t>(in_ + threads_ * split_floats() + (shared_ ? 1 : threads_) * block_floats()) *
           sizeof(float);
  }

  /// Filter n, channel k, tap t is at w[n·n_stride + k·k_stride + (turned ? 8 - t : t)]. Packed:
  /// [position][panel][k][column].
  void pack(const float* w, int64_t k_stride, int64_t n_stride, bool turned, float* packed) const {
    if (split_) return pack_parts(w, k_stride, n_stride, turned, reinterpret_cast<std::byte*>(packed));
    const int64_t width = product_.columns, group = std::max<int64_t>(width, kWinogradChannels),
                  chunks = in_ / kPackDepth;
    const int64_t part = std::min<int64_t>(width, kWinogradChannels), run = kPackDepth * width;
    parallel_for((out_ + group - 1) / group * chunks, 1, [&](int64_t first, int64_t last) {
      // The 36 places lie a power of two apart: they are made side by side here, and written in runs.
      alignas(64) float made[kWinogradPositions * kPackDepth * kLargestGroup] = {};
      for (int64_t unit = first; unit < last; ++unit) {
        const int64_t n0 = unit / chunks * group, k0 = unit % chunks * kPackDepth, columns = std::min(group, out_ - n0);
        for (int64_t k = 0; k < kPackDepth; ++k)
          for (int64_t n = 0; n < columns; n += kWinogradChannels) {
            const float* filters = w + (n0 + n) * n_stride + (k0 + k) * k_stride;
            alignas(64) float u[kWinogradPositions * kWinogradChannels];
            transforms_.weights(turned ? filters + 8 : filters, n_stride, turned ? -1 : 1, u, kWinogradChannels);
            for (int64_t l = 0; l < kWinogradChannels; l += width) {
              float* to = made + (n + l) / width * run + k * width + (n + l) % width;
              for (int64_t position = 0; position < kWinogradPositions; ++position, to += kPackDepth * group)
                std::copy_n(u + position * kWinogradChannels + l, part, to);
            }
          }
        for (int64_t position = 0; position < kWinogradPositions; ++position)
          for (int64_t n = 0; n < columns; n += width) {
            float* to = packed + position * position_elements() + ((n0 + n) / width * in_ + k0) * width;
            std::copy_n(made + position * kPackDepth * group + n / width * run, run, to);
          }
      }
    });
  }

  void run(const float* x, const float* packed, const TileTail& tail, float* y, void* scratch) const {
    float* const zeros = static_cast<float*>(scratch);
    std::fill_n(zeros, in_, 0.0f);
    float* const rows = zeros + in_;
    float* const blocks = rows + threads_ * split_floats();
    const auto memory = [&](int64_t slot) {
      return Block(zeros, reinterpret_cast<std::byte*>(rows + slot * split_floats()),
                   blocks + (shared_ ? 0 : slot * block_floats()), *this);
    };
    const int64_t products = kWinogradPositions * panels_;
    if (!shared_) {
      const int64_t parts = parts_of(tiles_.count(), block_, threads_);
      parallel_parts(parts, threads_, [&](int64_t part, int64_t slot) {
        const int64_t end = tiles_.count() * (part + 1) / parts;
        const Block mine = memory(slot);
        for (int64_t first = tiles_.count() * part / parts; first < end; first += block_) {
          const int64_t n = std::min(block_, end - first);
          transform(first, {0, n}, x, mine);
          multiply(n, {0, products}, packed, mine);
          restore(first, {0, n}, tail, y, mine);
        }
        if (split_) split_->release();
      });
      return;
    }
    for (int64_t first = 0; first < tiles_.count(); first += block_) {
      const int64_t n = std::min(block_, tiles_.count() - first), tile_parts = parts_of(n, kTilesOfAPart, threads_),
                    product_parts = parts_of(products, 1, threads_);
      parallel_parts(tile_parts, threads_, [&](int64_t part, int64_t slot) {
        transform(first, {n * part / tile_parts, n * (part + 1) / tile_parts}, x, memory(slot));
      });
      parallel_parts(product_parts, threads_, [&](int64_t part, int64_t slot) {
        multiply(n, {products * part / product_parts, products * (part + 1) / product_parts}, packed, memory(slot));
        if (split_) split_->release();
      });
      parallel_parts(tile_parts, threads_, [&](int64_t part, int64_t slot) {
        restore(first, {n * part / tile_parts, n * (part + 1) / tile_parts}, tail, y, memory(slot));
      });
    }
  }

 private:
  /// The transformed inputs and the products of a block: [position][tile][channel].
  struct Block {
    float* zeros;
    std::byte* rows;  // one thread's: a position's inputs in three parts
    float *v, *m;
    int64_t v_row, m_row, v_position, m_position;
    Block(float* zero_pixel, std::byte* split_rows, float* memory, const WinogradProduct& p)
        : zeros(zero_pixel),
          rows(split_rows),
          v(memory),
          v_row(p.in_ + kPadding),
          m_row(p.out_ + kPadding),
          v_position(p.block_ * v_row),
          m_position(p.block_ * m_row) {
      m = v + kWinogradPositions * v_position;
    }
  };

  int64_t position_elements() const {
    return split_ ? out_ / SplitTiles::kColumns * split_tile_ / static_cast<int64_t>(sizeof(float))
                  : panels_ * product_.columns * in_;
  }
  int64_t split_floats() const {
    return split_ ? (block_ / SplitTiles::kRows + 1) * split_tile_ / static_cast<int64_t>(sizeof(float)) : 0;
  }
  int64_t block_floats() const { return kWinogradPositions * block_ * (in_ + kPadding + out_ + kPadding); }

  void transform(int64_t first, IndexRange tiles, const float* x, const Block& block) const {
    const float* inputs[36];
    for (int64_t i = tiles.first; i < tiles.last; ++i) {
      tiles_.inputs(first + i, x, in_, block.zeros, inputs);
      transforms_.input(in_, inputs, block.v + i * block.v_row, block.v_position);
    }
  }

  /// Filters in three parts: [position][16 columns][step of the depth].
  void pack_parts(const float* w, int64_t k_stride, int64_t n_stride, bool turned, std::byte* packed) const {
    constexpr int64_t kDepth = SplitTiles::kDepth;
    static_assert(kWinogradChannels == SplitTiles::kColumns);
    const int64_t steps = SplitTiles::steps(in_),
                  position_bytes = position_elements() * static_cast<int64_t>(sizeof(float));
    parallel_for(out_ / SplitTiles::kColumns * steps, 1, [&](int64_t first, int64_t last) {
      alignas(64) float made[kDepth * kWinogradPositions * kWinogradChannels];
      const float* lines[kDepth];
      for (int64_t unit = first; unit < last; ++unit) {
        const int64_t n = unit / steps * SplitTiles::kColumns, k0 = unit % steps * kDepth,
                      depth = std::min(kDepth, in_ - k0);
        for (int64_t k = 0; k < depth; ++k) {
          const float* filters = w + n * n_stride + (k0 + k) * k_stride;
          transforms_.weights(turned ? filters + 8 : filters, n_stride, turned ? -1 : 1,
                              made + k * kWinogradPositions * kWinogradChannels, kWinogradChannels);
        }
        for (int64_t position = 0; position < kWinogradPositions; ++position) {
          for (int64_t k = 0; k < depth; ++k) lines[k] = made + (k * kWinogradPositions + position) * kWinogradChannels;
          split_->pack_depth_of_columns(lines, depth, SplitTiles::kColumns,
                                        packed + position * position_bytes + unit * SplitTiles::kStepBytes,
                                        split_tile_);
        }
      }
    });
  }

  void multiply_parts(int64_t n, int64_t position, IndexRange columns, const float* packed, const Block& block) const {
    const float* lines[kSharedTiles];
    for (int64_t i = 0; i < n; ++i) lines[i] = block.v + position * block.v_position + i * block.v_row;
    const int64_t height = SplitTiles::height(n);
    split_->configure(height);
    split_->pack_rows(lines, n, in_, height, block.rows, split_tile_);
    split_->multiply({n, columns.last - columns.first, SplitTiles::steps(in_), height, block.rows, split_tile_,
                      reinterpret_cast<const std::byte*>(packed + position * position_elements()) +
                          columns.first / SplitTiles::kColumns * split_tile_,
                      split_tile_, block.m + position * block.m_position + columns.first, block.m_row});
  }

  /// `products`: of all panels of all positions.
  void multiply(int64_t n, IndexRange products, const float* packed, const Block& block) const {
    const int64_t tile_rows = product_.tile_rows(n), panels = panels_, width = panel_;
    for (int64_t next = products.first; next < products.last;) {
      const int64_t position = next / panels, panel = next % panels,
                    last = std::min(panels, panel + products.last - next);
      if (split_) {
        multiply_parts(n, position, {panel * width, std::min(last * width, out_)}, packed, block);
        next += last - panel;
        continue;
      }
      const int64_t columns = std::min(last * width, out_) - panel * width;
      for (int64_t k = 0; k < in_; k += kDepthBlock) {
        product_.multiply_rows({n,
                                columns,
                                std::min(kDepthBlock, in_ - k),
                                block.v + position * block.v_position + k,
                                block.v_row,
                                tile_rows * block.v_row,
                                tile_rows,
                                packed + position * position_elements() + (panel * in_ + k) * width,
                                width,
                                in_ * width,
                                block.m + position * block.m_position + panel * width,
                                block.m_row,
                                k > 0,
                                nullptr,
                                false,
                                {}});
      }
      next += last - panel;
    }
  }

  void restore(int64_t first, IndexRange tiles, const TileTail& tail, float* y, const Block& block) const {
    float* outputs[16];
    const float* residual[16];
    for (int64_t i = tiles.first; i < tiles.last; ++i) {
      tiles_.outputs(first + i, y, out_, nullptr, outputs);
      if (tail.residual) tiles_.outputs(first + i, tail.residual, out_, nullptr, residual);
      transforms_.output(out_, block.m + i * block.m_row, block.m_position, tail, tail.residual ? residual : nullptr,
                         outputs);
    }
  }

  static constexpr int64_t kSplitRows = 2 * SplitTiles::kRows, kSplitColumns = 2 * SplitTiles::kColumns;
  const TileKernels& product_ = tile_kernels();
  const SplitTiles* const split_ = split_tiles();  // null: product_ multiplies
  const WinogradTransforms& transforms_ = winograd_transforms();
  WinogradTiles tiles_;
  int64_t in_, out_;
  int threads_;
  bool shared_;
  int64_t block_, panel_ = 0, panels_ = 0;
  int64_t split_tile_ = 0;  // bytes of 16 rows or columns in three parts
};

class WinogradForward final : public Kernel {
 public:
  WinogradForward(const Convolution& op, const KernelRequest& request)
      : product_(WinogradTiles(request.inputs[0].shape, request.outputs[0].shape, op.window.padding.top,
                               op.window.padding.left),
                 request.inputs[0].shape[1], request.outputs[0].shape[1]),
        weights_(request.inputs[1], product_.packed_elements(),
                 [product = product_, in = request.inputs[0].shape[1]](const float* w, float* packed) {
                   product.pack(w, 9, 9 * in, false, packed);
                 }),
        has_bias_(request.inputs.size() > 2 && request.inputs[2].present),
        tail_(op.tail) {}
  size_t scratch_bytes() const override { return weights_.scratch_bytes() + product_.scratch_bytes(); }
  void run(const KernelArguments& a) override {
    const float* packed = weights_.get(a.inputs[1], a.scratch);
    const TileTail tail = tail_of(tail_, has_bias_, a);
    product_.run(static_cast<const float*>(a.inputs[0]), packed, tail, static_cast<float*>(a.outputs[0]),
                 static_cast<std::byte*>(a.scratch) + weights_.scratch_bytes());
  }

 private:
  WinogradProduct product_;
  PackedWeights weights_;
  bool has_bias_;
  Epilogue tail_;
};

/// dx = dy convolved with the filters turned round, their inputs and outputs exchanged, padding 2 - padding.
class WinogradBackwardData final : public Kernel {
 public:
  WinogradBackwardData(const ConvolutionBackwardData& op, const KernelRequest& request)
      : product_(WinogradTiles(request.inputs[0].shape, request.outputs[0].shape, 2 - op.window.padding.top,
                               2 - op.window.padding.left),
                 request.inputs[0].shape[1], request.outputs[0].shape[1]),
        weights_(request.inputs[1], product_.packed_elements(),
                 [product = product_, out = request.outputs[0].shape[1]](const float* w, float* packed) {
                   product.pack(w, 9 * out, 9, true, packed);
                 }),
        tail_(op.tail) {}
  size_t scratch_bytes() const override { return weights_.scratch_bytes() + product_.scratch_bytes(); }
  void run(const KernelArguments& a) override {
    const float* packed = weights_.get(a.inputs[1], a.scratch);
    const TileTail tail{nullptr, tail_.residual ? static_cast<const float*>(a.inputs[2]) : nullptr, tail_.activation};
    product_.run(static_cast<const float*>(a.inputs[0]), packed, tail, static_cast<float*>(a.outputs[0]),
                 static_cast<std::byte*>(a.scratch) + weights_.scratch_bytes());
  }

 private:
  WinogradProduct product_;
  PackedWeights weights_;
  Epilogue tail_;
};

}  // namespace

/// Transformed filters are four times as large as the filters: with few tiles, reading them costs more than is saved.
bool winograd_pays(const Window2d& window, int64_t groups, const Operand& x, const Operand& y) {
  const int64_t tiles = y.shape[0] * ((y.shape[2] + 3) / 4) * ((y.shape[3] + 3) / 4);
  return winograd_serves(window, groups, x, y) && tiles * 2048 >= x.shape[1] * y.shape[1];
}

std::unique_ptr<Kernel> winograd_forward(const Convolution& op, const KernelRequest& request) {
  if (!winograd_pays(op.window, op.groups, request.inputs[0], request.outputs[0])) return nullptr;
  return std::make_unique<WinogradForward>(op, request);
}

std::unique_ptr<Kernel> winograd_backward_data(const ConvolutionBackwardData& op, const KernelRequest& request) {
  if (!winograd_pays(op.window, op.groups, request.outputs[0], request.inputs[0])) return nullptr;
  return std::make_unique<WinogradBackwardData>(op, request);
}

}  // namespace graft::cpu
