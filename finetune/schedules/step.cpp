#include <algorithm>
#include <cmath>

#include "finetune/schedules/schedule.h"

namespace graft {
namespace {

constexpr double kRounding = 1e-9;  // positions are sums of fractions of epochs

}  // namespace

/// factor = γ^⌊epoch / every⌋
SchedulePtr make_step_schedule(const ScheduleOptions& o) {
  const double every = o.step_every > 0 ? o.step_every : std::max(1.0, std::ceil(o.epochs / 3));
  return make_function_schedule(
      [every, gamma = o.step_factor](double epoch) { return std::pow(gamma, std::floor(epoch / every + kRounding)); });
}

/// factor = γ^(milestones passed)
SchedulePtr make_multi_step_schedule(const ScheduleOptions& o) {
  const std::vector<double> milestones =
      o.milestones.empty() ? std::vector<double>{o.epochs / 2, o.epochs * 3 / 4} : o.milestones;
  return make_function_schedule([milestones, gamma = o.step_factor](double epoch) {
    const auto passed =
        std::count_if(milestones.begin(), milestones.end(), [&](double m) { return epoch + kRounding >= m; });
    return std::pow(gamma, static_cast<double>(passed));
  });
}

}  // namespace graft
