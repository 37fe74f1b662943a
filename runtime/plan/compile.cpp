#include <algorithm>

#include "runtime/core/error.h"
#include "runtime/core/memory_text.h"
#include "runtime/ops/reshape.h"
#include "runtime/plan/plan.h"

namespace graft {
namespace {

Graph lowered(Graph graph, const Backend& backend) {
  if (backend.activations() != DType::f32 && backend.computes_in_halves(graph)) lower_precision(graph, backend);
  return graph;
}

/// The largest batch below that of `dims` whose `needed` bytes are at most `allowed`, or 0. `needed_now`: those of
/// `dims`.
template <typename Needed>
int64_t largest_batch(const OpenDims& dims, size_t needed_now, size_t allowed, const Needed& needed) {
  OpenDims fewer = dims;
  for (fewer.batch = dims.batch - 1; fewer.batch > 0; --fewer.batch) {
    // Nearly all of it grows with the batch: the first guess is close.
    fewer.batch = std::min(fewer.batch, std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(dims.batch) *
                                                                                  static_cast<double>(allowed) /
                                                                                  static_cast<double>(needed_now)) +
                                                                 1));
    if (needed(fewer) <= allowed) break;
  }
  return fewer.batch;
}

/// A graph's plan with its constants, where the backend has a device. Throws Error, with the batch that fits,
/// where that is full. `graph_of` makes the graph for other dimensions.
template <typename GraphOf>
void require_room(const Graph& graph, const OpenDims& dims, const Backend& backend, const GraphOf& graph_of) {
  if (!backend.device()) return;
  const size_t available = backend.device()->available(), needed = Plan::planned_bytes(graph, backend);
  size_t constants = 0;
  for (size_t i = 0; i < graph.value_count(); ++i)
    if (const auto& tensor = graph.value(static_cast<ValueId>(i)).constant) constants += tensor->bytes();
  if (needed + constants <= available) return;
  const size_t allowed = available > constants ? available - constants : 0;
  const int64_t batch = largest_batch(
      dims, needed, allowed, [&](const OpenDims& fewer) { return Plan::planned_bytes(graph_of(fewer), backend); });
  throw Error("a batch of " + std::to_string(dims.batch) + " needs " + mebibytes(needed + constants) +
                  " of the device's memory, " + mebibytes(available) + " are free",
              batch > 0 ? "use " + mention("batch") + " " + std::to_string(batch) : "use " + mention("device") + " cpu",
              ErrorCode::out_of_memory);
}

Graph inference_graph(const Graph& graph, const OpenDims& dims, const Backend& backend) {
  Graph g = specialise(graph, dims, backend);
  remove_identities(g, /*keep_dropout=*/false);
  recognise_functions(g);
  if (backend.fuses_attention()) fuse_attention(g);
  channels_as_rows(g);
  canonicalise_dense(g);
  fold_batch_norm(g);
  fuse_epilogues(g);
  if (backend.multiplies_bytes()) quantise_products(g);
  remove_dead_code(g);
  return lowered(std::move(g), backend);
}

}  // namespace

Plan compile_inference(const Graph& graph, const OpenDims& dims, const Backend& backend, int threads) {
  backend.use_threads(threads);
  Graph g = inference_graph(graph, dims, backend);
  require_room(g, dims, backend, [&](const OpenDims& fewer) { return inference_graph(graph, fewer, backend); });
  return Plan(std::move(g), backend, threads);
}

namespace {

/// Forward and backward pass of a graph, with what finds its parts again.
struct TrainingGraph {
  Graph graph;
  size_t scores;
  std::vector<BatchStatistics> norms;
  Gradients gradients;
};

/// Gradients are row-major, as their parameters are. A parameter that a picture operator reads as its picture (a
/// position encoding before a 1×1 convolution) gets a channels-last one, which is copied.
void make_gradients_row_major(Graph& graph, Gradients& gradients) {
  const std::vector<bool> weight_like = weight_like_values(graph);
  const std::vector<int> producers = graph.producers();
  for (auto& [parameter, gradient] : gradients.of) {
    if (gradient == kNoValue || graph.value(gradient).shape.rank() != 4 || weight_like[static_cast<size_t>(gradient)])
      continue;
    const int producer = producers[static_cast<size_t>(gradient)];
    if (producer < 0 || graph.nodes[static_cast<size_t>(producer)].op->layout() != Operator::Layout::channels_last)
      continue;
    const ValueId copy = graph.add(graph.unused_name(graph.value(gradient).name + ":row_major"),
                                   std::make_shared<Identity>(), {gradient});
    std::ranges::replace(graph.outputs, gradient, copy);
    gradient = copy;
  }
}

TrainingGraph training_graph(const Graph& graph, const OpenDims& dims, const Backend& backend) {
  Graph g = specialise(graph, dims, backend);
  remove_identities(g, /*keep_dropout=*/true);
  recognise_functions(g);
  if (backend.fuses_attention()) fuse_attention(g);
  channels_as_rows(g);
  canonicalise_dense(g);
  remove_dead_code(g);
  const size_t scores = g.outputs.size();  // before the passes append what they leave behind
  expand_computed_batch_norm(g);
  auto norms = train_batch_norm(g);
  fold_batch_norm(g);
  fuse_epilogues(g);

  std::vector<ValueId> wanted;
  for (size_t id = 0; id < g.value_count(); ++id) {
    const Value& v = g.value(static_cast<ValueId>(id));
    if (v.trainable && v.constant) wanted.push_back(static_cast<ValueId>(id));
  }
  Gradients gradients = differentiate(g, {g.outputs.begin(), g.outputs.begin() + static_cast<int64_t>(scores)}, wanted);
  fuse_epilogues(g);  // sums of a value's gradients
  share_batch_statistics(g);
  share_norm_gradients(g);
  make_gradients_row_major(g, gradients);
  return {std::move(g), scores, std::move(norms), std::move(gradients)};
}

constexpr size_t kMostSegments = 32;

/// The graph in as few segments as fit `bytes`, or in those that take least.
Graph fit(const Graph& graph, const Backend& backend, size_t bytes) {
  Graph best = graph;
  size_t least = Plan::planned_bytes(graph, backend), cuts = 0;
  for (size_t segments = 2; segments <= kMostSegments && least > bytes; ++segments) {
    const auto places = place_cuts(graph, segments);
    if (places.size() == cuts) continue;
    cuts = places.size();
    Graph candidate = graph;
    recompute_activations(candidate, places);
    const size_t taken = Plan::planned_bytes(candidate, backend);
    if (taken >= least) continue;
    least = taken;
    best = std::move(candidate);
  }
  return best;
}

Plan plan_within(Graph graph, const Graph& model, const OpenDims& dims, const Backend& backend, int threads,
                 const MemoryLimit& limit) {
  if (!limit.any()) {
    require_room(graph, dims, backend,
                 [&](const OpenDims& fewer) { return lowered(training_graph(model, fewer, backend).graph, backend); });
    return Plan(std::move(graph), backend, threads);
  }
  Plan plan(graph, backend, threads);
  const size_t scratch = plan.arena_bytes() - Plan::planned_bytes(graph, backend);
  size_t allowed =
      limit.part > 0 ? static_cast<size_t>(limit.part * static_cast<double>(plan.arena_bytes())) : limit.bytes;
  if (limit.bytes > 0) allowed = std::min(allowed, limit.bytes);
  if (plan.arena_bytes() <= allowed) return plan;
  plan = Plan(fit(graph, backend, allowed > scratch ? allowed - scratch : 0), backend, threads);
  if (plan.arena_bytes() <= allowed) return plan;
  const int64_t batch = largest_batch(dims, plan.arena_bytes(), allowed, [&](const OpenDims& fewer) {
    return Plan::planned_bytes(fit(lowered(training_graph(model, fewer, backend).graph, backend), backend,
                                   allowed > scratch ? allowed - scratch : 0),
                               backend) +
           scratch;
  });
  throw Error(
      "a training step of batch " + std::to_string(dims.batch) + " takes " + mebibytes(plan.arena_bytes()) +
          " at the least, " + mebibytes(allowed) + " are allowed",
      (batch > 0 ? "use " + mention("batch") + " " + std::to_string(batch) + ", or a larger " : "use a larger ") +
          mention("memory"),
      ErrorCode::out_of_memory);
}

}  // namespace

TrainingPlan compile_training(const Graph& graph, const OpenDims& dims, const Backend& backend, int threads,
                              const MemoryLimit& limit, GradientLifetime gradients) {
  backend.use_threads(threads);
  TrainingGraph training = training_graph(graph, dims, backend);
  Graph& g = training.graph;
  const auto output_index = [&](ValueId id) {
    return static_cast<size_t>(std::find(g.outputs.begin(), g.outputs.end(), id) - g.outputs.begin());
  };

  std::vector<std::pair<std::shared_ptr<Tensor>, size_t>> gradient_outputs;
  for (const auto& [parameter, gradient] : training.gradients.of) {
    if (gradient == kNoValue) continue;
    gradient_outputs.emplace_back(g.value(parameter).constant, output_index(gradient));
    if (gradients == GradientLifetime::released_early && !backend.device())
      g.early_releases.push_back({gradient_outputs.back().second, parameter});
  }
  std::vector<TrainingPlan::RunningStatistics> statistics;
  for (const BatchStatistics& s : training.norms) {
    statistics.push_back({s.running_mean, s.running_variance, output_index(s.batch_mean),
                          output_index(s.batch_variance), s.momentum, s.count});
  }
  const size_t first_seed = g.inputs.size() - training.scores;
  // Lowered, outputs keep their places, though not their names.
  return {plan_within(lowered(std::move(training.graph), backend), graph, dims, backend, threads, limit),
          training.scores, first_seed, std::move(gradient_outputs), std::move(statistics)};
}

}  // namespace graft
