#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/core/backend.h"
#include "runtime/core/graph.h"
#include "runtime/passes/passes.h"

namespace graft {

/// A plan's input or output: where it lies in the program's memory, and how. Not owned.
struct View {
  DType dtype = DType::f32;
  Shape shape;
  Strides strides;
  void* data = nullptr;
  template <typename T = float>
  T* as() const {
    return static_cast<T*>(data);
  }
};

struct StepTime {
  std::string node, type;
  double seconds = 0;
};

/// How a graph is computed on one backend: kernels in order, weights packed once, one arena laid out by liveness.
/// Nothing is allocated while it runs. Where the backend has a device, forward() and backward() upload their inputs and
/// download their outputs, and from their second run on replay a captured graph. Activations of rank four lie
/// channels-last. Not thread-safe; make one plan a thread.
class Plan {
 public:
  /// `graph` must be specialised (all shapes closed). Throws Error naming the node that has no kernel.
  Plan(Graph graph, const Backend& backend, int threads = 0);
  Plan(Plan&&) noexcept;
  Plan& operator=(Plan&&) noexcept;
  ~Plan();

  size_t input_count() const;
  size_t output_count() const;
  /// Valid as long as the plan. Contents of an output hold until the next run.
  View input(size_t i) const;
  View output(size_t i) const;
  /// Lets input i be read from `data` (laid out as input(i) says) instead of the plan's own memory.
  void bind_input(size_t i, const void* data);

  /// Where the backend has a device, keeps an input or output there: it is no longer transferred. Returns its address
  /// on the device. Elsewhere nothing changes, and the address is that of the View. A pass none of whose outputs are
  /// downloaded is only queued: what it reads in the program's memory must not change before the device is
  /// synchronised.
  void* keep_input(size_t i);
  void* keep_output(size_t i);
  /// Where the backend keeps a constant of the graph: the tensor's own memory, or the device's copy, which refresh()
  /// overwrites. Null where the plan does not read it.
  void* address_of(const Tensor& constant) const;
  const Backend& backend() const;

  void forward(const StepContext& step = {});
  void backward(const StepContext& step = {});
  /// Calls `use` for each output of Graph::early_releases, with its index, during the pass: as soon as it is complete,
  /// and before its memory is used again.
  void backward(const StepContext& step, const std::function<void(size_t)>& use);
  /// Whether a pass, once it has run, is nothing but work that queue_forward() and queue_backward() queue on the
  /// device: all inputs and outputs stay there, and every kernel can be captured. Then more than a pass can be captured
  /// as one graph (Backend::capture), after Backend::begin.
  bool can_be_captured() const;
  void queue_forward();
  void queue_backward();
  /// Call after trainable parameters changed.
  void refresh();

  /// Runs forward (and backward when there is one) once, timing each kernel.
  std::vector<StepTime> profile();

  size_t arena_bytes() const;
  /// What a plan of this graph would lay out, without its kernels' scratch.
  static size_t planned_bytes(const Graph& graph, const Backend& backend);
  const Graph& graph() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// specialise → clean → canonicalise → fold batch norms → fuse → plan: evaluation of a graph.
Plan compile_inference(const Graph& graph, const OpenDims& dims, const Backend& backend, int threads = 0);

/// A training plan: forward, the gradients of the graph's outputs seeded by as many inputs, and what batch norms leave
/// behind.
struct TrainingPlan {
  Plan plan;
  size_t scores = 1;      // outputs of the graph, the first of the plan
  size_t first_seed = 0;  // index of dL/d(output 0) among the inputs; the others' follow
  std::vector<std::pair<std::shared_ptr<Tensor>, size_t>>
      gradients;  // parameter, index of its gradient among the outputs
  struct RunningStatistics {
    std::shared_ptr<Tensor> mean, variance;
    size_t mean_output, variance_output;
    float momentum;
    int64_t count;
  };
  std::vector<RunningStatistics> statistics;
};
/// How much a training plan may take of the memory for activations, gradients and scratch; weights, the optimizer's
/// state and what a trainer keeps for itself come on top. Where it is set, activations are kept as far as they fit and
/// else made again.
struct MemoryLimit {
  size_t bytes = 0;  // 0: none
  double part = 0;   // of what the plan takes without a limit; 0: none
  bool any() const { return bytes > 0 || part > 0; }
};

/// How long gradients last: all of them until the next pass, or each until the callback of Plan::backward returns,
/// after which its memory serves again and its parameter may have changed. A backend with a device keeps them.
enum class GradientLifetime : bool { kept, released_early };

/// Trainable values of `graph` get gradients. A batch norm whose scale is trainable normalises by its batch. Throws
/// Error where the limit cannot be kept, with the largest batch that can.
TrainingPlan compile_training(const Graph& graph, const OpenDims& dims, const Backend& backend, int threads = 0,
                              const MemoryLimit& limit = {}, GradientLifetime gradients = GradientLifetime::kept);

/// Copies between a view and a row-major buffer of the same shape and dtype.
void copy_to_plain(const View& from, void* to);
void copy_from_plain(const void* from, const View& to);

}  // namespace graft
