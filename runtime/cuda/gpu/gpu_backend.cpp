#include "runtime/cuda/gpu/gpu_backend.h"

#include "runtime/core/error.h"
#include "runtime/cuda/gpu/check.h"
#include "runtime/cuda/gpu/cublas_product.h"
#include "runtime/cuda/gpu/cudnn_convolution.h"
#include "runtime/cuda/gpu/gpu_device.h"

namespace graft::cuda {
namespace {

std::string version(int number, int major, int minor) {
  return std::to_string(number / major) + "." + std::to_string(number % major / minor);
}

/// A CUDA graph: what was captured once, launched as a whole.
class CapturedCudaGraph final : public CapturedGraph {
 public:
  CapturedCudaGraph(cudaStream_t stream, const std::function<void()>& work) : stream_(stream) {
    check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), "capturing a graph");
    cudaGraph_t graph = nullptr;
    try {
      work();
    } catch (...) {
      (void)cudaStreamEndCapture(stream_, &graph);
      if (graph) (void)cudaGraphDestroy(graph);
      throw;
    }
    check(cudaStreamEndCapture(stream_, &graph), "capturing a graph");
    const cudaError_t status = cudaGraphInstantiate(&executable_, graph, 0);
    (void)cudaGraphDestroy(graph);
    check(status, "instantiating a graph");
  }
  ~CapturedCudaGraph() override { (void)cudaGraphExecDestroy(executable_); }
  void replay() override { check(cudaGraphLaunch(executable_, stream_), "launching a graph"); }

 private:
  cudaStream_t stream_;
  cudaGraphExec_t executable_ = nullptr;
};

class GpuLibrary final : public Library {
 public:
  explicit GpuLibrary(const Libraries& libraries) : libraries_(libraries) {}
  std::unique_ptr<LibraryConvolution> convolution(const ConvolutionProblem& problem) const override {
    return make_cudnn_convolution(problem, libraries_);
  }
  std::unique_ptr<LibraryProduct> product(const ProductProblem& problem) const override {
    return CublasProduct::make(problem, libraries_);
  }

 private:
  Libraries libraries_;
};

DeviceParts parts_of(GpuSession& session, Arithmetic arithmetic) {
  auto device = std::make_unique<const GpuDevice>();
  DeviceParts parts;
  parts.target.cuda_stream = device->compute_stream().get();
  parts.multiprocessors = session.multiprocessors();
  parts.library = std::make_unique<const GpuLibrary>(session.libraries(*device, arithmetic));
  parts.device = std::move(device);
  return parts;
}

}  // namespace

GpuSession::GpuSession(int device) : device_(device) {
  int count = 0;
  check(cudaGetDeviceCount(&count), "looking for GPUs");
  if (device < 0 || device >= count)
    throw Error("there is no GPU " + std::to_string(device) + ", only " + std::to_string(count),
                "use " + mention("device") + " cuda:0", ErrorCode::not_found);
  check(cudaSetDevice(device), "opening the GPU");
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, device), "asking what the GPU is");
  multiprocessors_ = properties.multiProcessorCount;
  // Own kernels are built for these and newer ones; cuDNN 9 needs as much.
  if (properties.major * 10 + properties.minor < 75)
    throw Error(std::string(properties.name) + " is older than this build serves (compute capability 7.5)",
                "use " + mention("device") + " cpu", ErrorCode::unsupported);
  check(cudnnCreate(&cudnn_), "starting");
  check(cublasLtCreate(&cublas_), "starting");
  int driver = 0, runtime = 0;
  check(cudaDriverGetVersion(&driver), "asking for the driver's version");
  check(cudaRuntimeGetVersion(&runtime), "asking for CUDA's version");
  const auto cudnn = static_cast<int>(cudnnGetVersion()), cublas = static_cast<int>(cublasLtGetVersion());
  description_ = std::string(properties.name) + ", compute capability " + std::to_string(properties.major) + "." +
                 std::to_string(properties.minor) + ", driver " + version(driver, 1000, 10) + ", CUDA " +
                 version(runtime, 1000, 10) + ", cuDNN " + version(cudnn, 10000, 100) + "." +
                 std::to_string(cudnn % 100) + ", cuBLASLt " + std::to_string(cublas);
  choices_ = std::make_unique<Choices>(description_);
}

GpuSession::~GpuSession() {
  if (cublas_) (void)cublasLtDestroy(cublas_);
  if (cudnn_) (void)cudnnDestroy(cudnn_);
}

Libraries GpuSession::libraries(const GpuDevice& device, Arithmetic arithmetic) {
  check(cudnnSetStream(cudnn_, device.compute_stream().get()), "starting");
  return {&device, cudnn_, cublas_, arithmetic, choices_.get()};
}

GpuBackend::GpuBackend(std::unique_ptr<GpuSession> session, Arithmetic arithmetic, DType activations,
                       const Backend& host)
    : DeviceBackend(parts_of(*session, arithmetic), activations, host), session_(std::move(session)) {}

void GpuBackend::use_threads(int threads) const {
  check(cudaSetDevice(session_->device()), "taking the GPU");
  DeviceBackend::use_threads(threads);
}

std::unique_ptr<CapturedGraph> GpuBackend::capture(const std::function<void()>& work) const {
  return std::make_unique<CapturedCudaGraph>(static_cast<const GpuDevice*>(device())->compute_stream().get(), work);
}

}  // namespace graft::cuda
