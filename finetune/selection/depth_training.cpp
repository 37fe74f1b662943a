#include "finetune/selection/depth_training.h"

#include <algorithm>

#include "finetune/training/feed.h"
#include "runtime/core/error.h"
#include "runtime/ops/batch_norm.h"
#include "runtime/ops/convolution.h"

namespace graft {
namespace {

/// Pictures that activations are measured on.
constexpr size_t kMeasured = 128;

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

NormStatistics measure_activations(const RecipeProblem& problem, const PictureForm& form, const TrainOptions& options,
                                   const Backend& backend) {
  Graph graph = problem.network("all", HeadInput::features).graph;
  if (has_norms(graph)) return {};
  const OpenDims dims{std::min(options.batch, kDepthBatch), options.height, options.width};
  retype(graph, dims, backend);
  std::vector<std::string> names;
  const Graph measuring = statistics_graph(graph, names);
  if (names.empty()) return {};
  const size_t all = problem.training.size(), some = std::min(kMeasured, all);
  std::vector<SampleRef> order;  // from end to end: sets come class by class
  for (size_t i = 0; i < some; ++i) order.push_back({problem.training[i * all / some], 0});
  FeatureCache means;
  means.fill(measuring, dims, backend, options.threads, problem.pictures(form), order, static_cast<size_t>(dims.batch),
             nullptr, [](int64_t) {});
  NormStatistics statistics;
  const auto pictures = static_cast<double>(means.samples().size());
  if (pictures == 0) return {};
  for (size_t n = 0; n < names.size(); ++n) {
    const size_t channels = means.width(2 * n);
    std::vector<double> mean(channels), square(channels);
    std::vector<float> row(channels);
    const auto add = [&](size_t output, std::vector<double>& to, int64_t sample) {
      means.copy(output, {sample, 0}, row.data());
      for (size_t c = 0; c < channels; ++c) to[c] += static_cast<double>(row[c]) / pictures;
    };
    for (const int64_t i : means.samples()) {
      add(2 * n, mean, i);
      add(2 * n + 1, square, i);
    }
    ChannelStatistics& s = statistics[names[n]];
    for (size_t c = 0; c < channels; ++c) {
      s.mean.push_back(static_cast<float>(mean[c]));
      s.variance.push_back(static_cast<float>(std::max(0.0, square[c] - mean[c] * mean[c])));
    }
  }
  return statistics;
}

TrainOptions depth_options(const TrainOptions& given, const Graph& graph, const std::vector<std::string>& head,
                           int epochs, double trunk_rate) {
  bool norms = false, dense = false;
  for (const Node& node : graph.nodes) {
    if (node.inputs.size() < 2 || node.inputs[1] == kNoValue) continue;
    const Value& weight = graph.value(node.inputs[1]);
    if (!weight.trainable || weight.name == head.at(0)) continue;
    if (dynamic_cast<const BatchNorm*>(node.op.get()))
      norms = true;
    else if (!dynamic_cast<const Convolution*>(node.op.get()))
      dense = true;
  }
  TrainOptions options = given;
  options.optimizer = {"adamw"};
  options.schedule = {"cosine"};
  options.length.epochs = epochs;
  options.rate = {};
  options.batch = std::min(given.batch, kDepthBatch);
  options.averaging.recalibrate = norms;
  options.rate.lr = 1e-3f;
  const double bearable = norms && !dense ? 1 : 0.1;  // what no norm holds in place bears less
  options.rate.trunk_scale = static_cast<float>(bearable * trunk_rate);
  options.keep_last = true;
  return options;
}

HeldOut judge_network(const Graph& graph, const SampleSource& pictures, const TrainOptions& options,
                      const Backend& backend) {
  FeatureCache scores;
  scores.fill(graph, {options.batch, options.height, options.width}, backend, options.threads, pictures,
              samples_in_variants(pictures.size(), 0, 0), static_cast<size_t>(options.batch), nullptr, [](int64_t) {});
  HeldOut judged;
  std::vector<float> row(scores.width(0));
  for (const int64_t i : scores.samples()) {
    scores.copy(0, {i, 0}, row.data());
    judged.add(row, pictures.label(i), class_sample_weight(pictures, i, options.supervision.class_weights));
  }
  return judged;
}

HeldOut judge_rows(const Graph& rest, const FeatureRows& rows, const std::vector<int64_t>& samples,
                   const SampleSource& source, const TrainOptions& options, const Backend& backend) {
  Graph scoring = rest;
  scoring.outputs.resize(1);
  Plan plan = compile_inference(scoring, {options.batch, options.height, options.width}, backend, options.threads);
  const auto feed = make_cached_feed(rows, source, static_cast<size_t>(options.batch));
  std::vector<SampleRef> order;
  for (const int64_t i : samples) order.push_back({i, 0});
  feed->start(order);
  HeldOut judged;
  size_t at = 0;
  for (FeedBatch batch; feed->next(batch); at += batch.labels.size()) {
    for (size_t i = 0; i < batch.inputs.size(); ++i) plan.bind_input(i, batch.inputs[i]);
    plan.forward();
    const size_t classes = static_cast<size_t>(plan.output(0).shape.elements()) / batch.labels.size();
    for (size_t i = 0; i < batch.labels.size(); ++i)
      if (batch.labels[i] >= 0)
        judged.add({plan.output(0).as<float>() + i * classes, classes}, batch.labels[i],
                   class_sample_weight(source, samples[at + i], options.supervision.class_weights));
  }
  return judged;
}

}  // namespace graft
