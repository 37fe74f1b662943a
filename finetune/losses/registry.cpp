#include "finetune/losses/formulas/all.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

/// A formula as a Loss of the processor.
template <typename Formula>
class RowLoss final : public Loss {
 public:
  explicit RowLoss(const Formula& formula) : formula_(formula) {}
  double row(std::span<const float> f, const Target& y, std::span<float> grad) const override {
    if (Formula::kNeedsTeacher && y.teacher.size() != f.size())
      throw Error("distillation needs a teacher with as many scores as there are classes",
                  "give a " + mention("teacher"))
          .about("loss");
    return formula_(f, y, grad, Row{});
  }
  bool takes_rows() const override { return Formula::kTakesRows; }
  bool is_element_wise() const override { return Formula::kElementWise; }
  bool needs_teacher() const override { return Formula::kNeedsTeacher; }

 private:
  Formula formula_;
};

const Components<LossPtr>& losses() {
  static const Components<LossPtr> table = [] {
    Components<LossPtr> all("loss", "loss");
    for_each_type(formulas::All{}, [&]<typename Formula>() {
      all.add<Formula>([](const typename Formula::Options& options) {
        return Formula::make(options, [](const auto& formula) -> LossPtr {
          return std::make_unique<RowLoss<std::decay_t<decltype(formula)>>>(formula);
        });
      });
    });
    return all;
  }();
  return table;
}

}  // namespace

LossPtr make_loss(const Choice& loss) { return losses().make(loss); }

const std::vector<ComponentInfo>& loss_components() { return losses().infos(); }

std::vector<std::string> loss_names() { return losses().names(); }

}  // namespace graft
