#include "runtime/ops/grid_sample.h"

#include <algorithm>

#include "runtime/core/parallel.h"
#include "runtime/cpu/kernel_table.h"
#include "runtime/cpu/onednn.h"

namespace graft::cpu {
namespace {

/// Strides of N×C×H×W, or of a grid N×H×W×2.
struct Places {
  explicit Places(const Operand& o) : shape(o.shape), strides(o.strides) {}
  int64_t of(int64_t picture, int64_t row, int64_t column) const {
    return picture * strides[0] + row * strides[2] + column * strides[3];
  }
  Shape shape;
  Strides strides;
};

class Grid {
 public:
  explicit Grid(const Operand& o) : shape_(o.shape), strides_(o.strides) {}
  int64_t pictures() const { return shape_[0]; }
  int64_t rows() const { return shape_[1]; }
  int64_t columns() const { return shape_[2]; }
  int64_t at(int64_t n, int64_t row, int64_t column) const {
    return n * strides_[0] + row * strides_[1] + column * strides_[2];
  }
  int64_t step() const { return strides_[3]; }
  GridSample::Taps taps(const GridSample& op, const float* grid, int64_t n, int64_t row, int64_t column,
                        const Shape& picture) const {
    const float* place = grid + at(n, row, column);
    return op.taps(place[0], place[step()], picture[2], picture[3]);
  }

 private:
  Shape shape_;
  Strides strides_;
};

class GridSampleKernel final : public Kernel {
 public:
  GridSampleKernel(const GridSample& op, const KernelRequest& r)
      : op_(op), x_(r.inputs[0]), grid_(r.inputs[1]), y_(r.outputs[0]) {}
  void run(const KernelArguments& a) override {
    const auto *x = static_cast<const float*>(a.inputs[0]), *grid = static_cast<const float*>(a.inputs[1]);
    auto* y = static_cast<float*>(a.outputs[0]);
    parallel_for(grid_.pictures() * grid_.rows(), 1, [&](int64_t first, int64_t last) {
      for (int64_t line = first; line < last; ++line)
        for (int64_t column = 0; column < grid_.columns(); ++column)
          sample(x, grid, y, line / grid_.rows(), line % grid_.rows(), column);
    });
  }

 private:
  void sample(const float* x, const float* grid, float* y, int64_t n, int64_t row, int64_t column) const {
    const GridSample::Taps taps = grid_.taps(op_, grid, n, row, column, x_.shape);
    float* to = y + y_.of(n, row, column);
    const int64_t channels = x_.shape[1], from_step = x_.strides[1], to_step = y_.strides[1];
    for (int64_t c = 0; c < channels; ++c) to[c * to_step] = 0;
    for (size_t t = 0; t < taps.count; ++t) {
      const auto& tap = taps.of[t];
      const float* from = x + x_.of(n, tap.row, tap.column);
      for (int64_t c = 0; c < channels; ++c) to[c * to_step] += tap.weight * from[c * from_step];
    }
  }
  GridSample op_;
  Places x_;
  Grid grid_;
  Places y_;
};

/// Threads share pictures and channels out: no two of them add to one pixel.
class PictureGradientKernel final : public Kernel {
 public:
  PictureGradientKernel(const GridSamplePictureGradient& op, const KernelRequest& r)
      : op_(op.forward), dy_(r.inputs[0]), grid_(r.inputs[1]), dx_(r.outputs[0]) {}
  void run(const KernelArguments& a) override {
    const auto *dy = static_cast<const float*>(a.inputs[0]), *grid = static_cast<const float*>(a.inputs[1]);
    auto* dx = static_cast<float*>(a.outputs[0]);
    const int64_t channels = dx_.shape[1], blocks = (channels + kBlock - 1) / kBlock;
    parallel_for(dx_.shape[0] * blocks, 1, [&](int64_t first, int64_t last) {
      for (int64_t part = first; part < last; ++part) {
        const int64_t from = part % blocks * kBlock;
        add(dy, grid, dx, part / blocks, from, std::min(channels, from + kBlock));
      }
    });
  }

 private:
  static constexpr int64_t kBlock = 32;
  void add(const float* dy, const float* grid, float* dx, int64_t n, int64_t from, int64_t to) const {
    for (int64_t row = 0; row < dx_.shape[2]; ++row)
      for (int64_t column = 0; column < dx_.shape[3]; ++column)
        for (int64_t c = from; c < to; ++c) dx[dx_.of(n, row, column) + c * dx_.strides[1]] = 0;
    for (int64_t row = 0; row < grid_.rows(); ++row)
      for (int64_t column = 0; column < grid_.columns(); ++column) {
        const GridSample::Taps taps = grid_.taps(op_, grid, n, row, column, dx_.shape);
        const float* read = dy + dy_.of(n, row, column);
        for (size_t t = 0; t < taps.count; ++t) {
          const auto& tap = taps.of[t];
          float* written = dx + dx_.of(n, tap.row, tap.column);
          for (int64_t c = from; c < to; ++c) written[c * dx_.strides[1]] += tap.weight * read[c * dy_.strides[1]];
        }
      }
  }
  GridSample op_;
  Places dy_;
  Grid grid_;
  Places dx_;
};

class GridGradientKernel final : public Kernel {
 public:
  GridGradientKernel(const GridSampleGridGradient& op, const KernelRequest& r)
      : op_(op.forward), dy_(r.inputs[0]), x_(r.inputs[1]), grid_(r.inputs[2]), dgrid_(r.outputs[0]) {}
  void run(const KernelArguments& a) override {
    const auto *dy = static_cast<const float*>(a.inputs[0]), *x = static_cast<const float*>(a.inputs[1]);
    const auto* grid = static_cast<const float*>(a.inputs[2]);
    auto* dgrid = static_cast<float*>(a.outputs[0]);
    parallel_for(grid_.pictures() * grid_.rows(), 1, [&](int64_t first, int64_t last) {
      for (int64_t line = first; line < last; ++line)
        for (int64_t column = 0; column < grid_.columns(); ++column) {
          const int64_t n = line / grid_.rows(), row = line % grid_.rows();
          const GridSample::Taps taps = grid_.taps(op_, grid, n, row, column, x_.shape);
          const float* given = dy + dy_.of(n, row, column);
          float by_x = 0, by_y = 0;
          for (size_t t = 0; t < taps.count; ++t) {
            const auto& tap = taps.of[t];
            const float* from = x + x_.of(n, tap.row, tap.column);
            float product = 0;
            for (int64_t c = 0; c < x_.shape[1]; ++c) product += given[c * dy_.strides[1]] * from[c * x_.strides[1]];
            by_x += product * tap.by_x;
            by_y += product * tap.by_y;
          }
          float* to = dgrid + dgrid_.at(n, row, column);
          to[0] = by_x;
          to[dgrid_.step()] = by_y;
        }
    });
  }

 private:
  GridSample op_;
  Places dy_, x_;
  Grid grid_, dgrid_;
};

template <typename Made, typename Op>
std::unique_ptr<Kernel> make(const Op& op, const KernelRequest& r) {
  require_f32(r);
  return std::make_unique<Made>(op, r);
}

}  // namespace

void register_grid_sample(KernelTable& table) {
  table.add<GridSample>(make<GridSampleKernel, GridSample>);
  table.add<GridSamplePictureGradient>(make<PictureGradientKernel, GridSamplePictureGradient>);
  table.add<GridSampleGridGradient>(make<GridGradientKernel, GridSampleGridGradient>);
}

}  // namespace graft::cpu
