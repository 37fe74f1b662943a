#include "finetune/heads/ending.h"

#include <gtest/gtest.h>

#include "runtime/ops/binary.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/lp_normalise.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/reduce.h"
#include "runtime/ops/softmax.h"
#include "runtime/ops/unary.h"

namespace graft {
namespace {

using B = Binary::Kind;
using U = Unary::Kind;

/// A dense classifier of four classes on features, N×6, and what is put behind it.
struct Network {
  Graph graph;
  ValueId features, scores;

  Network() {
    features = graph.add_input("features", DType::f32, {2, 6});
    scores = dense("dense", features, 4);
  }
  ValueId dense(const std::string& name, ValueId from, int64_t classes) {
    const ValueId w = graph.add_constant(name + ".w", Tensor::zeros(DType::f32, {graph.value(from).shape[1], classes}));
    return graph.add(name, std::make_shared<Gemm>(), {from, w});
  }
  ValueId put(OperatorPtr op, std::vector<ValueId> inputs) {
    const std::string name = graph.unused_name(std::string(op->type()));
    return graph.add(name, std::move(op), std::move(inputs));
  }
  ValueId unary(U kind, ValueId x, float alpha = 0, float beta = 0) { return put(make_unary(kind, alpha, beta), {x}); }
  ValueId softmax(ValueId x, Softmax::Form form = Softmax::Form::probability) {
    auto op = std::make_shared<Softmax>();
    op->form = form;
    return put(op, {x});
  }
  ValueId reduced(Reduce::Kind kind, ValueId x) {
    auto op = std::make_shared<Reduce>();
    op->kind = kind;
    op->axes = {-1};
    return put(op, {x});
  }
  ValueId number(float value) { return graph.add_constant(graph.unused_name("n"), Tensor::of<float>({}, {value})); }

  /// The names of the classifiers that the value ends in.
  std::vector<std::string> classifiers(ValueId output) {
    std::vector<std::string> names;
    for (const Ending::Classifier& c : find_ending(graph, output).classifiers) names.push_back(c.name);
    return names;
  }
};

const std::vector<std::string> kFound{"dense"};

TEST(Ending, LooksThroughWhatClipsProbabilitiesOrTakesTheirLogarithms) {
  Network n;
  const ValueId p = n.softmax(n.scores);
  EXPECT_EQ(n.classifiers(n.unary(U::clip, p, 1e-7f, 1)), kFound);
  EXPECT_EQ(n.classifiers(n.unary(U::log, p)), kFound);
  EXPECT_EQ(n.classifiers(n.unary(U::log, n.put(make_binary(B::add), {p, n.number(1e-6f)}))), kFound);
  EXPECT_EQ(n.classifiers(n.unary(U::exp, n.softmax(n.scores, Softmax::Form::log_probability))), kFound);
  EXPECT_EQ(n.classifiers(n.unary(U::sqrt, n.unary(U::sigmoid, n.scores))), kFound);
}

TEST(Ending, OfADenseLayerTheyMakeFeatures) {
  Network n;
  EXPECT_TRUE(n.classifiers(n.unary(U::clip, n.scores, 0, 6)).empty());
  EXPECT_TRUE(n.classifiers(n.unary(U::exp, n.scores)).empty());
}

TEST(Ending, KnowsASoftmaxThatIsSpelledOut) {
  Network n;
  const ValueId shifted = n.put(make_binary(B::sub), {n.scores, n.reduced(Reduce::Kind::max, n.scores)});
  for (const ValueId scores : {n.scores, shifted}) {
    const ValueId e = n.unary(U::exp, scores);
    const ValueId p = n.put(make_binary(B::div), {e, n.reduced(Reduce::Kind::sum, e)});
    EXPECT_EQ(n.classifiers(p), kFound);
    EXPECT_TRUE(is_probabilities(n.graph, p));
  }
  const ValueId gates = n.unary(U::sigmoid, n.scores);
  EXPECT_EQ(n.classifiers(n.put(make_binary(B::div), {gates, n.reduced(Reduce::Kind::sum, gates)})), kFound);
  auto norm = std::make_shared<LpNormalise>();
  norm->p = 1;
  EXPECT_EQ(n.classifiers(n.put(norm, {n.softmax(n.scores)})), kFound);
}

TEST(Ending, NormalisedByItsLengthADenseLayerIsFeatures) {
  Network n;
  EXPECT_TRUE(n.classifiers(n.put(std::make_shared<LpNormalise>(), {n.scores})).empty());
}

TEST(Ending, LooksThroughAChoiceOfClasses) {
  Network n;
  auto gather = std::make_shared<Gather>();
  gather->axis = 1;
  const ValueId chosen =
      n.put(gather, {n.softmax(n.scores), n.graph.add_constant("order", Tensor::of<int64_t>({3}, {2, 0, 1}))});
  EXPECT_EQ(n.classifiers(chosen), kFound);
  EXPECT_TRUE(is_probabilities(n.graph, chosen));
}

TEST(Ending, OfOneScoreAndWhatItLeavesToOneIsTheClassifierOfThatScore) {
  Network n;
  const ValueId p = n.unary(U::sigmoid, n.dense("one", n.features, 1));
  const ValueId rest = n.put(make_binary(B::sub), {n.number(1), p});
  const ValueId both = n.put(std::make_shared<Concat>(), {rest, p});
  EXPECT_EQ(n.classifiers(both), std::vector<std::string>{"one"});
  EXPECT_TRUE(is_probabilities(n.graph, both));
}

TEST(Ending, FindsClassifiersSideBySideAndTheLargerOfTwo) {
  Network n;
  const ValueId more = n.dense("more", n.features, 4);
  const std::vector<std::string> two{"dense", "more"};
  EXPECT_EQ(n.classifiers(n.put(std::make_shared<Concat>(), {n.scores, more})), two);
  EXPECT_EQ(n.classifiers(n.put(make_binary(B::max), {n.scores, more})), two);
}

TEST(Ending, ProbabilitiesAreWhatSumsToOneOrIsASigmoid) {
  Network n;
  EXPECT_TRUE(is_probabilities(n.graph, n.softmax(n.scores)));
  EXPECT_TRUE(is_probabilities(n.graph, n.unary(U::clip, n.unary(U::sigmoid, n.scores), 0, 1)));
  const ValueId logs = n.softmax(n.scores, Softmax::Form::log_probability);
  EXPECT_TRUE(is_probabilities(n.graph, n.unary(U::exp, logs)));
  EXPECT_FALSE(is_probabilities(n.graph, logs));
  EXPECT_FALSE(is_probabilities(n.graph, n.scores));
  EXPECT_FALSE(is_probabilities(n.graph, n.unary(U::exp, n.softmax(n.scores))));
}

}  // namespace
}  // namespace graft
