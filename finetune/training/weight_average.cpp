#include "finetune/training/weight_average.h"

#include "finetune/optimizers/parts.h"

namespace graft {

void WeightAverage::swap(const std::vector<Parameter>& parameters) {
  if (values_.empty()) return;
  for_each_part(parameters, every(parameters), [&](size_t p, int64_t first, int64_t last) {
    float* const weights = parameters[p].tensor->data<float>().data();
    std::swap_ranges(weights + first, weights + last, values_[p].data<float>().data() + first);
  });
}

}  // namespace graft
