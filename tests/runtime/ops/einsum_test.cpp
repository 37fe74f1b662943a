#include "runtime/ops/einsum.h"

#include "runtime/core/error.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

OperatorPtr einsum(const std::string& equation) {
  auto op = std::make_shared<Einsum>();
  op->equation = equation;
  return op;
}

/// -2 … 4, again and again.
Given counting(const Shape& shape) {
  Tensor t(DType::f32, shape);
  for (size_t i = 0; i < t.data<float>().size(); ++i) t.data<float>()[i] = static_cast<float>(i % 7) - 2;
  return t;
}

std::vector<Given> all_counting(const std::vector<Shape>& shapes) {
  std::vector<Given> operands;
  for (const Shape& shape : shapes) operands.push_back(counting(shape));
  return operands;
}

struct Example {
  std::string equation;
  std::vector<Shape> shapes;
  Shape result;
  std::vector<float> values;  // numpy.einsum's
};

const std::vector<Example>& examples() {
  static const std::vector<Example> list{
      {"ij,jk->ik", {{2, 3}, {3, 2}}, {2, 2}, {4, 1, 4, 10}},
      {"bij,bjk", {{2, 2, 3}, {2, 3, 2}}, {2, 2}, {21, -9, 5, 14}},
      {"i,i", {{4}, {4}}, {}, {6}},
      {"ba", {{2, 3}}, {3, 2}, {-2, 1, -1, 2, 0, 3}},
      {"ij->i", {{2, 3}}, {2}, {-3, 6}},
      {"...ii->...i", {{2, 3, 3}}, {2, 3}, {-2, 2, -1, 0, 4, 1}},
      {"ii->", {{3, 3}}, {}, {-1}},
      {"i,j->ji", {{2}, {3}}, {3, 2}, {4, 2, 2, 1, 0, 0}},
      {"bsd,de->bse", {{2, 2, 3}, {3, 2}}, {2, 2, 2}, {4, 1, 4, 10, -10, -9, 4, 7}},
      {"...ij,...jk->...ik", {{2, 1, 2, 2}, {3, 2, 2}}, {2, 3, 2, 2}, {4,  1, 0,  1,  -8, -4, 4, -2, 1, -2, 1,  2,
                                                                       -4, 1, -8, -6, 16, 0,  0, 16, 1, 6,  -6, -4}},
      {"ab,bc,cd->da", {{2, 3}, {3, 2}, {2, 2}}, {2, 2}, {-8, -8, -3, 6}},
      {"bhqd,bhkd->bhqk", {{1, 2, 2, 2}, {1, 2, 3, 2}}, {1, 2, 2, 3}, {5, -1, -7, -1, 1, 3, 2, -2, 8, 20, -4, 0}},
      {"ij,kj->", {{2, 3}, {2, 3}}, {}, {11}},
      {"iij,jk->ki", {{2, 2, 3}, {3, 2}}, {2, 2}, {4, 4, 1, 7}},
      {"ij,ij->ij", {{2, 3}, {1, 3}}, {2, 3}, {4, 1, 0, -2, -2, 0}},
      {"ibj, jc -> bic", {{2, 2, 3}, {3, 2}}, {2, 2, 2}, {4, 1, -10, -9, 4, 10, 4, 7}},
  };
  return list;
}

TEST(Einsum, GivesWhatNumPyGives) {
  for (const Example& e : examples()) {
    SCOPED_TRACE(e.equation);
    expect_floats(run_operator(einsum(e.equation), all_counting(e.shapes)), e.result, e.values);
  }
}

TEST(Einsum, GradientsMatchFiniteDifferences) {
  for (const Example& e : examples()) {
    SCOPED_TRACE(e.equation);
    std::vector<Given> operands;
    for (size_t i = 0; i < e.shapes.size(); ++i) operands.push_back(random_tensor(e.shapes[i], i + 1));
    expect_gradients(einsum(e.equation), operands, std::vector<bool>(operands.size(), true));
  }
}

TEST(Einsum, SumsWholeNumbersToo) {
  const Given a = Tensor::of<int64_t>({2, 2}, {1, 2, 3, 4}), b = Tensor::of<int64_t>({2}, {10, 1});
  const Tensor y = run_operator(einsum("ij,j->i"), {a, b});
  EXPECT_EQ(std::vector<int64_t>(y.data<int64_t>().begin(), y.data<int64_t>().end()), (std::vector<int64_t>{12, 34}));
}

/// One product of matrices, whatever the order of its dimensions.
TEST(Einsum, BecomesOneProduct) {
  Graph graph;
  const ValueId x = graph.add_input("x", DType::f32, {2, 5, 3}), w = graph.add_constant("w", counting({3, 4})->clone());
  graph.outputs = {graph.add("node", einsum("bsd,de->bse"), {x, w})};
  std::vector<std::string> types;
  for (const Node& node : specialise(graph, {}, test_backend()).nodes) types.emplace_back(node.op->type());
  EXPECT_EQ(types, (std::vector<std::string>{"ReshapeTo", "MatMul", "ReshapeTo"}));
}

TEST(Einsum, CountsItsMultiplyAdds) {
  const auto count = [](const std::string& equation, const std::vector<Shape>& shapes) {
    std::vector<ValueType> types;
    for (const Shape& shape : shapes) types.push_back({DType::f32, shape});
    return einsum(equation)->multiply_adds(types, {});
  };
  EXPECT_EQ(count("ij,jk->ik", {{2, 3}, {3, 4}}), 2 * 3 * 4);
  EXPECT_EQ(count("ab,bc,cd->ad", {{2, 3}, {3, 4}, {4, 5}}), 2 * 3 * 4 + 2 * 4 * 5);
  EXPECT_EQ(count("ij->i", {{2, 3}}), 0);
}

TEST(Einsum, NamesTheEquationThatDoesNotFit) {
  const std::vector<ValueType> square{{DType::f32, {2, 3}}};
  for (const char* equation : {"ij,jk", "i", "ijk", "ii", "ij->k", "ij->ii", "i1", "i....", "ij->i->j", "......"}) {
    try {
      einsum(equation)->infer(square);
      ADD_FAILURE() << equation;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find(equation), std::string::npos) << e.what();
    }
  }
  EXPECT_THROW(einsum("i,i")->infer(std::vector<ValueType>{{DType::f32, {2}}, {DType::f32, {3}}}), Error);
}

}  // namespace
}  // namespace graft
