#include <cmath>

#include "runtime/cuda/indexing.h"
#include "runtime/cuda/kernel_files.h"
#include "runtime/cuda/launched.h"
#include "runtime/cuda/numbers.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/broadcast.h"

namespace graft::cuda {
namespace {

GRAFT_DEVICE inline float combine(Binary::Kind kind, float a, float b) {
  using Kind = Binary::Kind;
  switch (kind) {
    case Kind::add:
      return a + b;
    case Kind::sub:
      return a - b;
    case Kind::mul:
      return a * b;
    case Kind::div:
      return a / b;
    case Kind::pow:
      return std::pow(a, b);
    case Kind::max:
      return a != a || a > b ? a : b;
    case Kind::min:
      return a != a || a < b ? a : b;
    case Kind::mod: {  // the result has the divisor's sign
      const float rest = std::fmod(a, b);
      return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
    }
    case Kind::fmod:
      return std::fmod(a, b);
  }
  return a;
}

template <typename T>
struct Combine {
  const T *a, *b;
  T* y;
  Indexer<3> places;
  Binary::Kind kind;
  Activation activation;
  GRAFT_DEVICE void operator()(int64_t i) const {
    const auto p = places(i);
    y[p.at[0]] = rounded<T>(activated(combine(kind, value_of(a[p.at[1]]), value_of(b[p.at[2]])), activation));
  }
};

constexpr int kWidth = 4;

/// Operands of one layout, `width` neighbours a thread.
template <typename T, int width>
struct CombineAlike {
  const T *a, *b;
  T* y;
  Binary::Kind kind;
  Activation activation;
  GRAFT_DEVICE void operator()(int64_t i) const {
    float left[width], right[width];
    load<width>(a + i * width, left);
    load<width>(b + i * width, right);
    for (int k = 0; k < width; ++k) left[k] = activated(combine(kind, left[k], right[k]), activation);
    store<width>(left, y + i * width);
  }
};

std::unique_ptr<Kernel> make(const Launcher& launcher, const Binary& op, const KernelRequest& r) {
  const Operand &a = r.inputs[0], &b = r.inputs[1], &y = r.outputs[0];
  const Indexer<3> places(y.shape, {y.strides, broadcast_strides(a.shape, a.strides, y.shape),
                                    broadcast_strides(b.shape, b.strides, y.shape)});
  if (!is_real(y.dtype) || !all_of(r.inputs, y.dtype) || !places.fits()) return nullptr;
  const bool alike =
      places.is_contiguous(0) && places.is_contiguous(1) && places.is_contiguous(2) && places.count() % kWidth == 0;
  return visit_real(y.dtype, [&](auto tag) -> std::unique_ptr<Kernel> {
    using T = decltype(tag);
    const auto in = [](const KernelArguments& args, size_t i) { return static_cast<const T*>(args.inputs[i]); };
    if (alike) {
      return launched([&launcher, in, count = places.count() / kWidth, kind = op.kind,
                       activation = op.activation](const KernelArguments& args) {
        launcher.each(count, CombineAlike<T, kWidth>{in(args, 0), in(args, 1), static_cast<T*>(args.outputs[0]), kind,
                                                     activation});
      });
    }
    return launched([&launcher, in, places, kind = op.kind, activation = op.activation](const KernelArguments& args) {
      launcher.each(places.count(),
                    Combine<T>{in(args, 0), in(args, 1), static_cast<T*>(args.outputs[0]), places, kind, activation});
    });
  });
}

}  // namespace

void register_binary(KernelTable& table, const Launcher& launcher) {
  table.add<Binary>([&launcher](const Binary& op, const KernelRequest& r) { return make(launcher, op, r); });
}

}  // namespace graft::cuda
