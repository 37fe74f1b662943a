#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <map>
#include <numeric>
#include <set>

#include "importer/reader.h"
#include "importer/writer.h"
#include "models/registry.h"
#include "runtime/core/error.h"
#include "runtime/passes/passes.h"
#include "runtime/plan/plan.h"
#include "tests/backend.h"

namespace graft {
namespace {

/// Published numbers; batch norms count with scale and shift, without their statistics.
const std::map<std::string, int64_t> kParameters{
    {"lenet5", 61706},
    {"alexnet", 60965224},
    {"alexnet-one-tower", 62378344},
    {"alexnet-torchvision", 61100840},
    {"vgg-a", 132863336},
    {"vgg-a-lrn", 132863336},
    {"vgg-b", 133047848},
    {"vgg-d", 138357544},
    {"vgg-e", 143667240},
    {"vgg-11-bn", 132868840},
    {"vgg-13-bn", 133053736},
    {"vgg-16-bn", 138365992},
    {"vgg-19-bn", 143678248},
    {"googlenet", 6624904},
    {"inception-v4", 42679816},
    {"resnet-18", 11689512},
    {"resnet-34", 21797672},
    {"resnet-50", 25557032},
    {"resnet-101", 44549160},
    {"resnet-152", 60192808},
    {"resnext-50-32x4d", 25028904},
    {"resnext-101-32x8d", 88791336},
    {"wide-resnet-50-2", 68883240},
    {"wide-resnet-101-2", 126886696},
    {"densenet-121", 7978856},
    {"densenet-161", 28681000},
    {"densenet-169", 14149480},
    {"densenet-201", 20013928},
    {"squeezenet-1.0", 1248424},
    {"squeezenet-1.1", 1235496},
    {"mobilenet-v2", 3504872},
    {"mobilenet-v1", 4231976},
    {"efficientnet-b0", 5288548},
    {"efficientnet-b1", 7794184},
    {"efficientnet-b2", 9109994},
    {"efficientnet-b3", 12233232},
    {"efficientnet-b4", 19341616},
    {"efficientnet-b5", 30389784},
    {"efficientnet-b6", 43040704},
    {"efficientnet-b7", 66347960},
    {"mobilenet-v3-large", 5483032},
    {"mobilenet-v3-small", 2542856},
    {"regnet-x-400mf", 5495976},
    {"regnet-x-800mf", 7259656},
    {"regnet-x-1.6gf", 9190136},
    {"regnet-x-3.2gf", 15296552},
    {"regnet-x-8gf", 39572648},
    {"regnet-x-16gf", 54278536},
    {"regnet-y-400mf", 4344144},
    {"regnet-y-800mf", 6432512},
    {"regnet-y-1.6gf", 11202430},
    {"regnet-y-3.2gf", 19436338},
    {"regnet-y-8gf", 39381472},
    {"regnet-y-16gf", 83590140},
    {"shufflenet-v2-0.5", 1366792},
    {"shufflenet-v2-1.0", 2278604},
    {"shufflenet-v2-1.5", 3503624},
    {"shufflenet-v2-2.0", 7393996},
    {"convnext-tiny", 28589128},
    {"convnext-small", 50223688},
    {"convnext-base", 88591464},
    {"convnext-large", 197767336},
    {"swin-tiny", 28288354},
    {"swin-small", 49606258},
    {"swin-base", 87768224},
    {"vit-tiny-16", 5717416},
    {"vit-small-16", 22050664},
    {"vit-small-32", 22878952},
    {"vit-base-16", 86567656},
    {"vit-base-32", 88224232},
    {"vit-large-16", 304326632},
    {"deit-tiny-distilled-16", 5910800},
    {"deit-small-distilled-16", 22436432},
    {"deit-base-distilled-16", 87338192},
};

Graph uninitialised(const std::string& name, bool auxiliary = false) {
  ArchitectureOptions options;
  options.initialise = false;
  options.auxiliary = auxiliary;
  return build_architecture(name, options);
}

TEST(Architectures, HaveThePublishedNumberOfParameters) {
  for (const auto& [name, count] : kParameters) EXPECT_EQ(parameter_count(uninitialised(name)), count) << name;
}

/// Papers give these in millions.
TEST(Architectures, HaveThePublishedNumberOfParametersInMillions) {
  const std::map<std::string, double> millions{
      {"resnet-cifar-20", 0.27}, {"resnet-cifar-32", 0.46},   {"resnet-cifar-44", 0.66}, {"resnet-cifar-56", 0.85},
      {"resnet-cifar-110", 1.7}, {"resnet-cifar-1202", 19.4}, {"wrn-28-10", 36.5},       {"densenet-264", 72.1}};
  for (const auto& [name, million] : millions)
    EXPECT_NEAR(static_cast<double>(parameter_count(uninitialised(name))) / 1e6, million, 0.02 * million) << name;
}

TEST(Architectures, GoogLeNetCountsItsAuxiliaryHeadsWhileItTrains) {
  EXPECT_EQ(parameter_count(uninitialised("googlenet", true)), 13004888);
}

TEST(Architectures, AlexNetHasThePublishedShapes) {
  const Graph graph = specialise(uninitialised("alexnet"), {1, 227, 227}, test_backend());
  const auto shape = [&](const std::string& node) {
    for (const Node& n : graph.nodes)
      if (n.name == node) return graph.value(n.outputs[0]).shape.str();
    return std::string("no such node");
  };
  EXPECT_EQ(shape("conv1"), "1×96×55×55");
  EXPECT_EQ(shape("pool1"), "1×96×27×27");
  EXPECT_EQ(shape("conv2"), "1×256×27×27");
  EXPECT_EQ(shape("pool2"), "1×256×13×13");
  EXPECT_EQ(shape("conv3"), "1×384×13×13");
  EXPECT_EQ(shape("conv4"), "1×384×13×13");
  EXPECT_EQ(shape("conv5"), "1×256×13×13");
  EXPECT_EQ(shape("pool5"), "1×256×6×6");
  EXPECT_EQ(shape("fc6"), "1×4096");
  EXPECT_EQ(shape("fc7"), "1×4096");
  EXPECT_EQ(shape("fc8"), "1×1000");
  EXPECT_EQ(graph.value(graph.find("conv1.weight")).shape.elements(), 34848);
}

TEST(Architectures, TakeAnyNumberOfClasses) {
  for (const std::string& name : architecture_names()) {
    ArchitectureOptions options;
    options.initialise = false;
    options.classes = 7;
    const Graph graph = build_architecture(name, options);
    EXPECT_EQ(graph.value(graph.outputs[0]).shape.back(), 7) << name;
  }
}

/// Graphs small enough for a test: pictures shrink where a global pool allows it.
Graph for_a_step(const std::string& name) {
  ArchitectureOptions options;
  options.classes = 5;
  options.seed = 1;
  Graph graph = build_architecture(name, options);
  Shape& picture = graph.value(graph.inputs[0]).shape;
  const bool any_size = name.find("alexnet") == std::string::npos && name.find("vgg") == std::string::npos &&
                        !name.starts_with("vit") && !name.starts_with("deit") && !name.starts_with("swin");
  // Inception-v4 shrinks without padding: below 139 its last batch norms see one pixel.
  if (picture[2] > 80 && any_size) picture[2] = picture[3] = name == "inception-v4" ? 139 : 80;
  return graph;
}

/// Families in many sizes are tried in one.
const std::set<std::string> kSmallest{"efficientnet-b0", "regnet-x-400mf", "regnet-y-400mf", "shufflenet-v2-1.0",
                                      "convnext-tiny",   "swin-tiny",      "vit-tiny-16",    "deit-tiny-distilled-16"};
const std::set<std::string> kLarger{"resnet-34",    "resnet-101",   "resnet-152",  "densenet-161",
                                    "densenet-169", "densenet-201", "densenet-264"};
bool is_sized(const std::string& name) {
  return std::any_of(kSmallest.begin(), kSmallest.end(), [&](const std::string& one) {
    return name.substr(0, name.find('-')) == one.substr(0, one.find('-'));
  });
}

std::vector<std::string> names_for_a_step() {
#ifdef GRAFT_SANITIZED
  return {"graft-small", "lenet5", "resnet-cifar-20", "googlenet", "densenet-121", "mobilenet-v2", "squeezenet-1.1"};
#endif
  std::vector<std::string> names;
  for (const std::string& name : architecture_names()) {
    // One of each family whose dense layers fill gigabytes, and of the deepest.
    const bool twin = (name.starts_with("vgg") && name != "vgg-a-lrn") || name == "alexnet-one-tower" ||
                      name == "resnet-cifar-1202" || name == "wide-resnet-101-2" || name == "resnext-101-32x8d" ||
                      kLarger.contains(name) || (is_sized(name) && !kSmallest.contains(name));
    if (!twin) names.push_back(name);
  }
  return names;
}

class EveryArchitecture : public testing::TestWithParam<std::string> {};

TEST_P(EveryArchitecture, SurvivesOnnx) {
  const std::string path = (std::filesystem::temp_directory_path() / ("graft_" + GetParam() + ".onnx")).string();
  OnnxModel model;
  model.graph = for_a_step(GetParam());
  write_model(model, path);
  const OnnxModel again = read_model(path);
  std::filesystem::remove(path);
  const Shape picture = model.graph.value(model.graph.inputs[0]).shape;
  Plan before = compile_inference(model.graph, {1, picture[2], picture[3]}, test_backend()),
       after = compile_inference(again.graph, {1, picture[2], picture[3]}, test_backend());
  for (Plan* p : {&before, &after}) {
    for (int64_t i = 0; i < p->input(0).shape.elements(); ++i)
      p->input(0).as<float>()[i] = static_cast<float>(i % 17) / 17;
    p->forward();
  }
  ASSERT_EQ(after.output(0).shape.str(), "1×5");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(before.output(0).as<float>()[i], after.output(0).as<float>()[i]);
}

TEST_P(EveryArchitecture, TakesAStepDownhill) {
  Graph graph = for_a_step(GetParam());
  for (const Node& node : graph.nodes) {
    const size_t last = node.op->type() == "BatchNormalization" ? 3 : node.inputs.size();
    for (size_t i = 1; i < last; ++i)
      if (node.inputs[i] != kNoValue && graph.value(node.inputs[i]).constant &&
          graph.value(node.inputs[i]).dtype == DType::f32)
        graph.value(node.inputs[i]).trainable = true;
  }
  const Shape picture = graph.value(graph.inputs[0]).shape;
  TrainingPlan training = compile_training(graph, {2, picture[2], picture[3]}, test_backend());
  Plan& plan = training.plan;
  for (int64_t i = 0; i < plan.input(0).shape.elements(); ++i)
    plan.input(0).as<float>()[i] = static_cast<float>((i * 7919) % 101) / 50 - 1;
  // L = Σ y: its slope is 1 everywhere.
  const auto loss = [&] {
    plan.forward({1, 1});
    double sum = 0;
    for (int i = 0; i < 10; ++i) sum += static_cast<double>(plan.output(0).as<float>()[i]);
    return sum;
  };
  const double before = loss();
  std::fill_n(plan.input(training.first_seed).as<float>(), 10, 1.0f);
  plan.backward({1, 1});
  double square = 0;
  for (const auto& [parameter, output] : training.gradients) {
    const View g = plan.output(output);
    const float* slope = g.as<float>();
    square = std::inner_product(slope, slope + g.shape.elements(), slope, square);
  }
  ASSERT_TRUE(std::isfinite(square));
  ASSERT_GT(square, 0.0);
  // The gradients are outputs: they stay while the forward pass runs again.
  const auto move = [&](double distance) {
    for (const auto& [parameter, output] : training.gradients) {
      const View g = plan.output(output);
      const float* slope = g.as<float>();
      float* weight = parameter->data<float>().data();
      const auto rate = static_cast<float>(distance / square);
      for (int64_t i = 0, n = g.shape.elements(); i < n; ++i) weight[i] -= rate * slope[i];
    }
    plan.refresh();
  };
  // To first order L falls by the distance; deep networks bend early, so the steps become smaller.
  double at = 0, lowest = before;
  for (const double distance : {1e-1, 3e-2, 1e-2, 3e-3, 1e-3}) {
    move(distance - at);
    at = distance;
    lowest = std::min(lowest, loss());
  }
  EXPECT_LT(lowest, before - 1e-4);
}

INSTANTIATE_TEST_SUITE_P(All, EveryArchitecture, testing::ValuesIn(names_for_a_step()), [](const auto& param) {
  std::string name = param.param;
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
});

}  // namespace
}  // namespace graft
