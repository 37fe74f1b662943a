#include "runtime/cuda/emulated_library.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "runtime/core/strided_copy.h"
#include "runtime/cuda/host_kernel.h"
#include "runtime/cuda/numbers.h"
#include "runtime/ops/convolution.h"

namespace graft::cuda {
namespace {

template <typename Op>
std::shared_ptr<Op> windowed(const ConvolutionProblem& p) {
  auto op = std::make_shared<Op>();
  op->window = p.window;
  op->groups = p.x[1] / p.w[1];
  return op;
}

/// The processor's kernel for the same operator, whose weights lie row-major.
class ByTheProcessor final : public LibraryConvolution {
 public:
  ByTheProcessor(const ConvolutionProblem& p, const EmulatedDevice& device, const Backend& host)
      : problem_(p),
        stream_(device.compute_stream()),
        weights_(static_cast<size_t>(p.w.elements()) * size_of(p.dtype)),
        inward_(size_of(p.dtype), p.w, plain_strides(p.w), channels_last_strides(p.w)),
        outward_(size_of(p.dtype), p.w, channels_last_strides(p.w), plain_strides(p.w)) {
    const auto picture = [&](const Shape& shape) {
      return Operand{p.dtype, shape, channels_last_strides(shape), true, nullptr, false};
    };
    const auto plain = [&](const Shape& shape) {
      return Operand{p.dtype, shape, plain_strides(shape), true, nullptr, false};
    };
    const Operand absent{p.dtype, {}, {}, false, nullptr, false};
    switch (p.kind) {
      case ConvolutionProblem::Kind::forward: {
        const auto op = windowed<Convolution>(p);
        op->tail = {p.residual, p.activation};
        op_ = op;
        inputs_ = {picture(p.x), plain(p.w), p.bias ? plain({p.w[0]}) : absent};
        if (p.residual) inputs_.push_back(picture(p.y));
        output_ = picture(p.y);
        break;
      }
      case ConvolutionProblem::Kind::gradient_of_input: {
        const auto op = windowed<ConvolutionBackwardData>(p);
        op->input_shape = p.x;
        op_ = op;
        inputs_ = {picture(p.y), plain(p.w)};
        output_ = picture(p.x);
        break;
      }
      case ConvolutionProblem::Kind::gradient_of_weights: {
        const auto op = windowed<ConvolutionBackwardWeights>(p);
        op->weight_shape = p.w;
        op_ = op;
        inputs_ = {picture(p.x), picture(p.y)};
        output_ = plain(p.w);
        break;
      }
    }
    kernel_ = on_the_processor({*op_, inputs_, {&output_, 1}, -1}, device, host);
  }
  /// Asked for to see that it is given: a library writes there.
  size_t workspace_bytes() const override { return kWorkspaceBytes; }
  void run(const Arguments& a, void* workspace) override {
    stream_.enqueue([this, a, workspace] { compute(a, workspace); });
  }

 private:
  void compute(const Arguments& a, void* workspace) {
    std::memset(workspace, 0xff, kWorkspaceBytes);
    const bool of_weights = problem_.kind == ConvolutionProblem::Kind::gradient_of_weights;
    if (!of_weights) outward_.run(a.second, weights_.data());
    std::vector<const void*> in{a.first, of_weights ? a.second : weights_.data()};
    if (inputs_.size() > 2) in.push_back(problem_.bias ? a.bias : nullptr);
    if (problem_.residual) in.push_back(a.residual);
    void* out = of_weights ? weights_.data() : a.result;
    kernel_->run({in, {&out, 1}, nullptr, {}});
    if (of_weights) inward_.run(weights_.data(), a.result);
  }

  static constexpr size_t kWorkspaceBytes = 1000;
  ConvolutionProblem problem_;
  EmulatedStream& stream_;
  OperatorPtr op_;
  std::vector<Operand> inputs_;
  Operand output_;
  std::vector<std::byte> weights_;  // row-major
  StridedCopy inward_, outward_;
  std::unique_ptr<Kernel> kernel_;
};

class PlainProduct final : public LibraryProduct {
 public:
  PlainProduct(const ProductProblem& p, EmulatedStream& stream) : problem_(p), stream_(stream) {}
  size_t workspace_bytes() const override { return kWorkspaceBytes; }
  void run(const void* a, const void* b, const void* residual, void* y, void* workspace) const override {
    stream_.enqueue([this, a, b, residual, y, workspace] {
      std::memset(workspace, 0xff, kWorkspaceBytes);
      visit_real(problem_.dtype, [&](auto tag) {
        using T = decltype(tag);
        multiply(static_cast<const T*>(a), static_cast<const T*>(b), static_cast<const T*>(residual),
                 static_cast<T*>(y));
      });
    });
  }

 private:
  template <typename T>
  void multiply(const T* a, const T* b, const T* residual, T* y) const {
    const ProductProblem& p = problem_;
    std::vector<float> row(static_cast<size_t>(p.n));
    for (int64_t batch = 0; batch < p.batch; ++batch, a += p.a_step, b += p.b_step, y += p.y_step) {
      for (int64_t i = 0; i < p.m; ++i) {
        std::fill(row.begin(), row.end(), 0.0f);
        for (int64_t k = 0; k < p.k; ++k) {
          const float factor = value_of(p.transpose_a ? a[k * p.a_row + i] : a[i * p.a_row + k]);
          const T* const from = p.transpose_b ? b + k : b + k * p.b_row;
          const int64_t step = p.transpose_b ? p.b_row : 1;
          for (int64_t j = 0; j < p.n; ++j) row[static_cast<size_t>(j)] += factor * value_of(from[j * step]);
        }
        for (int64_t j = 0; j < p.n; ++j) {
          const float rest = residual ? value_of(residual[batch * p.y_step + i * p.y_row + j]) : 0.0f;
          y[i * p.y_row + j] = rounded<T>(p.alpha * row[static_cast<size_t>(j)] + rest);
        }
      }
    }
  }

  static constexpr size_t kWorkspaceBytes = 1000;
  ProductProblem problem_;
  EmulatedStream& stream_;
};

class EmulatedLibrary final : public Library {
 public:
  EmulatedLibrary(const EmulatedDevice& device, const Backend& host) : device_(device), host_(host) {}
  std::unique_ptr<LibraryConvolution> convolution(const ConvolutionProblem& problem) const override {
    if (problem.activation.kind == Activation::Kind::leaky_relu) return nullptr;
    return std::make_unique<ByTheProcessor>(problem, device_, host_);
  }
  std::unique_ptr<LibraryProduct> product(const ProductProblem& problem) const override {
    return std::make_unique<PlainProduct>(problem, device_.compute_stream());
  }

 private:
  const EmulatedDevice& device_;
  const Backend& host_;
};

}  // namespace

std::unique_ptr<Library> emulated_library(const EmulatedDevice& device, const Backend& host) {
  return std::make_unique<EmulatedLibrary>(device, host);
}

}  // namespace graft::cuda
