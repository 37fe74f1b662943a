#include "finetune/training/host_kernels.h"

#include "runtime/core/parallel.h"

namespace graft {
namespace {

class HostOptimizer final : public FusedOptimizer {
 public:
  HostOptimizer(Optimizer& optimizer, const std::vector<Parameter>& parameters, OptimizerState& slots)
      : optimizer_(optimizer), parameters_(parameters), slots_(slots) {}
  void prepare(float lr, int64_t step) override {
    lr_ = lr;
    step_ = step;
  }
  void apply(const int* enabled) override {
    if (!enabled || *enabled) optimizer_.step(lr_, step_, parameters_, slots_);
  }
  void apply_one(size_t parameter) override { optimizer_.step_on({&parameter, 1}, lr_, step_, parameters_, slots_); }

 private:
  Optimizer& optimizer_;
  const std::vector<Parameter>& parameters_;
  OptimizerState& slots_;
  float lr_ = 0;
  int64_t step_ = 0;
};

class HostLoss final : public LossKernel {
 public:
  HostLoss(const Loss& loss, const std::vector<float>& class_weights, int64_t rows, int64_t outputs)
      : loss_(loss),
        class_weights_(class_weights),
        rows_(static_cast<size_t>(rows)),
        outputs_(static_cast<size_t>(outputs)) {}

  void compute(const LossBatch& batch, bool keep) override {
    const auto values = [&](const float* from) { return std::span(from, from ? rows_ * outputs_ : 0); };
    const Targets targets{{batch.labels, rows_},
                          values(batch.rows),
                          values(batch.teacher),
                          std::span(batch.weights, batch.weights ? rows_ : 0)};
    const std::span<float> slopes(batch.slopes, rows_ * outputs_);
    const double loss = batch_loss(loss_, values(batch.scores), targets, class_weights_, slopes);
    if (batch.scale != 1)
      for (float& v : slopes) v *= batch.scale;
    if (keep) sums_ = {loss, weight_of(targets), true};
  }
  Sums sums() const override { return sums_; }

 private:
  double weight_of(const Targets& targets) const {
    double weight = 0;
    for (size_t i = 0; i < rows_; ++i)
      if (targets.labels[i] >= 0) weight += row_weight(targets, i, class_weights_);
    return weight;
  }

  const Loss& loss_;
  std::vector<float> class_weights_;
  size_t rows_, outputs_;
  Sums sums_;
};

}  // namespace

std::unique_ptr<FusedOptimizer> HostKernels::make_optimizer(const Choice&,
                                                            const std::vector<ParameterView>& parameters) const {
  for (size_t p = 0; p < parameters.size(); ++p) parameters_[p].gradient = parameters[p].gradient;
  return std::make_unique<HostOptimizer>(optimizer_, parameters_, slots_);
}

std::unique_ptr<LossKernel> HostKernels::make_loss(const Choice&, const std::vector<float>& class_weights, int64_t rows,
                                                   int64_t outputs) const {
  return std::make_unique<HostLoss>(loss_, class_weights, rows, outputs);
}

void HostKernels::normalise(const PictureBytes& pictures, float* to) const {
  parallel_for(pictures.elements(), 4096, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) to[i] = pictures.value(i);
  });
}

}  // namespace graft
