#include "finetune/cuda/training_kernels.h"

#include "finetune/losses/formulas/all.h"
#include "runtime/cuda/table.h"

namespace graft::cuda {
namespace {

/// What a row's loss is divided and added up by.
struct RowSums {
  double loss, weight;
  int finite;
};

GRAFT_DEVICE inline bool is_finite(float v) { return v - v == 0; }

/// Loss and slopes of one row, not yet divided by the batch's weight.
template <typename Formula>
struct OneRow {
  Formula formula;
  LossBatch batch;
  const float* class_weights;  // null: all 1
  RowSums* sums;
  int64_t outputs;
  GRAFT_DEVICE void operator()(int64_t i, Row row) const {
    const auto n = static_cast<size_t>(outputs);
    const std::span<const float> f(batch.scores + i * outputs, n);
    const std::span<float> grad(batch.slopes + i * outputs, n);
    GRAFT_FOR_COLUMNS(k, f, row) grad[k] = 0;
    int wild = 0;
    GRAFT_FOR_COLUMNS(k, f, row) wild |= !is_finite(f[k]);
    wild = row.max(wild);
    const int label = batch.labels[i];
    RowSums result{0, 0, !wild};
    if (label >= 0 && !wild) {
      const Target target{
          label, batch.rows ? std::span<const float>(batch.rows + i * outputs, n) : std::span<const float>(),
          batch.teacher ? std::span<const float>(batch.teacher + i * outputs, n) : std::span<const float>()};
      result.weight = weight_of(target, row) * (batch.weights ? static_cast<double>(batch.weights[i]) : 1);
      result.loss = result.weight * formula(f, target, grad, row);
      GRAFT_FOR_COLUMNS(k, f, row) grad[k] = static_cast<float>(result.weight * static_cast<double>(grad[k]));
    }
    if (row.lane() == 0) sums[i] = result;
  }

  /// Of its classes, as in row_weight.
  GRAFT_DEVICE double weight_of(const Target& target, Row row) const {
    if (!class_weights) return 1;
    if (target.row.empty()) return static_cast<double>(class_weights[target.label]);
    double weighted = 0, mass = 0;
    GRAFT_FOR_COLUMNS(k, target.row, row) {
      weighted += target.at(k) * static_cast<double>(class_weights[k]);
      mass += target.at(k);
    }
    weighted = row.sum(weighted);
    mass = row.sum(mass);
    return mass > 0 ? weighted / mass : 1;
  }
};

/// The batch's sums, by one warp: rows in the same order each time.
struct AddUp {
  const RowSums* rows;
  RowSums* total;
  int64_t count;
  GRAFT_DEVICE void operator()(int64_t, Row row) const {
    double loss = 0, weight = 0;
    int wild = 0;
    for (int64_t i = row.lane(); i < count; i += row.size()) {
      loss += rows[i].loss;
      weight += rows[i].weight;
      wild |= !rows[i].finite;
    }
    loss = row.sum(loss);
    weight = row.sum(weight);
    wild = row.max(wild);
    if (row.lane() == 0) *total = {loss, weight, !wild};
  }
};

struct Divide {
  float* slopes;
  const RowSums* total;
  double scale;
  GRAFT_DEVICE void operator()(int64_t i) const {
    const double weight = total->weight;
    slopes[i] = static_cast<float>(
        scale * (weight > 0 ? static_cast<double>(slopes[i]) / weight : static_cast<double>(slopes[i])));
  }
};

template <typename Formula>
class LossOf final : public LossKernel {
 public:
  LossOf(const Formula& formula, const std::vector<float>& class_weights, int64_t rows, int64_t outputs,
         const Launcher& launcher)
      : formula_(formula),
        rows_(rows),
        outputs_(outputs),
        launcher_(launcher),
        weights_(class_weights.size(), launcher.device()),
        parts_(static_cast<size_t>(rows), launcher.device()),
        total_(1, launcher.device()),
        kept_(1, launcher.device()) {
    std::copy(class_weights.begin(), class_weights.end(), weights_.host());
    weights_.upload();
    launcher.device().synchronize();
  }
  void compute(const LossBatch& batch, bool keep) override {
    RowSums* const total = (keep ? kept_ : total_).device();
    launcher_.rows(rows_, OneRow<Formula>{formula_, batch, weights_.count() > 0 ? weights_.device() : nullptr,
                                          parts_.device(), outputs_});
    launcher_.rows(1, AddUp{parts_.device(), total, rows_});
    launcher_.each(rows_ * outputs_, Divide{batch.slopes, total, static_cast<double>(batch.scale)});
    if (keep) kept_.download();
  }
  Sums sums() const override {
    const RowSums& s = *kept_.host();
    return {s.loss, s.weight, s.finite != 0};
  }

 private:
  Formula formula_;
  int64_t rows_, outputs_;
  const Launcher& launcher_;
  Table<float> weights_;
  Table<RowSums> parts_, total_, kept_;
};

}  // namespace

bool has_loss_kernel(const std::string& name) {
  bool known = false;
  for_each_type(formulas::All{}, [&]<typename Known>() { known = known || name == Known::kText.name; });
  return known;
}

std::unique_ptr<LossKernel> make_loss_kernel(const Choice& loss, const std::vector<float>& class_weights, int64_t rows,
                                             int64_t outputs, const Launcher& launcher) {
  const auto use = [&](const auto& formula) -> std::unique_ptr<LossKernel> {
    return std::make_unique<LossOf<std::decay_t<decltype(formula)>>>(formula, class_weights, rows, outputs, launcher);
  };
  std::unique_ptr<LossKernel> made;
  for_each_type(formulas::All{}, [&]<typename Known>() {
    if (loss.name == Known::kText.name) made = Known::make(component_options<Known>(loss.values), use);
  });
  if (!made) throw Error(loss.name + ": the device has no such loss", {}, ErrorCode::unsupported);
  return made;
}

}  // namespace graft::cuda
