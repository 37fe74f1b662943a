// Descents on cached features end where scikit-learn and SciPy end.
#include <gtest/gtest.h>

#include "finetune/data/row_stream.h"
#include "finetune/heads/freeze.h"
#include "finetune/heads/head.h"
#include "finetune/training/trainer.h"
#include "runtime/core/error.h"
#include "tests/backend.h"
#include "tests/finetune/fixture.h"
#include "tests/finetune/job.h"

namespace graft {
namespace {

/// Rows of numbers as 1×1 pictures.
class Rows final : public SampleSource {
 public:
  Rows(std::vector<float> x, std::vector<int> labels)
      : x_(std::move(x)), labels_(std::move(labels)), width_(x_.size() / labels_.size()) {}
  int64_t size() const override { return static_cast<int64_t>(labels_.size()); }
  int label(int64_t i) const override { return labels_[static_cast<size_t>(i)]; }
  std::unique_ptr<SampleStream> stream(std::vector<SampleRef> order, size_t batch) const override {
    return std::make_unique<RowStream>(std::move(order), batch, width_, [this](const SampleRef& ref, float* to) {
      std::copy_n(x_.begin() + ref.index * static_cast<int64_t>(width_), width_, to);
      return std::string();
    });
  }

 private:
  std::vector<float> x_;
  std::vector<int> labels_;
  size_t width_;
};

struct LinearHead {
  Graph graph;
  GraftedHead head;
};
LinearHead linear_head(int64_t features, int64_t classes) {
  LinearHead l;
  const ValueId x = l.graph.add_input("x", DType::f32, {1, features, 1, 1});
  l.graph.outputs = {x};
  l.head = graft_head(l.graph, {classes, 1});
  l.graph.value(x).shape[0] = kOpenDim;
  apply_freeze(l.graph, {"all", BatchNormPolicy::automatic}, l.head.parameters);
  return l;
}

TEST(LinearHead, EndsWhereScikitLearnAndSciPyEnd) {
  const auto f = fixture("linear_heads.json");
  const Rows samples(f.at("x").get<std::vector<float>>(), f.at("labels").get<std::vector<int>>());
  const int classes = f.at("classes");
  for (const auto& c : f.at("cases")) {
    LinearHead l = linear_head(f.at("features"), classes);
    TrainOptions o;
    o.height = o.width = 1;
    o.batch = 32;  // 90 samples: the last batch is filled up, and what fills it counts for nothing
    o.length.epochs = 500;
    o.optimizer = {"lbfgs"};
    o.loss.name = c.at("loss");
    o.regularisation.weight_decay = c.at("decay");
    o.regularisation.spare_vectors = !c.at("decay_vectors").get<bool>();
    const TrainResult r = train(l.graph, l.head.parameters, samples, samples, classes, o, {}, test_backend());
    const auto name = c.at("name").get<std::string>() + " " + o.loss.name;
    EXPECT_NEAR(r.history.back().train_loss, c.at("value").get<double>(), 1e-4) << name;
    EXPECT_NEAR(r.history.back().val_score, c.at("accuracy").get<double>(), 0.002) << name;
    EXPECT_LT(r.history.size(), 200u) << name;
  }
}

TEST(LinearHead, DescentsSayWhatTheyCannotDo) {
  Job free = make_job("none");
  TrainOptions o = small_options(3);
  o.optimizer = {"lbfgs"};
  EXPECT_THROW(run(free, o, 2), Error);  // nothing is cached
  Job frozen = make_job("all");
  o.regularisation.l1 = 0.1f;
  EXPECT_THROW(run(frozen, o, 2), Error);
  o.regularisation.l1 = 0;
  o.mixing.mixup = 1;
  EXPECT_THROW(run(frozen, o, 2), Error);
}

}  // namespace
}  // namespace graft
