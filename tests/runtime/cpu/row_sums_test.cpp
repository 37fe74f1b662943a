// Sums over rows, against sums in double precision.
#include "runtime/ops/reduce.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

TEST(RowSums, AreExactForAnyNumberOfRowsAndThreads) {
  for (const Shape& shape : {Shape{70, 48}, Shape{9, 100, 33}, Shape{2, 4, 300}}) {
    auto op = std::make_shared<SumTo>();
    op->target = {shape.back()};
    op->scale = 0.5f;
    const Tensor x = random_tensor(shape, 1);
    std::vector<double> sums(static_cast<size_t>(shape.back()));
    for (int64_t i = 0; i < x.elements(); ++i)
      sums[static_cast<size_t>(i % shape.back())] += static_cast<double>(x.data<float>()[static_cast<size_t>(i)]) / 2;
    std::vector<float> first;
    for (const int threads : {1, 2, 3}) {
      Graph graph;
      graph.outputs = {graph.add("sum", op, {graph.add_input("x", DType::f32, shape)})};
      Plan plan(graph, test_backend(), threads);
      copy_from_plain(x.raw(), plan.input(0));
      plan.forward();
      Tensor y(DType::f32, plan.output(0).shape);
      copy_to_plain(plan.output(0), y.raw());
      expect_floats(y, {shape.back()}, {sums.begin(), sums.end()}, 1e-5f);
      if (threads == 1) first.assign(y.data<float>().begin(), y.data<float>().end());
      EXPECT_TRUE(std::equal(first.begin(), first.end(), y.data<float>().begin())) << threads << " threads";
    }
  }
}

}  // namespace
}  // namespace graft
