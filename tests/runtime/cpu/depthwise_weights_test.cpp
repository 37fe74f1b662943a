// Gradients of a depthwise convolution's weights against sums in double precision.
#include "runtime/ops/convolution.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

struct Case {
  int64_t images, channels, height, width, kernel_height, kernel_width;
  Extent2d stride{1, 1}, dilation{1, 1};
  Padding2d padding{0, 0, 0, 0};
};

std::ostream& operator<<(std::ostream& os, const Case& c) {
  return os << c.channels << " channels, " << c.height << "x" << c.width << ", kernel " << c.kernel_height << "x"
            << c.kernel_width;
}

class DepthwiseWeights : public testing::TestWithParam<Case> {
 protected:
  DepthwiseWeights() {
    op_.window.kernel = {c_.kernel_height, c_.kernel_width};
    op_.window.stride = c_.stride;
    op_.window.dilation = c_.dilation;
    op_.window.padding = c_.padding;
    op_.groups = c_.channels;
    op_.weight_shape = {c_.channels, 1, c_.kernel_height, c_.kernel_width};
    op_.bias = true;
    const Extent2d y = op_.window.output({c_.height, c_.width});
    dy_ = random_tensor({c_.images, c_.channels, y.height, y.width}, 2);
  }

  std::vector<Tensor> run(int threads) const {
    Graph graph;
    const std::vector<ValueId> inputs{graph.add_input("x", DType::f32, x_.shape()),
                                      graph.add_input("dy", DType::f32, dy_.shape())};
    graph.append_node("node", std::make_shared<ConvolutionBackwardWeights>(op_), inputs, {"dw", "db"});
    graph.outputs = graph.nodes.back().outputs;
    Plan plan(specialise(graph, {}, test_backend()), test_backend(), threads);
    copy_from_plain(x_.raw(), plan.input(0));
    copy_from_plain(dy_.raw(), plan.input(1));
    plan.forward();
    std::vector<Tensor> results;
    for (size_t i = 0; i < 2; ++i) {
      results.emplace_back(DType::f32, plan.output(i).shape);
      copy_to_plain(plan.output(i), results.back().raw());
    }
    return results;
  }

  Case c_ = GetParam();
  ConvolutionBackwardWeights op_;
  Tensor x_ = random_tensor({c_.images, c_.channels, c_.height, c_.width}, 1), dy_;
};

TEST_P(DepthwiseWeights, AreTheAdjointAndTheSameBitsForAnyThreads) {
  const Shape &x = x_.shape(), &y = dy_.shape(), &w = op_.weight_shape;
  std::vector<double> dw(static_cast<size_t>(w.elements())), db(static_cast<size_t>(c_.channels));
  for (int64_t n = 0; n < y[0]; ++n)
    for (int64_t c = 0; c < y[1]; ++c)
      for (int64_t i = 0; i < y[2]; ++i)
        for (int64_t j = 0; j < y[3]; ++j) {
          const auto d =
              static_cast<double>(dy_.data<float>()[static_cast<size_t>(((n * y[1] + c) * y[2] + i) * y[3] + j)]);
          db[static_cast<size_t>(c)] += d;
          for (int64_t r = 0; r < w[2]; ++r)
            for (int64_t s = 0; s < w[3]; ++s) {
              const int64_t row = i * c_.stride.height + r * c_.dilation.height - c_.padding.top,
                            column = j * c_.stride.width + s * c_.dilation.width - c_.padding.left;
              if (row < 0 || row >= x[2] || column < 0 || column >= x[3]) continue;
              dw[static_cast<size_t>((c * w[2] + r) * w[3] + s)] +=
                  d * static_cast<double>(
                          x_.data<float>()[static_cast<size_t>(((n * x[1] + c) * x[2] + row) * x[3] + column)]);
            }
        }
  const std::vector<Tensor> results = run(2);
  expect_floats(results[0], w, {dw.begin(), dw.end()}, 2e-5f);
  expect_floats(results[1], {c_.channels}, {db.begin(), db.end()}, 2e-5f);
  for (const int threads : {1, 3}) {
    const std::vector<Tensor> others = run(threads);
    for (size_t i = 0; i < 2; ++i)
      EXPECT_TRUE(
          std::equal(results[i].data<float>().begin(), results[i].data<float>().end(), others[i].data<float>().begin()))
          << threads << " threads";
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, DepthwiseWeights,
                         testing::Values(Case{2, 16, 9, 8, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}},
                                         Case{3, 40, 11, 10, 7, 7, {1, 1}, {1, 1}, {3, 3, 3, 3}},
                                         Case{2, 19, 12, 13, 5, 5, {2, 2}, {1, 1}, {2, 1, 1, 2}},
                                         Case{1, 3, 6, 7, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}},
                                         Case{1, 33, 14, 15, 3, 11, {1, 2}, {2, 1}, {2, 5, 2, 5}},
                                         Case{2, 24, 10, 9, 3, 3, {1, 1}, {2, 3}, {0, 3, 1, 4}},
                                         Case{1, 17, 2, 2, 5, 5, {1, 1}, {1, 1}, {2, 2, 2, 2}},
                                         Case{1, 8, 1, 1, 1, 1}));

}  // namespace
}  // namespace graft
