#include "finetune/selection/depth_training.h"

#include <algorithm>

#include "runtime/core/error.h"
#include "runtime/ops/batch_norm.h"

namespace graft {
namespace {

constexpr int64_t kDepthBatch = 16;

}  // namespace

void set_head(Graph& graph, const std::vector<std::string>& head, const LinearHeadWeights& weights) {
  const auto set = [&](const std::string& name, const std::vector<float>& values) {
    const auto to = graph.value(graph.find(name)).constant->data<float>();
    if (to.size() != values.size()) throw Error("a head of another size", {}, ErrorCode::internal);
    std::copy(values.begin(), values.end(), to.begin());
  };
  set(head.at(0), weights.weight);
  set(head.at(1), weights.bias);
}

TrainOptions depth_options(const TrainOptions& given, const Graph& graph, int epochs) {
  const bool norms = std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) {
    return dynamic_cast<const BatchNorm*>(node.op.get()) && graph.value(node.inputs[1]).trainable;
  });
  TrainOptions options = given;
  options.optimizer = {"adamw"};
  options.schedule = {"cosine"};
  options.length.epochs = epochs;
  options.rate = {};
  options.batch = std::min(given.batch, kDepthBatch);
  options.averaging.recalibrate = norms;
  options.rate.lr = norms ? 1e-3f : 1e-4f;  // without norms by the batch, deep stacks bear less
  options.rate.trunk_scale = 1;
  options.keep_last = true;
  return options;
}

HeldOut judge_network(const Graph& graph, const SampleSource& pictures, const TrainOptions& options,
                      const Backend& backend) {
  FeatureCache scores;
  scores.fill(graph, {options.batch, options.height, options.width}, backend, options.threads, pictures,
              samples_in_variants(pictures.size(), 0, 0), static_cast<size_t>(options.batch), [](int64_t) {});
  HeldOut judged;
  std::vector<float> row(scores.width(0));
  for (const int64_t i : scores.samples()) {
    scores.copy(0, {i, 0}, row.data());
    judged.add(row, pictures.label(i));
  }
  return judged;
}

}  // namespace graft
