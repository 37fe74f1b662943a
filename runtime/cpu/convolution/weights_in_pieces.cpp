// oneDNN divides a gradient of weights among threads by the batch, so that its sums depend on how many there are. Here
// the batch falls into pieces that depend on the shape alone; each is one thread's, and their results are added in
// order.

#include <algorithm>
#include <array>
#include <vector>

#include "runtime/core/parallel.h"
#include "runtime/core/thread_limit.h"
#include "runtime/cpu/convolution/kernels.h"

namespace graft::cpu {
namespace {

constexpr int64_t kMostPieces = 16;
constexpr int64_t kMostFloats = int64_t{1} << 23;  // of all pieces' results together, where two are not more already

class WeightsInPieces final : public Kernel {
 public:
  WeightsInPieces(const ConvolutionBackwardWeights& op, const KernelRequest& request) {
    const Operand &x = request.inputs[0], &dy = request.inputs[1];
    images_ = x.shape[0];
    x_image_ = x.shape.elements() / images_;
    dy_image_ = dy.shape.elements() / images_;
    weights_ = op.weight_shape.elements();
    bias_ = op.bias ? dy.shape[1] : 0;
    pieces_ = std::min(images_, std::clamp<int64_t>(kMostFloats / weights_, 2, kMostPieces));
    const int threads = thread_count();
    const auto workers = std::min<int64_t>(threads, pieces_);
    {
      const ThreadLimit limit(1);  // oneDNN fixes in a primitive how many threads run it
      for (int64_t w = 0; w < workers; ++w) {
        const int64_t small = images_ / pieces_;
        workers_.push_back({part(op, request, small), images_ % pieces_ ? part(op, request, small + 1) : nullptr});
      }
    }
    worker_scratch_ = 0;
    for (const auto& kernel : workers_[0])
      if (kernel) worker_scratch_ = std::max(worker_scratch_, (kernel->scratch_bytes() + 63) / 64 * 64);
  }

  size_t scratch_bytes() const override {
    return worker_scratch_ * workers_.size() + static_cast<size_t>(pieces_ * stride()) * sizeof(float);
  }

  void run(const KernelArguments& a) override {
    auto* const scratch = static_cast<std::byte*>(a.scratch);
    float* const results = reinterpret_cast<float*>(scratch + worker_scratch_ * workers_.size());
    parallel_parts(pieces_, std::ssize(workers_), [&](int64_t p, int64_t slot) {
      const int64_t first = images_ * p / pieces_, size = images_ * (p + 1) / pieces_ - first;
      const std::array<const void*, 2> inputs{static_cast<const float*>(a.inputs[0]) + first * x_image_,
                                              static_cast<const float*>(a.inputs[1]) + first * dy_image_};
      float* const dw = results + p * stride();
      const std::array<void*, 2> outputs{dw, dw + weights_};
      const auto worker = static_cast<size_t>(slot);
      workers_[worker][size > images_ / pieces_]->run(
          {inputs, std::span(outputs).first(bias_ ? 2 : 1), scratch + worker * worker_scratch_, a.step});
    });
    add_up(results, weights_, static_cast<float*>(a.outputs[0]));
    if (bias_) add_up(results + weights_, bias_, static_cast<float*>(a.outputs[1]));
  }

 private:
  using Worker = std::array<std::unique_ptr<Kernel>, 2>;  // for pieces of the smaller size, and of one image more

  int64_t stride() const { return (weights_ + bias_ + 15) / 16 * 16; }

  static std::unique_ptr<Kernel> part(const ConvolutionBackwardWeights& op, const KernelRequest& request,
                                      int64_t images) {
    std::vector<Operand> inputs(request.inputs.begin(), request.inputs.end());
    for (Operand& operand : inputs) operand.shape[0] = images;
    return library_backward_weights(op, {op, inputs, request.outputs, -1});
  }

  void add_up(const float* results, int64_t n, float* sum) const {
    parallel_for(n, 1 << 12, [&](int64_t first, int64_t last) {
      std::copy(results + first, results + last, sum + first);
      for (int64_t p = 1; p < pieces_; ++p)
        for (int64_t i = first; i < last; ++i) sum[i] += results[p * stride() + i];
    });
  }

  int64_t images_ = 0, x_image_ = 0, dy_image_ = 0, weights_ = 0, bias_ = 0, pieces_ = 0;
  size_t worker_scratch_ = 0;
  std::vector<Worker> workers_;
};

}  // namespace

std::unique_ptr<Kernel> weights_in_pieces(const ConvolutionBackwardWeights& op, const KernelRequest& request) {
  return std::make_unique<WeightsInPieces>(op, request);
}

}  // namespace graft::cpu
