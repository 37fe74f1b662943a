#include "runtime/cpu/convolution/split_product.h"

#include <algorithm>

#include "runtime/core/parallel.h"
#include "runtime/cpu/convolution/moved_pixels.h"
#include "runtime/cpu/row_pieces.h"
#include "runtime/cpu/walk.h"

namespace graft::cpu {
namespace {

constexpr int64_t kBlockSteps = 16;  // of the depth: a panel of weights and two tiles of pixels of that depth stay near
constexpr int64_t kBlockBytes =
    int64_t{1} << 20;  // of a block's operands and results: they share the second cache with the weights
constexpr int64_t kMostRows = 256, kFewestRows = 32;  // of a block
constexpr int64_t kStepBytes = SplitTiles::kStepBytes;
constexpr int64_t kRowStepBytes = kStepBytes / SplitTiles::kRows;

size_t whole_lines(int64_t bytes) { return static_cast<size_t>((bytes + 63) / 64 * 64); }

}  // namespace

std::vector<SplitProductOverPixels::Phase> SplitProductOverPixels::forward(const Window2d& window, const Shape& y) {
  Phase phase{y[2], y[3], 0, 0, {1, 1}, window.stride, {}};
  for (int64_t ky = 0; ky < window.kernel.height; ++ky)
    for (int64_t kx = 0; kx < window.kernel.width; ++kx)
      phase.taps.push_back({ky * window.dilation.height - window.padding.top,
                            kx * window.dilation.width - window.padding.left, ky * window.kernel.width + kx});
  return {phase};
}

std::vector<SplitProductOverPixels::Phase> SplitProductOverPixels::backward(const Window2d& window, const Shape& dx) {
  std::vector<Phase> phases;
  for (int64_t top = 0; top < std::min(window.stride.height, dx[2]); ++top)
    for (int64_t left = 0; left < std::min(window.stride.width, dx[3]); ++left) {
      Phase phase{(dx[2] - top + window.stride.height - 1) / window.stride.height,
                  (dx[3] - left + window.stride.width - 1) / window.stride.width,
                  top,
                  left,
                  window.stride,
                  {1, 1},
                  {}};
      for (int64_t ky = 0; ky < window.kernel.height; ++ky)
        for (int64_t kx = 0; kx < window.kernel.width; ++kx) {
          const int64_t y = top + window.padding.top - ky * window.dilation.height,
                        x = left + window.padding.left - kx * window.dilation.width;
          if (y % window.stride.height == 0 && x % window.stride.width == 0)
            phase.taps.push_back({y / window.stride.height, x / window.stride.width, ky * window.kernel.width + kx});
        }
      phases.push_back(std::move(phase));
    }
  return phases;
}

SplitProductOverPixels::SplitProductOverPixels(const Shape& source, const Shape& result, std::vector<Phase> phases,
                                               WeightStrides strides, int64_t beside)
    : tiles_(*split_tiles()),
      phases_(std::move(phases)),
      strides_(strides),
      images_(source[0]),
      source_height_(source[2]),
      source_width_(source[3]),
      result_height_(result[2]),
      result_width_(result[3]),
      depth_(source[1]),
      columns_(result[1]),
      tap_steps_(SplitTiles::steps(depth_)),
      threads_(thread_count()) {
  for (const Phase& phase : phases_) {
    largest_steps_ = std::max(largest_steps_, steps(phase));
    largest_rows_ = std::max(largest_rows_, rows(phase));
    packed_bytes_ += columns_ / SplitTiles::kColumns * steps(phase) * kStepBytes;
  }
  dense_ = phases_.size() == 1 && phases_[0].step.height == 1 && phases_[0].step.width == 1;
  // Few pixels: threads share the columns, so that each reads only its part of the weights.
  split_columns_ = largest_rows_ < int64_t{threads_} * kFewestRows * 2;
  block_steps_ = std::min(largest_steps_, kBlockSteps);
  const int64_t row_bytes =
      block_steps_ * kRowStepBytes + columns_ * static_cast<int64_t>(sizeof(float)) * (1 + beside);
  block_rows_ = std::clamp(kBlockBytes / row_bytes / kFewestRows * kFewestRows, kFewestRows, kMostRows);
  a_bytes_ = static_cast<size_t>(block_rows_ / SplitTiles::kRows + 1) * static_cast<size_t>(block_steps_ * kStepBytes);
  sums_bytes_ =
      largest_steps_ > block_steps_ ? whole_lines(block_rows_ * columns_ * static_cast<int64_t>(sizeof(float))) : 0;
  thread_bytes_ = a_bytes_ + sums_bytes_ + 2 * whole_lines(block_rows_ * static_cast<int64_t>(sizeof(void*)));
}

void SplitProductOverPixels::pack(const float* w, float* packed) const {
  constexpr int64_t kDepth = SplitTiles::kDepth, kColumns = SplitTiles::kColumns;
  auto* to = reinterpret_cast<std::byte*>(packed);
  for (const Phase& phase : phases_) {
    const int64_t tile = steps(phase) * kStepBytes;
    parallel_for(columns_ / kColumns, 1, [&](int64_t first, int64_t last) {
      float gathered[kDepth * kColumns];
      const float* lines[kDepth];
      for (int64_t n = first * kColumns; n < last * kColumns; n += kColumns) {
        std::byte* step = to + n / kColumns * tile;
        for (const Tap& tap : phase.taps)
          for (int64_t k = 0; k < depth_; k += kDepth, step += kStepBytes) {
            const float* from = w + k * strides_.k + n * strides_.n + tap.weight;
            const int64_t depth = std::min(kDepth, depth_ - k);
            // Lines run along whichever of k and n is the nearer in memory.
            const bool along_k = strides_.k < strides_.n;
            const int64_t count = along_k ? kColumns : depth, length = along_k ? depth : kColumns;
            const int64_t line = along_k ? strides_.n : strides_.k, stride = along_k ? strides_.k : strides_.n;
            for (int64_t i = 0; i < count; ++i) {
              lines[i] = stride == 1 ? from + i * line : gathered + i * length;
              if (stride != 1)
                for (int64_t j = 0; j < length; ++j) gathered[i * length + j] = from[i * line + j * stride];
            }
            if (along_k)
              tiles_.pack_columns(lines, count, depth, step, tile);
            else
              tiles_.pack_depth_of_columns(lines, count, kColumns, step, tile);
          }
      }
    });
    to += columns_ / kColumns * tile;
  }
}

/// What all blocks share.
struct SplitProductOverPixels::Call {
  const float* source;
  const TileTail& tail;
  float* result;
  std::array<const float*, 2> beside;
};

template <typename Body>
void SplitProductOverPixels::for_blocks(IndexRange range, const Body& body) const {
  // Blocks of nearly one size, and whole pairs of tiles where there are enough.
  const int64_t blocks = (range.size() + block_rows_ - 1) / block_rows_;
  const int64_t even = blocks == 0 ? 0 : (range.size() + blocks - 1) / blocks;
  const int64_t size = range.size() >= 2 * kFewestRows ? (even + kFewestRows - 1) / kFewestRows * kFewestRows : even;
  for (int64_t r = range.first; r < range.last; r += size) body(IndexRange{r, std::min(range.last, r + size)});
}

void SplitProductOverPixels::run(const float* source, const float* packed, const TileTail& tail, float* result,
                                 void* scratch, const AfterBlock* after, std::array<const float*, 2> beside) const {
  const Call call{source, tail, result, beside};
  const auto* weights = reinterpret_cast<const std::byte*>(packed);
  // Pixels that no tap reaches, one beside each that some do, are written all at once, or have their residual already.
  const bool some_empty =
      std::any_of(phases_.begin(), phases_.end(), [](const Phase& phase) { return phase.taps.empty(); });
  const bool keep = tail.activation.kind == Activation::Kind::none && tail.residual == result;
  const bool clear = some_empty && !tail.bias && !tail.residual &&
                     (tail.activation.kind == Activation::Kind::none || tail.activation.kind == Activation::Kind::relu);
  if (clear)
    parallel_for(images_ * result_height_ * result_width_ * columns_, kGrain,
                 [&](int64_t first, int64_t last) { std::fill(result + first, result + last, 0.0f); });
  const int64_t panels = columns_ / SplitTiles::kColumns;
  const int64_t parts = split_columns_ ? std::min<int64_t>(panels, threads_) : kRowPieces;
  for (const Phase& phase : phases_) {
    if (phase.taps.empty() && (clear || keep)) continue;
    const int64_t all = rows(phase);
    parallel_parts(parts, threads_, [&](int64_t part, int64_t slot) {
      std::byte* const mine = static_cast<std::byte*>(scratch) + static_cast<size_t>(slot) * thread_bytes_;
      const IndexRange whole_rows{0, all}, whole_columns{0, columns_};
      const IndexRange columns = split_columns_ ? IndexRange{panels * part / parts * SplitTiles::kColumns,
                                                             panels * (part + 1) / parts * SplitTiles::kColumns}
                                                : whole_columns;
      for_blocks(
          split_columns_ ? whole_rows : IndexRange{first_row_of_piece(all, part), first_row_of_piece(all, part + 1)},
          [&](IndexRange block) {
            run_block(phase, weights, block, columns, call, mine);
            if (after) after->see(part, block.first, block.size());
          });
      tiles_.release();
    });
    weights += panels * steps(phase) * kStepBytes;
  }
}

void SplitProductOverPixels::see_all(const AfterBlock& after) const {
  const int64_t all = images_ * result_height_ * result_width_;
  parallel_for(kRowPieces, 1, [&](int64_t first, int64_t last) {
    for (int64_t piece = first; piece < last; ++piece)
      for_blocks({first_row_of_piece(all, piece), first_row_of_piece(all, piece + 1)},
                 [&](IndexRange block) { after.see(piece, block.first, block.size()); });
  });
}

void SplitProductOverPixels::run_block(const Phase& phase, const std::byte* packed, IndexRange rows, IndexRange columns,
                                       const Call& call, std::byte* scratch) const {
  const int64_t height = SplitTiles::height(rows.size()), all_steps = steps(phase), tile = block_steps_ * kStepBytes;
  auto* const sums = reinterpret_cast<float*>(scratch + a_bytes_);
  auto** const lines = reinterpret_cast<const float**>(scratch + a_bytes_ + sums_bytes_);
  auto** const results = reinterpret_cast<float**>(scratch + a_bytes_ + sums_bytes_ +
                                                   whole_lines(block_rows_ * static_cast<int64_t>(sizeof(void*))));
  tiles_.configure(height);
  TileTail tail = call.tail;
  if (tail.bias) tail.bias += columns.first;
  const int64_t origin = (dense_ ? rows.first * columns_ : 0) + columns.first;
  if (tail.residual) tail.residual += origin;
  const bool plain = !tail.bias && !tail.residual && tail.activation.kind == Activation::Kind::none;
  if (!dense_) locate_results(phase, rows, call.result + columns.first, results);
  for (int64_t first = 0; first == 0 || first < all_steps; first += block_steps_) {
    const IndexRange part{first, std::min(all_steps, first + block_steps_)};
    const bool begins = part.first == 0, ends = part.last == all_steps;
    pack_sources(phase, rows, part, height, call.source, lines, scratch, tile);
    SplitProduct product{
        rows.size(),
        columns.size(),
        part.size(),
        height,
        scratch,
        tile,
        packed + columns.first / SplitTiles::kColumns * all_steps * kStepBytes + part.first * kStepBytes,
        all_steps * kStepBytes,
        sums,
        columns.size()};
    product.sums = begins ? nullptr : sums;
    product.sums_row = columns.size();
    if (ends) {
      product.c = call.result + origin;
      product.c_row = columns_;
      product.c_rows = dense_ ? nullptr : results;
      product.tail = plain ? nullptr : &tail;
      for (size_t i = 0; i < call.beside.size(); ++i)
        if (call.beside[i])
          product.ahead[i] = {call.beside[i] + rows.first * columns_, 1, rows.size() * columns_ / kLineFloats, 0};
    }
    // Of the rows that come next, the share that falls to this part of the depth.
    const int64_t step_rows = phase.stride.height * phase.stride.width;
    if (phase.taps.size() == 1) {
      const float* next =
          call.source + rows.last * step_rows * depth_ + rows.size() * step_rows * first * SplitTiles::kDepth;
      if (step_rows == 1) product.ahead[2] = {next, 1, rows.size() * part.size() * SplitTiles::kDepth / kLineFloats, 0};
    }
    tiles_.multiply(product);
  }
}

void SplitProductOverPixels::pack_sources(const Phase& phase, IndexRange rows, IndexRange part, int64_t height,
                                          const float* source, const float** lines, std::byte* to, int64_t tile) const {
  const MovedPixels pixels{phase.rows, phase.columns, phase.stride, source_height_, source_width_, depth_};
  for (int64_t step = part.first; step < part.last;) {
    const int64_t tap = step / tap_steps_, end = std::min(part.last, (tap + 1) * tap_steps_);
    const int64_t channel = step % tap_steps_ * SplitTiles::kDepth;
    const Tap& moved = phase.taps[static_cast<size_t>(tap)];
    pixels.locate(rows.first, rows.size(), moved.y, moved.x, source + channel, lines);
    tiles_.pack_rows(lines, rows.size(), std::min(depth_ - channel, (end - step) * SplitTiles::kDepth), height, to,
                     tile);
    to += (end - step) * kStepBytes;
    step = end;
  }
}

void SplitProductOverPixels::locate_results(const Phase& phase, IndexRange rows, float* result, float** lines) const {
  for (int64_t r = 0; r < rows.size(); ++r) {
    const int64_t at = rows.first + r, j = at % phase.columns, i = at / phase.columns % phase.rows,
                  image = at / phase.columns / phase.rows;
    lines[r] = result + ((image * result_height_ + phase.top + i * phase.step.height) * result_width_ + phase.left +
                         j * phase.step.width) *
                            columns_;
  }
}

}  // namespace graft::cpu
