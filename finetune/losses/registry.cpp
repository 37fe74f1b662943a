#include "runtime/core/registry.h"
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
      throw Error("distillation needs a teacher with as many scores as there are classes", "give --teacher");
    return formula_(f, y, grad, Row{});
  }
  bool takes_rows() const override { return Formula::kTakesRows; }
  bool is_element_wise() const override { return Formula::kElementWise; }
  bool needs_teacher() const override { return Formula::kNeedsTeacher; }

 private:
  Formula formula_;
};

}  // namespace

#define GRAFT_MAKE(text, name)                                                    \
  LossPtr make_##name(const LossOptions& o) {                                     \
    return formulas::name(o, [](const auto& formula) -> LossPtr {                 \
      return std::make_unique<RowLoss<std::decay_t<decltype(formula)>>>(formula); \
    });                                                                           \
  }
GRAFT_LOSSES(GRAFT_MAKE)
#undef GRAFT_MAKE

namespace {

const Registry<LossPtr, const LossOptions&>& registry() {
#define GRAFT_ENTRY(text, name) {text, make_##name},
  static const Registry<LossPtr, const LossOptions&> table("loss", {GRAFT_LOSSES(GRAFT_ENTRY)});
#undef GRAFT_ENTRY
  return table;
}

}  // namespace

LossPtr make_loss(const std::string& name, const LossOptions& options) { return registry().make(name, options); }

std::vector<std::string> loss_names() { return registry().names(); }

}  // namespace graft
