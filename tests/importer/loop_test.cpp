#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "importer/reader.h"
#include "importer/writer.h"
#include "runtime/core/error.h"
#include "runtime/plan/plan.h"
#include "tests/backend.h"

namespace graft {
namespace {

namespace fs = std::filesystem;

/// What tests/fixtures/make_loops.py wrote; it also says what ONNX's reference makes of it.
std::string fixture(const std::string& name) {
  return (fs::path(__FILE__).parent_path().parent_path() / "fixtures" / "loops" / (name + ".onnx")).string();
}

/// Output `output` for x = {{1, 2}, {3, 4}}.
Tensor run(const OnnxModel& model, size_t output = 0) {
  Plan plan = compile_inference(model.graph, {.batch = 2}, test_backend());
  copy_from_plain(Tensor::of<float>({2, 2}, {1, 2, 3, 4}).raw(), plan.input(0));
  plan.forward();
  Tensor y(plan.output(output).dtype, plan.output(output).shape);
  copy_to_plain(plan.output(output), y.raw());
  return y;
}

std::vector<float> numbers(const Tensor& t) { return {t.data<float>().begin(), t.data<float>().end()}; }

std::string error_of(const std::string& name) {
  try {
    read_model(fixture(name));
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST(Loop, CarriesValuesAndStacksThoseOfEachIteration) {
  const OnnxModel model = read_model(fixture("powers"));
  EXPECT_EQ(numbers(run(model)), (std::vector<float>{12, 20, 28, 36}));
  const Tensor all = run(model, 1);
  EXPECT_EQ(all.shape(), (Shape{3, 2, 2}));
  EXPECT_EQ(numbers(all), (std::vector<float>{2, 4, 6, 8, 5, 9, 13, 17, 12, 20, 28, 36}));
  EXPECT_EQ(model.graph.value(model.graph.outputs[0]).name, "y");
}

TEST(Loop, EndsWhereItsConditionDoes) {
  EXPECT_EQ(numbers(run(read_model(fixture("until")))), (std::vector<float>{16, 32, 48, 64}));
}

TEST(Loop, MayHoldLoopsAndBranches) {
  EXPECT_EQ(numbers(run(read_model(fixture("nested")))), (std::vector<float>{13, 17, 21, 25}));
}

TEST(Loop, ThatNeverRunsPassesItsInputsOn) {
  EXPECT_EQ(numbers(run(read_model(fixture("never")))), (std::vector<float>{1, 2, 3, 4}));
}

TEST(Loop, IsWrittenAsTheNodesItBecame) {
  const std::string path = (fs::temp_directory_path() / "graft_loop_written.onnx").string();
  write_model(read_model(fixture("nested")), path);
  EXPECT_EQ(numbers(run(read_model(path))), (std::vector<float>{13, 17, 21, 25}));
  fs::remove(path);
}

TEST(Loop, IsWrittenWithNamesThatDiffer) {
  const std::string path = (fs::temp_directory_path() / "graft_loop_names.onnx").string();
  write_model(read_model(fixture("powers")), path);
  const OnnxModel again = read_model(path);  // refuses initialisers that are there twice
  EXPECT_EQ(numbers(run(again, 1)), (std::vector<float>{2, 4, 6, 8, 5, 9, 13, 17, 12, 20, 28, 36}));
  std::set<std::string> names;
  for (const Node& node : again.graph.nodes) EXPECT_TRUE(names.insert(node.name).second) << node.name;
  fs::remove(path);
}

TEST(Loop, ThatDependsOnTheDataIsRefused) {
  EXPECT_NE(error_of("by_data").find("its trip count depends on the data"), std::string::npos) << error_of("by_data");
  EXPECT_NE(error_of("while_data").find("its condition depends on the data"), std::string::npos)
      << error_of("while_data");
}

TEST(Loop, WithoutAnEndIsRefused) {
  EXPECT_NE(error_of("endless").find("more than 100000 nodes"), std::string::npos) << error_of("endless");
}

}  // namespace
}  // namespace graft
