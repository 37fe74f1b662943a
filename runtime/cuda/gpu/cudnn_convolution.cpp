#include "runtime/cuda/gpu/cudnn_convolution.h"

#include <cuda_runtime_api.h>
#include <cudnn_frontend.h>

#include <algorithm>
#include <limits>
#include <unordered_map>

#include "runtime/core/error.h"
#include "runtime/cuda/gpu/check.h"
#include "runtime/cuda/gpu/timer.h"

namespace graft::cuda {
namespace {

namespace fe = cudnn_frontend;
using fe::graph::Tensor_attributes;
using TensorPtr = std::shared_ptr<Tensor_attributes>;
using Kind = ConvolutionProblem::Kind;

constexpr int64_t kLargestWorkspace = int64_t{512} << 20;
constexpr int64_t kMostCandidates = 10;
constexpr int kTimedRuns = 5;

fe::DataType_t type_of(DType dtype) {
  switch (dtype) {
    case DType::f16:
      return fe::DataType_t::HALF;
    case DType::bf16:
      return fe::DataType_t::BFLOAT16;
    default:
      return fe::DataType_t::FLOAT;
  }
}

std::vector<int64_t> strides_of(const Shape& shape) {
  const Strides strides = channels_last_strides(shape);
  return {strides.begin(), strides.end()};
}

TensorPtr tensor(fe::graph::Graph& graph, const char* name, const Shape& shape) {
  return graph.tensor(
      Tensor_attributes().set_name(name).set_dim({shape.begin(), shape.end()}).set_stride(strides_of(shape)));
}

template <typename Attributes>
Attributes with_window(const Window2d& w) {
  return Attributes()
      .set_pre_padding({w.padding.top, w.padding.left})
      .set_post_padding({w.padding.bottom, w.padding.right})
      .set_stride({w.stride.height, w.stride.width})
      .set_dilation({w.dilation.height, w.dilation.width});
}

fe::graph::Pointwise_attributes pointwise(fe::PointwiseMode_t mode) {
  return fe::graph::Pointwise_attributes().set_mode(mode);
}

TensorPtr activated(fe::graph::Graph& graph, TensorPtr from, const Activation& a) {
  auto relu = pointwise(fe::PointwiseMode_t::RELU_FWD);
  switch (a.kind) {
    case Activation::Kind::none:
      return from;
    case Activation::Kind::relu:
      break;
    case Activation::Kind::clip:
      relu.set_relu_lower_clip(a.alpha).set_relu_upper_clip(a.beta);
      break;
    case Activation::Kind::leaky_relu:
      relu.set_relu_lower_clip_slope(a.alpha);
      break;
  }
  return graph.pointwise(std::move(from), relu);
}

class GraphConvolution final : public LibraryConvolution {
 public:
  GraphConvolution(const ConvolutionProblem& problem, const Libraries& libraries)
      : problem_(problem), libraries_(libraries) {}

  /// False where there is no engine.
  bool prepare() {
    build();
    if (graph_.validate().is_bad() || graph_.build_operation_graph(libraries_.cudnn).is_bad()) return false;
    if (graph_.create_execution_plans({fe::HeurMode_t::A, fe::HeurMode_t::FALLBACK}).is_bad()) return false;
    // The same bits each time, and no more memory than is worth it; TF32 is a rounding of the inputs.
    graph_.deselect_workspace_greater_than(kLargestWorkspace);
    std::vector<fe::NumericalNote_t> unwanted{fe::NumericalNote_t::NONDETERMINISTIC};
    if (problem_.dtype == DType::f32 && libraries_.arithmetic == Arithmetic::fp32)
      unwanted.push_back(fe::NumericalNote_t::DOWN_CONVERT_INPUTS);
    graph_.deselect_numeric_notes(unwanted);
    if (graph_.check_support(libraries_.cudnn).is_bad()) return false;
    const std::string key = problem_.str() + (libraries_.arithmetic == Arithmetic::tf32 ? " tf32" : " fp32");
    if (const auto known = libraries_.choices->find(key); known && take(*known)) return true;
    measured_ = true;
    return measure(key);
  }
  /// Whether more engines than the chosen one were made ready.
  bool has_measured() const { return measured_; }

  size_t workspace_bytes() const override { return workspace_; }

  void run(const Arguments& a, void* workspace) override {
    tensors_[first_] = const_cast<void*>(a.first);
    tensors_[second_] = const_cast<void*>(a.second);
    if (bias_) tensors_[bias_] = const_cast<void*>(a.bias);
    if (residual_) tensors_[residual_] = const_cast<void*>(a.residual);
    tensors_[result_] = a.result;
    auto status = graph_.execute_plan_at_index(libraries_.cudnn, tensors_, workspace, plan_);
    if (status.is_bad())
      throw Error("cuDNN, " + problem_.str() + ": " + status.get_message(), "use " + mention("device") + " cpu",
                  ErrorCode::internal);
  }

 private:
  void build() {
    graph_.set_io_data_type(type_of(problem_.dtype))
        .set_intermediate_data_type(fe::DataType_t::FLOAT)
        .set_compute_data_type(fe::DataType_t::FLOAT);
    switch (problem_.kind) {
      case Kind::forward: {
        first_ = tensor(graph_, "x", problem_.x);
        second_ = tensor(graph_, "w", problem_.w);
        TensorPtr y =
            graph_.conv_fprop(first_, second_, with_window<fe::graph::Conv_fprop_attributes>(problem_.window));
        if (problem_.bias) {
          bias_ = tensor(graph_, "bias", Shape{1, problem_.y[1], 1, 1});
          y = graph_.pointwise(y, bias_, pointwise(fe::PointwiseMode_t::ADD));
        }
        if (problem_.residual) {
          residual_ = tensor(graph_, "residual", problem_.y);
          y = graph_.pointwise(y, residual_, pointwise(fe::PointwiseMode_t::ADD));
        }
        result_ = activated(graph_, y, problem_.activation);
        finish(problem_.y);
        return;
      }
      case Kind::gradient_of_input:
        first_ = tensor(graph_, "dy", problem_.y);
        second_ = tensor(graph_, "w", problem_.w);
        result_ = graph_.conv_dgrad(first_, second_, with_window<fe::graph::Conv_dgrad_attributes>(problem_.window));
        finish(problem_.x);
        return;
      case Kind::gradient_of_weights:
        first_ = tensor(graph_, "x", problem_.x);
        second_ = tensor(graph_, "dy", problem_.y);
        result_ = graph_.conv_wgrad(second_, first_, with_window<fe::graph::Conv_wgrad_attributes>(problem_.window));
        finish(problem_.w);
        return;
    }
  }

  void finish(const Shape& shape) {
    result_->set_output(true)
        .set_data_type(type_of(problem_.dtype))
        .set_dim({shape.begin(), shape.end()})
        .set_stride(strides_of(shape));
  }

  /// The engine of an earlier measurement.
  bool take(const std::string& name) {
    for (int64_t i = 0; i < graph_.get_execution_plan_count(); ++i) {
      std::string other;
      if (graph_.get_plan_name_at_index(i, other).is_good() && other == name &&
          graph_.build_plan_at_index(libraries_.cudnn, i).is_good())
        return use_plan(i);
    }
    return false;
  }

  bool use_plan(int64_t plan) {
    plan_ = plan;
    int64_t bytes = 0;
    if (graph_.get_workspace_size_plan_at_index(plan, bytes).is_bad()) return false;
    workspace_ = static_cast<size_t>(std::max<int64_t>(bytes, 0));
    return true;
  }

  bool measure(const std::string& key) {
    const auto bytes = [&](const Shape& s) { return static_cast<size_t>(s.elements()) * size_of(problem_.dtype); };
    const Device& device = *libraries_.device;
    const DeviceBuffer x(device, bytes(problem_.x)), w(device, bytes(problem_.w)), y(device, bytes(problem_.y)),
        extra(device, bytes(problem_.y)), workspace(device, static_cast<size_t>(kLargestWorkspace));
    const cudaStream_t stream = libraries_.stream();
    check(cudaMemsetAsync(x.data(), 0x3c, bytes(problem_.x), stream),
          "filling a tensor");  // small numbers in every type
    check(cudaMemsetAsync(w.data(), 0x3c, bytes(problem_.w), stream), "filling a tensor");
    check(cudaMemsetAsync(y.data(), 0x3c, bytes(problem_.y), stream), "filling a tensor");
    check(cudaMemsetAsync(extra.data(), 0x3c, bytes(problem_.y), stream), "filling a tensor");
    Arguments a{};
    switch (problem_.kind) {
      case Kind::forward:
        a = {x.data(), w.data(), extra.data(), extra.data(), y.data()};
        break;
      case Kind::gradient_of_input:
        a = {y.data(), w.data(), nullptr, nullptr, x.data()};
        break;
      case Kind::gradient_of_weights:
        a = {x.data(), y.data(), nullptr, nullptr, w.data()};
        break;
    }
    Timer timer(stream);
    float least = std::numeric_limits<float>::infinity();
    int64_t best = -1, built = 0;
    for (int64_t i = 0; i < graph_.get_execution_plan_count() && built < kMostCandidates; ++i) {
      if (graph_.build_plan_at_index(libraries_.cudnn, i).is_bad() || !use_plan(i)) continue;
      ++built;
      float milliseconds = 0;
      try {
        run(a, workspace.data());
        timer.start();
        for (int k = 0; k < kTimedRuns; ++k) run(a, workspace.data());
        milliseconds = timer.stop();
      } catch (const Error&) {
        continue;  // an engine that offers itself and then fails is no candidate
      }
      if (milliseconds < least) {
        least = milliseconds;
        best = i;
      }
    }
    if (best < 0) return false;
    std::string name;
    if (graph_.get_plan_name_at_index(best, name).is_good()) libraries_.choices->keep(key, name);
    return use_plan(best);
  }

  ConvolutionProblem problem_;
  Libraries libraries_;
  fe::graph::Graph graph_;
  TensorPtr first_, second_, bias_, residual_, result_;
  std::unordered_map<TensorPtr, void*> tensors_;
  int64_t plan_ = 0;
  size_t workspace_ = 0;
  bool measured_ = false;
};

}  // namespace

std::unique_ptr<LibraryConvolution> make_cudnn_convolution(const ConvolutionProblem& problem,
                                                           const Libraries& libraries) {
  auto convolution = std::make_unique<GraphConvolution>(problem, libraries);
  if (!convolution->prepare()) return nullptr;
  if (!convolution->has_measured()) return convolution;
  // Engines that lost hold code and memory of the GPU: the winner is made anew, by the name under which it is known
  // now.
  auto winner = std::make_unique<GraphConvolution>(problem, libraries);
  if (winner->prepare() && !winner->has_measured()) return winner;
  return convolution;
}

}  // namespace graft::cuda
