#include "runtime/ops/pool.h"

#include <cmath>

#include "runtime/cuda/indexing.h"
#include "runtime/cuda/kernel_files.h"
#include "runtime/cuda/launched.h"
#include "runtime/cuda/numbers.h"

namespace graft::cuda {
namespace {

/// A picture stack by its strides.
struct Plane {
  int64_t batch, channels, height, width, n, c, h, w;
  explicit Plane(const Operand& o)
      : batch(o.shape[0]),
        channels(o.shape[1]),
        height(o.shape[2]),
        width(o.shape[3]),
        n(o.strides[0]),
        c(o.strides[1]),
        h(o.strides[2]),
        w(o.strides[3]) {}
  GRAFT_DEVICE int64_t at(int64_t image, int64_t channel, int64_t y, int64_t x) const {
    return image * n + channel * c + y * h + x * w;
  }
};

/// Which element a loop over a plane is at, channels running fastest.
struct Element {
  int64_t image, channel, y, x;
  GRAFT_DEVICE Element(const Plane& p, int64_t i) {
    channel = i % p.channels;
    i /= p.channels;
    x = i % p.width;
    i /= p.width;
    y = i % p.height;
    image = i / p.height;
  }
};

/// One dimension of a window.
struct Axis {
  int64_t kernel, stride, dilation, before, after, extent, outputs;
  GRAFT_DEVICE int64_t origin(int64_t output) const { return output * stride - before; }
  /// Taps inside the picture: [first, last).
  GRAFT_DEVICE int64_t first(int64_t output) const {
    const int64_t o = origin(output);
    return o >= 0 ? 0 : (-o + dilation - 1) / dilation;
  }
  GRAFT_DEVICE int64_t last(int64_t output) const {
    const int64_t space = extent - origin(output), taps = space <= 0 ? 0 : (space + dilation - 1) / dilation;
    return taps < kernel ? taps : kernel;
  }
  /// Taps inside picture and padding: windows of ceil rounding may hang over, and what hangs over does not count.
  GRAFT_DEVICE int64_t padded(int64_t output) const {
    const int64_t taps = (extent + after - origin(output) + dilation - 1) / dilation;
    return taps < kernel ? taps : kernel;
  }
  /// Outputs whose window may hold input i: [first_output, last_output].
  GRAFT_DEVICE int64_t first_output(int64_t i) const {
    const int64_t reach = i + before - (kernel - 1) * dilation;
    return reach <= 0 ? 0 : (reach + stride - 1) / stride;
  }
  GRAFT_DEVICE int64_t last_output(int64_t i) const {
    const int64_t o = (i + before) / stride;
    return o < outputs - 1 ? o : outputs - 1;
  }
  /// Whether output o has a tap on input i.
  GRAFT_DEVICE bool holds(int64_t o, int64_t i) const { return (i - origin(o)) % dilation == 0; }
};

struct Axes {
  Axis y, x;
  Axes(const Window2d& w, const Plane& in, const Plane& out)
      : y{w.kernel.height, w.stride.height, w.dilation.height, w.padding.top, w.padding.bottom, in.height, out.height},
        x{w.kernel.width, w.stride.width, w.dilation.width, w.padding.left, w.padding.right, in.width, out.width} {}
};

template <typename T>
struct Largest {
  const T* in;
  T* out;
  int32_t* positions;
  Plane from, to;
  Axes axes;
  GRAFT_DEVICE void operator()(int64_t i) const {
    const Element e(to, i);
    const int64_t y0 = axes.y.origin(e.y), x0 = axes.x.origin(e.x);
    float best = -INFINITY;
    int32_t position = 0;
    for (int64_t ky = axes.y.first(e.y); ky < axes.y.last(e.y); ++ky)
      for (int64_t kx = axes.x.first(e.x); kx < axes.x.last(e.x); ++kx) {
        const int64_t y = y0 + ky * axes.y.dilation, x = x0 + kx * axes.x.dilation;
        const float v = value_of(in[from.at(e.image, e.channel, y, x)]);
        if (v > best || v != v) {  // NaN wins
          best = v;
          position = static_cast<int32_t>(y * from.width + x);
        }
      }
    const int64_t at = to.at(e.image, e.channel, e.y, e.x);
    out[at] = rounded<T>(best);
    if (positions) positions[at] = position;
  }
};

/// Each input asks the outputs whose window held it: nothing is added twice at once, and the order of the sum is fixed.
template <typename T>
struct LargestGradient {
  const T* dy;
  const int32_t* positions;
  T* dx;
  Plane out, in;
  Axes axes;
  GRAFT_DEVICE void operator()(int64_t i) const {
    const Element e(in, i);
    const auto own = static_cast<int32_t>(e.y * in.width + e.x);
    float sum = 0;
    for (int64_t oy = axes.y.first_output(e.y); oy <= axes.y.last_output(e.y); ++oy)
      for (int64_t ox = axes.x.first_output(e.x); ox <= axes.x.last_output(e.x); ++ox) {
        const int64_t at = out.at(e.image, e.channel, oy, ox);
        if (positions[at] == own) sum += value_of(dy[at]);
      }
    dx[in.at(e.image, e.channel, e.y, e.x)] = rounded<T>(sum);
  }
};

GRAFT_DEVICE inline float divisor(const Axes& axes, AveragePool::Count count, int64_t oy, int64_t ox) {
  if (count == AveragePool::Count::none) return 1;
  if (count == AveragePool::Count::padding_too) return static_cast<float>(axes.y.padded(oy) * axes.x.padded(ox));
  const int64_t taps = (axes.y.last(oy) - axes.y.first(oy)) * (axes.x.last(ox) - axes.x.first(ox));
  return taps > 1 ? static_cast<float>(taps) : 1.0f;
}

template <typename T>
struct Average {
  const T* in;
  T* out;
  Plane from, to;
  Axes axes;
  AveragePool::Count count;
  GRAFT_DEVICE void operator()(int64_t i) const {
    const Element e(to, i);
    const float weight = 1 / divisor(axes, count, e.y, e.x);
    float sum = 0;
    for (int64_t ky = axes.y.first(e.y); ky < axes.y.last(e.y); ++ky)
      for (int64_t kx = axes.x.first(e.x); kx < axes.x.last(e.x); ++kx) {
        sum += weight * value_of(in[from.at(e.image, e.channel, axes.y.origin(e.y) + ky * axes.y.dilation,
                                            axes.x.origin(e.x) + kx * axes.x.dilation)]);
      }
    out[to.at(e.image, e.channel, e.y, e.x)] = rounded<T>(sum);
  }
};

template <typename T>
struct AverageGradient {
  const T* dy;
  T* dx;
  Plane out, in;
  Axes axes;
  AveragePool::Count count;
  GRAFT_DEVICE void operator()(int64_t i) const {
    const Element e(in, i);
    float sum = 0;
    for (int64_t oy = axes.y.first_output(e.y); oy <= axes.y.last_output(e.y); ++oy)
      for (int64_t ox = axes.x.first_output(e.x); ox <= axes.x.last_output(e.x); ++ox) {
        if (axes.y.holds(oy, e.y) && axes.x.holds(ox, e.x))
          sum += value_of(dy[out.at(e.image, e.channel, oy, ox)]) / divisor(axes, count, oy, ox);
      }
    dx[in.at(e.image, e.channel, e.y, e.x)] = rounded<T>(sum);
  }
};

std::unique_ptr<Kernel> make_max(const Launcher& launcher, const MaxPool& op, const KernelRequest& r) {
  const Operand &x = r.inputs[0], &y = r.outputs[0];
  if (!is_real(x.dtype)) return nullptr;
  const Plane from(x), to(y);
  return visit_real(x.dtype, [&](auto tag) {
    using T = decltype(tag);
    return launched([&launcher, from, to, axes = Axes(op.window, from, to), keep = op.keep_positions,
                     count = y.shape.elements()](const KernelArguments& a) {
      auto* positions = keep ? static_cast<int32_t*>(a.outputs[1]) : nullptr;
      launcher.each(count, Largest<T>{static_cast<const T*>(a.inputs[0]), static_cast<T*>(a.outputs[0]), positions,
                                      from, to, axes});
    });
  });
}

std::unique_ptr<Kernel> make_max_gradient(const Launcher& launcher, const MaxPoolGradient& op, const KernelRequest& r) {
  const Operand &dy = r.inputs[0], &dx = r.outputs[0];
  if (!is_real(dy.dtype)) return nullptr;
  const Plane out(dy), in(dx);
  return visit_real(dy.dtype, [&](auto tag) {
    using T = decltype(tag);
    return launched(
        [&launcher, out, in, axes = Axes(op.window, in, out), count = dx.shape.elements()](const KernelArguments& a) {
          launcher.each(count,
                        LargestGradient<T>{static_cast<const T*>(a.inputs[0]), static_cast<const int32_t*>(a.inputs[1]),
                                           static_cast<T*>(a.outputs[0]), out, in, axes});
        });
  });
}

std::unique_ptr<Kernel> make_average(const Launcher& launcher, const AveragePool& op, const KernelRequest& r) {
  const Operand &x = r.inputs[0], &y = r.outputs[0];
  if (!is_real(x.dtype)) return nullptr;
  const Plane from(x), to(y);
  return visit_real(x.dtype, [&](auto tag) {
    using T = decltype(tag);
    return launched([&launcher, from, to, axes = Axes(op.window, from, to), how = op.count,
                     count = y.shape.elements()](const KernelArguments& a) {
      launcher.each(count,
                    Average<T>{static_cast<const T*>(a.inputs[0]), static_cast<T*>(a.outputs[0]), from, to, axes, how});
    });
  });
}

std::unique_ptr<Kernel> make_average_gradient(const Launcher& launcher, const AveragePoolGradient& op,
                                              const KernelRequest& r) {
  const Operand &dy = r.inputs[0], &dx = r.outputs[0];
  if (!is_real(dy.dtype)) return nullptr;
  const Plane out(dy), in(dx);
  return visit_real(dy.dtype, [&](auto tag) {
    using T = decltype(tag);
    return launched([&launcher, out, in, axes = Axes(op.window, in, out), how = op.count,
                     count = dx.shape.elements()](const KernelArguments& a) {
      launcher.each(count, AverageGradient<T>{static_cast<const T*>(a.inputs[0]), static_cast<T*>(a.outputs[0]), out,
                                              in, axes, how});
    });
  });
}

}  // namespace

void register_pool(KernelTable& table, const Launcher& launcher) {
  table.add<MaxPool>([&launcher](const MaxPool& op, const KernelRequest& r) { return make_max(launcher, op, r); });
  table.add<MaxPoolGradient>(
      [&launcher](const MaxPoolGradient& op, const KernelRequest& r) { return make_max_gradient(launcher, op, r); });
  table.add<AveragePool>(
      [&launcher](const AveragePool& op, const KernelRequest& r) { return make_average(launcher, op, r); });
  table.add<AveragePoolGradient>([&launcher](const AveragePoolGradient& op, const KernelRequest& r) {
    return make_average_gradient(launcher, op, r);
  });
}

}  // namespace graft::cuda
