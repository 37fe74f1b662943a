// The number of threads changes no bit of what is trained.
#include <gtest/gtest.h>

#include "tests/finetune/job.h"

namespace graft {
namespace {

std::vector<float> trained_with(int threads, const std::string& freeze) {
  Job job = make_job(freeze, 0.2f);
  TrainOptions o = small_options(2);
  o.threads = threads;
  o.averaging.decay = 0.9f;
  o.gradient.clip_norm = 1;
  o.mixing = {0.4f, freeze == "none" ? 1.0f : 0.0f};
  o.optimizer = {"adamw"};
  run(job, o, 4);
  return all_parameters(job.graph);
}

TEST(Threads, ChangeNoBitOfARun) {
  for (const char* freeze : {"all", "last:2", "none"}) {
    const auto one = trained_with(1, freeze);
    for (const int threads : {2, 4})
      EXPECT_EQ(one, trained_with(threads, freeze)) << threads << " threads, --freeze " << freeze;
  }
}

}  // namespace
}  // namespace graft
