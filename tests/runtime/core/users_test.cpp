#include "runtime/core/users.h"

#include <gtest/gtest.h>

#include "runtime/ops/binary.h"
#include "runtime/ops/unary.h"

namespace graft {
namespace {

struct Diamond {
  Graph graph;
  ValueId x, left, right, sum;
  Diamond() {
    x = graph.add_input("x", DType::f32, {2});
    left = graph.add("left", make_unary(Unary::Kind::relu), {x});
    right = graph.add("right", make_unary(Unary::Kind::tanh), {x});
    sum = graph.add("sum", make_binary(Binary::Kind::add), {left, right});
    graph.outputs = {sum, right};
  }
};

TEST(Users, KnowWhoMakesAndWhoReadsAValue) {
  Diamond d;
  Users users(d.graph);
  EXPECT_EQ(users.producer(d.x), -1);
  EXPECT_EQ(users.producer(d.sum), 2);
  EXPECT_EQ(users.readers(d.x).size(), 2u);
  EXPECT_EQ(users.only_reader(d.left), 2);
  EXPECT_EQ(users.only_reader(d.x), -1) << "two nodes read it";
  EXPECT_EQ(users.only_reader(d.right), -1) << "the graph gives it out";
  users.set_producer(d.sum, 1);
  EXPECT_EQ(users.producer(d.sum), 1);
}

TEST(Users, KnowNothingOfLaterValues) {
  Diamond d;
  const Users users(d.graph);
  const ValueId later = d.graph.add("later", make_unary(Unary::Kind::relu), {d.sum});
  EXPECT_EQ(users.producer(later), -1);
  EXPECT_TRUE(users.readers(later).empty());
  EXPECT_EQ(users.only_reader(later), -1);
}

TEST(Graph, ReplacesManyValuesThroughChains) {
  Diamond d;
  d.graph.replace_uses({{d.sum, d.right}, {d.right, d.left}});
  EXPECT_EQ(d.graph.outputs, (std::vector<ValueId>{d.left, d.left}));
  EXPECT_EQ(d.graph.nodes[2].inputs, (std::vector<ValueId>{d.left, d.left}));
}

TEST(OperandSet, ItsLastMemberStandsForAllLaterOnes) {
  EXPECT_TRUE(OperandSet::all().contains(1000));
  EXPECT_FALSE(OperandSet::none().contains(0));
  const OperandSet some = OperandSet::all_but({1, 2});
  EXPECT_TRUE(some.contains(0));
  EXPECT_FALSE(some.contains(2));
  EXPECT_TRUE(some.contains(1000));
  EXPECT_FALSE(OperandSet::only({0, 3}).contains(1000));
}

}  // namespace
}  // namespace graft
