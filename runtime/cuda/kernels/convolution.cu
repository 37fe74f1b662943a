#include "runtime/ops/convolution.h"

#include <algorithm>
#include <optional>

#include "runtime/cuda/batch_norm.h"
#include "runtime/cuda/epilogue.h"
#include "runtime/cuda/kernel_files.h"
#include "runtime/cuda/moves.h"
#include "runtime/ops/conv_transpose.h"

namespace graft::cuda {
namespace {

constexpr size_t kAlignment = 256;
size_t aligned(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

/// Weights between graft's order (K, C, R, S) and the one that tensor cores want (K, R, S, C).
class WeightOrder {
 public:
  explicit WeightOrder(const Shape& w, DType dtype)
      : element_bytes_(size_of(dtype)),
        trivial_(w[2] * w[3] == 1 || w[1] == 1),
        bytes_(aligned(static_cast<size_t>(w.elements()) * element_bytes_)),
        inward_(w, {channels_last_strides(w), plain_strides(w)}),
        outward_(w, {plain_strides(w), channels_last_strides(w)}) {}
  bool trivial() const { return trivial_; }
  size_t bytes() const { return bytes_; }
  void inward(const Launcher& launcher, const void* plain, void* last) const {
    move(launcher, element_bytes_, {0, 0, 0, inward_}, plain, last);
  }
  void outward(const Launcher& launcher, const void* last, void* plain) const {
    move(launcher, element_bytes_, {0, 0, 0, outward_}, last, plain);
  }

 private:
  size_t element_bytes_;
  bool trivial_;
  size_t bytes_;
  Indexer<2> inward_, outward_;
};

/// Weights as libraries read them: those that never change are brought into order once.
class PackedWeights {
 public:
  PackedWeights(const Operand& w, const Launcher& launcher)
      : launcher_(launcher),
        order_(w.shape, w.dtype),
        once_(w.constant && !w.mutable_constant && !order_.trivial()),
        packed_(once_ ? DeviceBuffer(launcher.device(), order_.bytes()) : DeviceBuffer()) {}
  size_t scratch_bytes() const { return once_ || order_.trivial() ? 0 : order_.bytes(); }
  const void* get(const void* plain, void* scratch) {
    if (order_.trivial()) return plain;
    if (!once_) {
      order_.inward(launcher_, plain, scratch);
      return scratch;
    }
    if (!filled_) order_.inward(launcher_, plain, packed_.data());
    filled_ = true;
    return packed_.data();
  }

 private:
  const Launcher& launcher_;
  WeightOrder order_;
  bool once_, filled_ = false;
  DeviceBuffer packed_;
};

/// Adds what a library's kernel left out.
void finish(const Launcher& launcher, DType dtype, const Indexer<2>& places, void* y, const void* bias,
            const void* residual, const Activation& activation) {
  if (!bias && !residual && activation.kind == Activation::Kind::none) return;
  visit_real(dtype, [&](auto tag) {
    using T = decltype(tag);
    launcher.each(places.count(), EpilogueBody<T>{static_cast<T*>(y), static_cast<const T*>(bias),
                                                  static_cast<const T*>(residual), places, 1.0f, activation});
  });
}

ConvolutionProblem problem_of(ConvolutionProblem::Kind kind, const Operand& x, const Shape& w, const Operand& y,
                              const Window2d& window) {
  ConvolutionProblem problem;
  problem.kind = kind;
  problem.dtype = x.dtype;
  problem.x = x.shape;
  problem.w = w;
  problem.y = y.shape;
  problem.window = window;
  return problem;
}

bool channels_last(const Operand& o) { return o.shape.rank() == 4 && o.strides == channels_last_strides(o.shape); }

bool serves(DType dtype, const Operand& x, const Operand& y) {
  return is_real(dtype) && channels_last(x) && channels_last(y) && x.dtype == dtype && y.dtype == dtype &&
         x.shape.elements() > 0;
}

const Strides kPerChannel{0, 1, 0, 0};

class Forward final : public Kernel {
 public:
  Forward(const Convolution& op, const KernelRequest& r, const Launcher& launcher,
          std::unique_ptr<LibraryConvolution> whole, std::unique_ptr<LibraryConvolution> bare)
      : launcher_(launcher),
        whole_(std::move(whole)),
        bare_(std::move(bare)),
        weights_(r.inputs[1], launcher),
        tail_(op.tail),
        bias_(r.inputs.size() > 2 && r.inputs[2].present),
        dtype_(r.outputs[0].dtype),
        places_(r.outputs[0].shape, {r.outputs[0].strides, kPerChannel}) {
    const Shape& y = r.outputs[0].shape;
    if (op.statistics) statistics_.emplace(Rows{y.elements() / y[1], y[1]}, launcher);
    workspace_ =
        aligned(std::max((whole_ ? whole_ : bare_)->workspace_bytes(), statistics_ ? statistics_->scratch_bytes() : 0));
  }
  size_t scratch_bytes() const override { return workspace_ + weights_.scratch_bytes(); }
  void run(const KernelArguments& a) override {
    const void* w = weights_.get(a.inputs[1], static_cast<std::byte*>(a.scratch) + workspace_);
    const void *bias = bias_ ? a.inputs[2] : nullptr, *residual = tail_.residual ? a.inputs[3] : nullptr;
    if (whole_) {
      whole_->run({a.inputs[0], w, bias, residual, a.outputs[0]}, a.scratch);
    } else {
      bare_->run({a.inputs[0], w, nullptr, nullptr, a.outputs[0]}, a.scratch);
      finish(launcher_, dtype_, places_, a.outputs[0], bias, residual, tail_.activation);
    }
    if (!statistics_) return;
    visit_real(dtype_, [&](auto tag) {
      using T = decltype(tag);
      statistics_->compute(launcher_, static_cast<const T*>(a.outputs[0]), a.scratch, static_cast<float*>(a.outputs[1]),
                           static_cast<float*>(a.outputs[2]));
    });
  }

 private:
  const Launcher& launcher_;
  std::unique_ptr<LibraryConvolution> whole_, bare_;
  PackedWeights weights_;
  Epilogue tail_;
  bool bias_;
  DType dtype_;
  Indexer<2> places_;
  std::optional<ChannelStatistics> statistics_;
  size_t workspace_ = 0;
};

std::unique_ptr<Kernel> make_forward(const LibraryContext& c, const Convolution& op, const KernelRequest& r) {
  const Operand &x = r.inputs[0], &w = r.inputs[1], &y = r.outputs[0];
  if (!serves(w.dtype, x, y)) return nullptr;
  ConvolutionProblem problem = problem_of(ConvolutionProblem::Kind::forward, x, w.shape, y, op.window);
  problem.bias = r.inputs.size() > 2 && r.inputs[2].present;
  problem.residual = op.tail.residual;
  problem.activation = op.tail.activation;
  // A residual in whose place the result goes must be read before it is written, which only a kernel that goes through
  // once does.
  auto whole = c.library.convolution(problem);
  std::unique_ptr<LibraryConvolution> bare;
  if (!whole) {
    if (r.in_place_input >= 0) return nullptr;
    problem.bias = problem.residual = false;
    problem.activation = {};
    bare = c.library.convolution(problem);
    if (!bare) return nullptr;
  }
  return std::make_unique<Forward>(op, r, c.launcher, std::move(whole), std::move(bare));
}

class BackwardData final : public Kernel {
 public:
  BackwardData(const ConvolutionBackwardData& op, const KernelRequest& r, const Launcher& launcher,
               std::unique_ptr<LibraryConvolution> gradient)
      : launcher_(launcher),
        gradient_(std::move(gradient)),
        weights_(r.inputs[1], launcher),
        tail_(op.tail),
        in_place_(r.in_place_input >= 0),
        dtype_(r.outputs[0].dtype),
        bytes_(static_cast<size_t>(r.outputs[0].shape.elements()) * size_of(r.outputs[0].dtype)),
        places_(r.outputs[0].shape, {r.outputs[0].strides, kPerChannel}) {
    const Shape& dx = r.outputs[0].shape;
    if (op.norm) {
      epsilon_ = op.norm->epsilon;
      rows_ = {dx.elements() / dx[1], dx[1]};
      norm_.emplace(rows_, op.norm->activation, launcher);
    }
    workspace_ = aligned(std::max(gradient_->workspace_bytes(), norm_ ? norm_->scratch_bytes() : 0));
  }
  size_t scratch_bytes() const override {
    return workspace_ + weights_.scratch_bytes() + (in_place_ ? aligned(bytes_) : 0);
  }
  void run(const KernelArguments& a) override {
    auto* const packed = static_cast<std::byte*>(a.scratch) + workspace_;
    const void* w = weights_.get(a.inputs[1], packed);
    // Where the result takes the residual's place, the bare gradient is made beside it and the residual's role changes
    // hands.
    void* const bare = in_place_ ? packed + weights_.scratch_bytes() : a.outputs[0];
    gradient_->run({a.inputs[0], w, nullptr, nullptr, bare}, a.scratch);
    finish(launcher_, dtype_, places_, a.outputs[0], nullptr,
           in_place_        ? bare
           : tail_.residual ? a.inputs[2]
                            : nullptr,
           tail_.activation);
    if (!norm_) return;
    visit_real(dtype_, [&](auto tag) {
      using T = decltype(tag);
      const size_t first = a.inputs.size() - 4;
      auto* dz = static_cast<T*>(a.outputs[0]);
      const auto floats = [&](size_t i) { return static_cast<const float*>(a.inputs[first + i]); };
      const NormGradient::Mask<T> mask{dz,
                                       static_cast<const T*>(a.inputs[first + 1]),
                                       static_cast<const T*>(a.inputs[first]),
                                       nullptr,
                                       nullptr,
                                       floats(2),
                                       floats(3),
                                       epsilon_,
                                       norm_->activation(),
                                       rows_.channels};
      norm_->sums(launcher_, mask, a.scratch, static_cast<float*>(a.outputs[1]), static_cast<float*>(a.outputs[2]));
      norm_->apply(launcher_, mask, nullptr, nullptr, dz, static_cast<T*>(nullptr));
    });
  }

 private:
  const Launcher& launcher_;
  std::unique_ptr<LibraryConvolution> gradient_;
  PackedWeights weights_;
  Epilogue tail_;
  bool in_place_;
  DType dtype_;
  size_t bytes_;
  Indexer<2> places_;
  Rows rows_;
  float epsilon_ = 0;
  std::optional<NormGradient> norm_;
  size_t workspace_ = 0;
};

std::unique_ptr<Kernel> make_backward_data(const LibraryContext& c, const ConvolutionBackwardData& op,
                                           const KernelRequest& r) {
  const Operand &dy = r.inputs[0], &w = r.inputs[1], &dx = r.outputs[0];
  if (!serves(w.dtype, dx, dy)) return nullptr;
  auto gradient =
      c.library.convolution(problem_of(ConvolutionProblem::Kind::gradient_of_input, dx, w.shape, dy, op.window));
  if (!gradient) return nullptr;
  return std::make_unique<BackwardData>(op, r, c.launcher, std::move(gradient));
}

/// dy's values, for the gradient of a bias.
template <typename T>
struct Values {
  const T* dy;
  int64_t channels;
  GRAFT_DEVICE void operator()(int64_t row, int64_t c, float* out) const { out[0] = value_of(dy[row * channels + c]); }
};

template <typename T>
struct Narrowed {
  const double* from;
  T* to;
  GRAFT_DEVICE void operator()(int64_t i) const { to[i] = rounded<T>(static_cast<float>(from[i])); }
};

class BackwardWeights final : public Kernel {
 public:
  BackwardWeights(const ConvolutionBackwardWeights& op, const KernelRequest& r, const Launcher& launcher,
                  std::unique_ptr<LibraryConvolution> gradient)
      : launcher_(launcher),
        gradient_(std::move(gradient)),
        order_(op.weight_shape, r.outputs[0].dtype),
        bias_(op.bias),
        dtype_(r.outputs[0].dtype),
        rows_{r.inputs[1].shape.elements() / r.inputs[1].shape[1], r.inputs[1].shape[1]},
        sums_(rows_.rows, rows_.channels, 1, launcher) {
    workspace_ = aligned(std::max(gradient_->workspace_bytes(), bias_ ? sums_.scratch_bytes() : 0));
  }
  size_t scratch_bytes() const override { return workspace_ + (order_.trivial() ? 0 : order_.bytes()); }
  void run(const KernelArguments& a) override {
    void* const made = order_.trivial() ? a.outputs[0] : static_cast<std::byte*>(a.scratch) + workspace_;
    gradient_->run({a.inputs[0], a.inputs[1], nullptr, nullptr, made}, a.scratch);
    if (!order_.trivial()) order_.outward(launcher_, made, a.outputs[0]);
    if (!bias_) return;
    visit_real(dtype_, [&](auto tag) {
      using T = decltype(tag);
      sums_.compute<1>(launcher_, Values<T>{static_cast<const T*>(a.inputs[1]), rows_.channels}, a.scratch);
      launcher_.each(rows_.channels, Narrowed<T>{sums_.result(a.scratch), static_cast<T*>(a.outputs[1])});
    });
  }

 private:
  const Launcher& launcher_;
  std::unique_ptr<LibraryConvolution> gradient_;
  WeightOrder order_;
  bool bias_;
  DType dtype_;
  Rows rows_;
  ColumnSums sums_;
  size_t workspace_ = 0;
};

std::unique_ptr<Kernel> make_backward_weights(const LibraryContext& c, const ConvolutionBackwardWeights& op,
                                              const KernelRequest& r) {
  const Operand &x = r.inputs[0], &dy = r.inputs[1], &dw = r.outputs[0];
  if (!serves(dw.dtype, x, dy)) return nullptr;
  auto gradient = c.library.convolution(
      problem_of(ConvolutionProblem::Kind::gradient_of_weights, x, op.weight_shape, dy, op.window));
  if (!gradient) return nullptr;
  return std::make_unique<BackwardWeights>(op, r, c.launcher, std::move(gradient));
}

/// The same sums as a convolution's gradient of its input.
std::unique_ptr<Kernel> make_transposed(const LibraryContext& c, const ConvTranspose& op, const KernelRequest& r) {
  ConvolutionBackwardData gradient;
  gradient.window = op.window;
  gradient.groups = op.groups;
  gradient.input_shape = r.outputs[0].shape;
  return make_backward_data(c, gradient, {gradient, r.inputs, r.outputs, r.in_place_input});
}

}  // namespace

void register_convolution(KernelTable& table, const LibraryContext& context) {
  table.add<Convolution>(
      [context](const Convolution& op, const KernelRequest& r) { return make_forward(context, op, r); });
  table.add<ConvolutionBackwardData>([context](const ConvolutionBackwardData& op, const KernelRequest& r) {
    return make_backward_data(context, op, r);
  });
  table.add<ConvolutionBackwardWeights>([context](const ConvolutionBackwardWeights& op, const KernelRequest& r) {
    return make_backward_weights(context, op, r);
  });
  table.add<ConvTranspose>(
      [context](const ConvTranspose& op, const KernelRequest& r) { return make_transposed(context, op, r); });
}

}  // namespace graft::cuda
