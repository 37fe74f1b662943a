// The number of threads changes no bit of any gradient: grouped, depthwise, strided and odd convolutions, LRN, dropout,
// batch norms.
#include <vector>

#include "tests/backend.h"
#include "tests/models/two_steps.h"

namespace graft {
namespace {

struct Case {
  const char* name;
  int64_t batch, side;
};

std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class Threads : public testing::TestWithParam<Case> {};

TEST_P(Threads, ChangeNoGradient) {
  const Case& c = GetParam();
  const Graph graph = all_trainable(c.name);
  TrainingPlan one = compile_training(graph, {c.batch, c.side, c.side}, test_backend(), 1);
  take_two_steps(one);
  for (const int threads : {2, 4}) {
    TrainingPlan several = compile_training(graph, {c.batch, c.side, c.side}, test_backend(), threads);
    take_two_steps(several);
    expect_same_bits(one, several);
  }
}

std::vector<Case> cases() {
  std::vector<Case> all{{"lenet5", 5, 32}, {"alexnet", 3, 227}, {"squeezenet-1.0", 3, 64}};
#ifndef GRAFT_SANITIZED
  all.insert(all.end(), {{"mobilenet-v2", 5, 64},
                         {"googlenet", 3, 64},
                         {"densenet-121", 3, 64},
                         {"resnet-50", 3, 64},
                         {"resnext-50-32x4d", 2, 64}});
#endif
  return all;
}

INSTANTIATE_TEST_SUITE_P(Networks, Threads, testing::ValuesIn(cases()),
                         [](const auto& c) { return test_name(c.param.name); });

}  // namespace
}  // namespace graft
