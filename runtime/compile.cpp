#include <algorithm>

#include "runtime/base/error.h"
#include "runtime/plan.h"

namespace graft {

Plan compile_inference(const Graph& graph, const OpenDims& dims, const Backend& backend, int threads) {
  backend.use_threads(threads);
  Graph g = specialise(graph, dims, backend);
  remove_identities(g, /*keep_dropout=*/false);
  recognise_functions(g);
  channels_as_rows(g);
  canonicalise_dense(g);
  fold_batch_norm(g);
  fuse_epilogues(g);
  remove_dead_code(g);
  return Plan(std::move(g), backend, threads);
}

TrainingPlan compile_training(const Graph& graph, const OpenDims& dims, const Backend& backend, int threads) {
  backend.use_threads(threads);
  Graph g = specialise(graph, dims, backend);
  remove_identities(g, /*keep_dropout=*/true);
  recognise_functions(g);
  channels_as_rows(g);
  canonicalise_dense(g);
  remove_dead_code(g);
  const size_t scores = g.outputs.size();  // before the passes append what they leave behind
  const auto norms = train_batch_norm(g);
  fold_batch_norm(g);
  fuse_epilogues(g);

  std::vector<ValueId> wanted;
  for (size_t id = 0; id < g.value_count(); ++id) {
    const Value& v = g.value(static_cast<ValueId>(id));
    if (v.trainable && v.constant) wanted.push_back(static_cast<ValueId>(id));
  }
  const Gradients gradients = differentiate(g, {g.outputs.begin(), g.outputs.begin() + static_cast<int64_t>(scores)}, wanted);
  fuse_epilogues(g);  // sums of a value's gradients
  share_batch_statistics(g);
  share_norm_gradients(g);
  const auto output_index = [&](ValueId id) { return static_cast<size_t>(std::find(g.outputs.begin(), g.outputs.end(), id) - g.outputs.begin()); };

  std::vector<std::pair<std::shared_ptr<Tensor>, size_t>> gradient_outputs;
  for (const auto& [parameter, gradient] : gradients.of) {
    if (gradient == kNoValue) continue;
    gradient_outputs.emplace_back(g.value(parameter).constant, output_index(gradient));
  }
  std::vector<TrainingPlan::RunningStatistics> statistics;
  for (const BatchStatistics& s : norms) {
    statistics.push_back({s.running_mean, s.running_variance, output_index(s.batch_mean), output_index(s.batch_variance), s.momentum, s.count});
  }
  const size_t first_seed = g.inputs.size() - scores;
  return {Plan(std::move(g), backend, threads), scores, first_seed, std::move(gradient_outputs), std::move(statistics)};
}

}  // namespace graft
