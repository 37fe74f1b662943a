#pragma once

#include <vector>

#include "finetune/heads/freeze.h"
#include "finetune/heads/head.h"
#include "finetune/training/trainer.h"
#include "models/registry.h"
#include "tests/backend.h"
#include "tests/finetune/array_source.h"

namespace graft {

/// A small network with a new head for three classes, as a training run begins.
struct Job {
  Graph graph;
  GraftedHead head;
};

inline Job make_job(const std::string& policy, float dropout = 0, BatchNormPolicy norms = BatchNormPolicy::automatic) {
  Job job{build_architecture("graft-small", {0, 3}), {}};
  job.head = graft_head(job.graph, {3, 5, false, {"linear", {{"dropout", shortest_text(dropout)}}}});
  apply_freeze(job.graph, {policy, norms}, job.head.parameters);
  return job;
}

inline TrainOptions small_options(int epochs) {
  TrainOptions o;
  o.height = o.width = 64;
  o.batch = 8;
  o.length.epochs = epochs;
  o.rate.lr = 0.02f;
  o.seed = 11;
  return o;
}

inline std::vector<float> all_parameters(const Graph& graph) {
  std::vector<float> values;
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const auto& t = graph.value(static_cast<ValueId>(i)).constant;
    if (t && t->dtype() == DType::f32) values.insert(values.end(), t->data<float>().begin(), t->data<float>().end());
  }
  return values;
}

/// Trains on eight pictures a class, validates on two.
inline TrainResult run(Job& job, const TrainOptions& options, int per_class = 8, const TrainListener& listener = {}) {
  const ArraySource training("demo", 3, per_class, 64, 1), validation("demo", 3, 2, 64, 2);
  return train(job.graph, job.head.parameters, training, validation, 3, options, listener, test_backend());
}

}  // namespace graft
