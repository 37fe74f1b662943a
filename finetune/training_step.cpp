#include "finetune/training_step.h"

#include "runtime/base/random.h"

namespace graft {

TrainingStep::TrainingStep(TrainingPlan& plan, TrainingState& state, const Loss& loss, Optimizer& optimizer, const TrainOptions& options, int64_t outputs, int64_t accumulate)
    : plan_(plan), state_(state), loss_(loss), optimizer_(optimizer), options_(options), scores_(static_cast<size_t>(options.batch * outputs)), accumulate_(accumulate) {
  if (accumulate_ > 1) accumulator_.emplace(state_.parameters);
  if (options_.sharpness > 0) sharpness_.emplace(options_.sharpness);
  // What looks at gradients or weights in every step does so on this side.
  const bool looked_at = accumulator_ || sharpness_ || state_.average || options_.clip_norm > 0 || options_.clip_value > 0;
  if (!looked_at) resident_ = ResidentUpdate::make(plan_, state_, options_.optimizer, options_.optimizer_options);
  if (resident_) resident_loss_ = ResidentLoss::make(plan_, options_, outputs);
}

/// Fills the seeds of the backward pass.
TrainingStep::Result TrainingStep::forward(const FeedBatch& batch) {
  Plan& plan = plan_.plan;
  plan.forward({mix(options_.seed, 0x64726f70), static_cast<uint64_t>(state_.batches)});
  const Targets targets{batch.labels, batch.rows, {batch.teacher, batch.teacher ? scores_ : 0}};
  const auto seed = [&](size_t output) { return std::span(plan.input(plan_.first_seed + output).as<float>(), scores_); };
  Result result;
  result.loss = batch_loss(loss_, {plan.output(0).as<float>(), scores_}, targets, options_.class_weights, seed(0));
  // Auxiliary heads add to the slopes. The loss that is reported stays that of the scores, as in validation.
  for (size_t s = 1; s < plan_.scores; ++s) {
    batch_loss(loss_, {plan.output(s).as<float>(), scores_}, targets, options_.class_weights, seed(s));
    for (float& v : seed(s)) v *= options_.auxiliary_weight;
  }
  const size_t width = scores_ / batch.labels.size();
  for (size_t i = 0; i < batch.labels.size(); ++i) {
    if (batch.labels[i] < 0) continue;
    const auto row = batch.rows.empty() ? std::span<const float>() : std::span(batch.rows).subspan(i * width, width);
    result.weight += row_weight({batch.labels[i], row}, options_.class_weights);
  }
  return result;
}

/// running ← momentum·running + (1 - momentum)·batch, with the unbiased variance, as PyTorch does.
void TrainingStep::update_statistics() {
  for (const auto& s : plan_.statistics) {
    const float keep = s.momentum, take = 1 - s.momentum;
    const float unbias = s.count > 1 ? static_cast<float>(s.count) / static_cast<float>(s.count - 1) : 1.0f;
    const auto* mean = plan_.plan.output(s.mean_output).as<float>();
    const auto* variance = plan_.plan.output(s.variance_output).as<float>();
    auto running_mean = s.mean->data<float>(), running_variance = s.variance->data<float>();
    for (size_t c = 0; c < running_mean.size(); ++c) {
      running_mean[c] = keep * running_mean[c] + take * mean[c];
      running_variance[c] = keep * running_variance[c] + take * unbias * variance[c];
    }
  }
}

void TrainingStep::forward_statistics(const FeedBatch& batch, std::vector<std::pair<std::vector<double>, std::vector<double>>>& sums) {
  for (size_t i = 0; i < batch.inputs.size(); ++i) plan_.plan.bind_input(i, batch.inputs[i]);
  plan_.plan.forward({mix(options_.seed, 0x64726f70), static_cast<uint64_t>(state_.batches)});
  for (size_t i = 0; i < sums.size(); ++i) {
    const auto& s = plan_.statistics[i];
    const auto channels = s.mean->data<float>().size();
    const double unbias = s.count > 1 ? static_cast<double>(s.count) / static_cast<double>(s.count - 1) : 1.0;
    sums[i].first.resize(channels);
    sums[i].second.resize(channels);
    for (size_t c = 0; c < channels; ++c) {
      sums[i].first[c] += static_cast<double>(plan_.plan.output(s.mean_output).as<float>()[c]);
      sums[i].second[c] += unbias * static_cast<double>(plan_.plan.output(s.variance_output).as<float>()[c]);
    }
  }
}

void TrainingStep::settle() {
  if (resident_) resident_->settle();
}

void TrainingStep::update(float lr) {
  if (resident_) {
    resident_->step(lr, ++state_.step);
    return;
  }
  if (options_.clip_norm > 0) clip_gradient_norm(state_.parameters, static_cast<double>(options_.clip_norm));
  if (options_.clip_value > 0) clip_gradient_values(state_.parameters, options_.clip_value);
  ++state_.step;
  optimizer_.step(lr, state_.step, state_.parameters, state_.slots);
  plan_.plan.refresh();
  if (state_.average) state_.average->update(state_.parameters);
}

TrainingStep::Result TrainingStep::measure(const FeedBatch& batch) {
  for (size_t i = 0; i < batch.inputs.size(); ++i) plan_.plan.bind_input(i, batch.inputs[i]);
  const Result result = forward(batch);
  plan_.plan.backward({mix(options_.seed, 0x64726f70), static_cast<uint64_t>(state_.batches)});
  accumulator_->add(result.weight);
  return result;
}

TrainingStep::Result TrainingStep::run_there(const FeedBatch& batch, float lr) {
  const StepContext context{mix(options_.seed, 0x64726f70), static_cast<uint64_t>(state_.batches)};
  for (size_t i = 0; i < batch.inputs.size(); ++i) plan_.plan.bind_input(i, batch.inputs[i]);
  resident_loss_->take(batch);
  plan_.plan.forward(context);
  resident_loss_->compute(options_.auxiliary_weight);
  plan_.plan.backward(context);
  update_statistics();
  ++state_.batches;
  update(lr);
  const ResidentLoss::Sums sums = resident_loss_->sums();
  return {sums.loss, sums.weight};
}

TrainingStep::Result TrainingStep::run(const FeedBatch& batch, float lr, bool last) {
  if (resident_loss_) return run_there(batch, lr);
  Plan& plan = plan_.plan;
  const StepContext context{mix(options_.seed, 0x64726f70), static_cast<uint64_t>(state_.batches)};
  for (size_t i = 0; i < batch.inputs.size(); ++i) plan.bind_input(i, batch.inputs[i]);
  const Result result = forward(batch);
  plan.backward(context);
  update_statistics();
  if (sharpness_) {
    sharpness_->climb(state_.parameters);
    plan.refresh();
    forward(batch);
    plan.backward(context);
    sharpness_->descend(state_.parameters);
    plan.refresh();
  }
  ++state_.batches;
  if (!accumulator_) {
    update(lr);
    return result;
  }
  accumulator_->add(result.weight);
  if (++waiting_ < accumulate_ && !last) return result;
  waiting_ = 0;
  if (accumulator_->finish()) update(lr);
  return result;
}

}  // namespace graft
