// Gradients of one value that come from several readers, some of which broadcast it.
#include <gtest/gtest.h>

#include "finetune/heads/freeze.h"
#include "finetune/training/gradcheck.h"
#include "runtime/core/random.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/convolution.h"
#include "tests/backend.h"

namespace graft {
namespace {

/// v = conv(x), N×3×4×1; outputs conv(v), a·v and, with two readers, b·v, where a and b are five columns wide. The
/// gradient of v is the last convolution's with a sum over columns as residual, which both must lay out alike.
Graph column_read_by(int readers) {
  Graph graph;
  const auto convolution = [&](const char* name, ValueId from) {
    Tensor weights(DType::f32, {3, 3, 3, 1});
    Random random(mix(5, static_cast<uint64_t>(graph.value_count())));
    for (float& v : weights.data<float>()) v = 0.3f * random.normal();
    auto op = std::make_shared<Convolution>();
    op->window.kernel = {3, 1};
    op->window.padding = {1, 0, 1, 0};
    return graph.add(name, op, {from, graph.add_constant(std::string(name) + ":w", std::move(weights))});
  };
  const ValueId v = convolution("below", graph.add_input("x", DType::f32, {2, 3, 4, 1}));
  graph.outputs = {convolution("above", v)};
  for (int i = 0; i < readers; ++i) {
    const std::string name(1, static_cast<char>('a' + i));
    const ValueId factor = graph.add_input(name, DType::f32, {2, 3, 4, 5});
    graph.outputs.push_back(graph.add(name + "v", make_binary(Binary::Kind::mul), {factor, v}));
  }
  return graph;
}

TEST(GradientSums, OfBroadcastValuesLieAsTheirOthersDo) {
  for (const int readers : {0, 1, 2}) {
    Graph graph = column_read_by(readers);
    apply_freeze(graph, {"none", BatchNormPolicy::automatic}, {});
    const auto checks = GradientChecker(graph, {.batch = 2}, test_backend(), 1).check();
    EXPECT_EQ(checks.size(), 2u);
    for (const GradientCheck& c : checks)
      EXPECT_LT(c.relative_error, 2e-3) << c.parameter << " with " << readers << " readers";
  }
}

}  // namespace
}  // namespace graft
