#include "runtime/plan/plan.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "runtime/core/error.h"
#include "runtime/core/strided_copy.h"
#include "runtime/plan/arena.h"
#include "runtime/plan/memory_planner.h"
#include "runtime/plan/placement.h"
#include "runtime/plan/plan_buffers.h"

namespace graft {
namespace {

using Direction = PlanBuffers::Direction;
using Storage = Placement::Storage;

struct Step {
  std::unique_ptr<Kernel> kernel;
  size_t node = 0;
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  bool has_trainable_input = false;
};

/// One pass (forward or backward) of a plan. It is run kernel by kernel the first time, in which kernels may choose
/// their algorithms, and captured when it is run again.
struct Pass {
  size_t first = 0, last = 0;
  bool warm = false, capturable = false;  // has run once; every kernel can be captured
  std::unique_ptr<CapturedGraph> captured;
};

}  // namespace

struct Plan::Impl {
  Graph graph;
  const Backend& backend;
  int threads;
  Placement placement;
  std::vector<Step> steps;
  size_t backward_step = 0;
  Arena arena;
  std::byte* scratch = nullptr;
  std::unique_ptr<PlanBuffers> buffers;  // null where the backend works in the program's memory
  Pass forward, backward;
  std::vector<std::vector<size_t>> released_after;  // per step: which outputs are released then. Empty where none is.

  Impl(Graph g, const Backend& b, int t) : graph(std::move(g)), backend(b), threads(t), placement(graph, b) {
    if (backend.device()) buffers = std::make_unique<PlanBuffers>(*backend.device());
  }

  /// After which step each of them is released: the last one up to its node.
  void schedule_early_releases() {
    if (graph.early_releases.empty()) return;
    released_after.resize(steps.size());
    for (const Graph::EarlyRelease& release : graph.early_releases) {
      const int node = placement.released_after().at(graph.outputs[release.output]);
      size_t step = steps.size() - 1;
      while (step > backward_step && static_cast<int>(steps[step].node) > node) --step;
      released_after[step].push_back(release.output);
    }
  }

  Operand operand(ValueId id) const {
    if (id == kNoValue) return {DType::f32, {}, {}, false, nullptr, false};
    const Value& v = graph.value(id);
    return {v.dtype, v.shape, placement.strides(id), true, v.constant.get(), v.trainable};
  }

  /// No element has to be computed: kernels need not know batches of nothing.
  bool is_without_results(const Node& node) const {
    return std::all_of(node.outputs.begin(), node.outputs.end(),
                       [&](ValueId id) { return graph.value(id).shape.elements() == 0; });
  }

  void make_kernels() {
    backend.use_threads(threads);
    backward_step = SIZE_MAX;
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
      if (n >= graph.backward_begin && backward_step == SIZE_MAX) backward_step = steps.size();
      const Node& node = graph.nodes[n];
      if (placement.is_alias(node) || is_without_results(node)) continue;
      std::vector<Operand> ins, outs;
      Step step;
      step.node = n;
      for (ValueId id : node.inputs) {
        ins.push_back(operand(id));
        step.has_trainable_input = step.has_trainable_input || (id != kNoValue && graph.value(id).trainable);
      }
      for (ValueId id : node.outputs) outs.push_back(operand(id));
      step.kernel = with_place([&] { return describe(node); },
                               [&] {
                                 return backend.make_kernel({*node.op, ins, outs, placement.in_place_input(n)});
                               });
      steps.push_back(std::move(step));
    }
    backward_step = std::min(backward_step, steps.size());
  }

  void lay_out_arena() {
    const size_t total = placement.lay_out();
    size_t scratch_bytes = 0;
    for (const Step& step : steps) scratch_bytes = std::max(scratch_bytes, step.kernel->scratch_bytes());
    arena = Arena(total + scratch_bytes, backend.device());
    scratch = arena.data() + total;
  }

  /// Copies constants to the device, and notes which inputs and outputs are transferred in which pass.
  void bind_device_buffers() {
    if (!buffers) return;
    // What stands beside a trainable parameter, as running statistics beside a norm's scale, changes with it.
    std::vector<bool> changes(graph.value_count(), false);
    for (const Node& node : graph.nodes) {
      const bool trains = std::any_of(node.inputs.begin(), node.inputs.end(),
                                      [&](ValueId id) { return id != kNoValue && graph.value(id).trainable; });
      for (ValueId id : node.inputs)
        if (id != kNoValue) changes[static_cast<size_t>(id)] = changes[static_cast<size_t>(id)] || trains;
    }
    for (size_t i = 0; i < graph.value_count(); ++i) {
      const auto id = static_cast<ValueId>(i);
      const Value& v = graph.value(id);
      if (v.constant && placement.is_placed(id))
        placement.storage(id).fixed = buffers->constant(*v.constant, changes[i] || v.trainable);
    }
    const auto readers = graph.consumers();
    using TransferPass = PlanBuffers::Pass;
    std::vector<TransferPass> passes(graph.value_count(), TransferPass::forward);
    for (size_t n = std::min(graph.backward_begin, graph.nodes.size()); n < graph.nodes.size(); ++n)
      for (ValueId id : graph.nodes[n].outputs) passes[static_cast<size_t>(id)] = TransferPass::backward;
    for (ValueId id : graph.inputs) {
      const auto& list = readers[static_cast<size_t>(id)];
      const bool read_early =
          !list.empty() && static_cast<size_t>(*std::min_element(list.begin(), list.end())) < graph.backward_begin;
      passes[static_cast<size_t>(id)] = list.empty() ? TransferPass::both
                                        : read_early ? TransferPass::forward
                                                     : TransferPass::backward;
      buffers->add(Direction::in, {address(id), placement.storage(id).bytes, nullptr, passes[static_cast<size_t>(id)]});
    }
    for (ValueId id : graph.outputs)
      buffers->add(Direction::out,
                   {address(id), placement.storage(id).bytes, nullptr, passes[static_cast<size_t>(id)]});
  }

  void* address(ValueId id) {
    const Storage& s = placement.storage(id);
    return s.kind == Storage::Kind::arena ? arena.data() + s.offset : const_cast<void*>(s.fixed);
  }

  void bind_pointers() {
    for (Step& step : steps) {
      const Node& node = graph.nodes[step.node];
      step.inputs.clear();
      step.outputs.clear();
      for (ValueId id : node.inputs) step.inputs.push_back(id == kNoValue ? nullptr : address(id));
      for (ValueId id : node.outputs) step.outputs.push_back(address(id));
    }
  }

  void run(size_t first, size_t last, const StepContext& context) {
    backend.use_threads(threads);
    for (size_t i = first; i < last; ++i)
      with_place([&] { return describe(graph.nodes[steps[i].node]); },
                 [&] {
                   steps[i].kernel->run({steps[i].inputs, steps[i].outputs, scratch, context});
                 });
  }

  /// One pass, with its transfers where there is a device.
  void run(Pass& pass, const StepContext& context) {
    if (!buffers) return run(pass.first, pass.last, context);
    const auto which = &pass == &backward ? PlanBuffers::Pass::backward : PlanBuffers::Pass::forward;
    buffers->upload_inputs(which);
    backend.begin(context);
    if (pass.warm && pass.capturable && !pass.captured) {
      backend.use_threads(threads);
      pass.captured = backend.capture([this, &pass] { run(pass.first, pass.last, {}); });
      pass.capturable = pass.captured != nullptr;
    }
    if (pass.captured)
      pass.captured->replay();
    else
      run(pass.first, pass.last, context);
    buffers->download_outputs(which);
    pass.warm = true;
  }

  void set_passes() {
    forward.last = backward.first = backward_step;
    backward.last = steps.size();
    for (Pass* pass : {&forward, &backward}) {
      pass->capturable =
          pass->first < pass->last && std::all_of(steps.begin() + static_cast<int64_t>(pass->first),
                                                  steps.begin() + static_cast<int64_t>(pass->last),
                                                  [](const Step& step) { return step.kernel->can_be_captured(); });
    }
  }

  void* keep(Direction direction, size_t i) {
    if (!buffers) return view(direction, i).data;
    auto& port = buffers->port(direction, i);
    port.resident = true;
    return port.device;
  }

  View view(Direction direction, size_t i) {
    const ValueId id = (direction == Direction::in ? graph.inputs : graph.outputs).at(i);
    const Value& v = graph.value(id);
    return {v.dtype, v.shape, placement.strides(id), buffers ? buffers->staging(direction, i) : address(id)};
  }
};

Plan::Plan(Graph graph, const Backend& backend, int threads)
    : impl_(std::make_unique<Impl>(std::move(graph), backend, threads)) {
  impl_->make_kernels();
  impl_->schedule_early_releases();
  impl_->lay_out_arena();
  impl_->bind_device_buffers();
  impl_->bind_pointers();
  impl_->set_passes();
}

size_t Plan::planned_bytes(const Graph& graph, const Backend& backend) { return Placement(graph, backend).lay_out(); }

Plan::Plan(Plan&&) noexcept = default;
Plan& Plan::operator=(Plan&&) noexcept = default;
Plan::~Plan() = default;

size_t Plan::input_count() const { return impl_->graph.inputs.size(); }
size_t Plan::output_count() const { return impl_->graph.outputs.size(); }
View Plan::input(size_t i) const { return impl_->view(Direction::in, i); }
View Plan::output(size_t i) const { return impl_->view(Direction::out, i); }
size_t Plan::arena_bytes() const { return impl_->arena.bytes(); }
const Graph& Plan::graph() const { return impl_->graph; }

void Plan::bind_input(size_t i, const void* data) {
  if (impl_->buffers) {
    impl_->buffers->port(Direction::in, i).bound = data;
    return;
  }
  Storage& s = impl_->placement.storage(impl_->graph.inputs.at(i));
  s.kind = Storage::Kind::bound;
  s.fixed = data;
  impl_->bind_pointers();
}

void Plan::forward(const StepContext& step) { impl_->run(impl_->forward, step); }
void Plan::backward(const StepContext& step) { impl_->run(impl_->backward, step); }

void Plan::backward(const StepContext& step, const std::function<void(size_t)>& use) {
  if (impl_->released_after.empty()) return backward(step);
  for (size_t i = impl_->backward.first; i < impl_->backward.last; ++i) {
    impl_->run(i, i + 1, step);
    for (size_t output : impl_->released_after[i]) use(output);
  }
}

bool Plan::can_be_captured() const {
  const auto capturable = [](const Pass& pass) { return pass.capturable || pass.first == pass.last; };
  return impl_->buffers && !impl_->buffers->has_transfers() && capturable(impl_->forward) &&
         capturable(impl_->backward);
}

void Plan::queue_forward() { impl_->run(impl_->forward.first, impl_->forward.last, {}); }
void Plan::queue_backward() { impl_->run(impl_->backward.first, impl_->backward.last, {}); }

void* Plan::keep_input(size_t i) { return impl_->keep(Direction::in, i); }
void* Plan::keep_output(size_t i) { return impl_->keep(Direction::out, i); }

void* Plan::address_of(const Tensor& constant) const {
  for (size_t i = 0; i < impl_->graph.value_count(); ++i) {
    const auto id = static_cast<ValueId>(i);
    if (impl_->graph.value(id).constant.get() == &constant && impl_->placement.is_placed(id)) return impl_->address(id);
  }
  return nullptr;
}

const Backend& Plan::backend() const { return impl_->backend; }

void Plan::refresh() {
  impl_->backend.use_threads(impl_->threads);
  if (impl_->buffers) impl_->buffers->refresh();
  for (Step& step : impl_->steps)
    if (step.has_trainable_input) step.kernel->refresh();
}

std::vector<StepTime> Plan::profile() {
  std::vector<StepTime> times;
  if (impl_->buffers) {
    impl_->buffers->upload_inputs(PlanBuffers::Pass::forward);
    impl_->buffers->upload_inputs(PlanBuffers::Pass::backward);
    impl_->backend.begin({});
    impl_->buffers->device().synchronize();
  }
  for (size_t i = 0; i < impl_->steps.size(); ++i) {
    const auto start = std::chrono::steady_clock::now();
    impl_->run(i, i + 1, {});
    if (impl_->buffers) impl_->buffers->device().synchronize();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    const Node& node = impl_->graph.nodes[impl_->steps[i].node];
    times.push_back({node.name, std::string(node.op->type()), elapsed.count()});
  }
  return times;
}

void copy_to_plain(const View& from, void* to) {
  StridedCopy(size_of(from.dtype), from.shape, from.strides, plain_strides(from.shape)).run(from.data, to);
}

void copy_from_plain(const void* from, const View& to) {
  StridedCopy(size_of(to.dtype), to.shape, plain_strides(to.shape), to.strides).run(from, to.data);
}

}  // namespace graft
