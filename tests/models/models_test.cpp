#include <gtest/gtest.h>

#include <filesystem>

#include "importer/reader.h"
#include "importer/writer.h"
#include "models/pictures.h"
#include "models/registry.h"
#include "runtime/base/error.h"
#include "runtime/plan.h"

namespace graft {
namespace {

TEST(Architectures, EveryOneBuildsRunsAndSurvivesOnnx) {
  const std::string path = (std::filesystem::temp_directory_path() / "graft_models_test.onnx").string();
  for (const std::string& name : architecture_names()) {
    Model model;
    model.graph = build_architecture(name, {5, 1});
    Plan before = compile_inference(model.graph, {1, 64, 64}, cpu_backend());
    write_model(model, path);
    Plan after = compile_inference(read_model(path).graph, {1, 64, 64}, cpu_backend());
    for (Plan* p : {&before, &after}) {
      for (int64_t i = 0; i < p->input(0).shape.elements(); ++i) p->input(0).as<float>()[i] = static_cast<float>(i % 17) / 17;
      p->forward();
    }
    ASSERT_EQ(after.output(0).shape.str(), "1×5");
    for (int i = 0; i < 5; ++i) EXPECT_EQ(before.output(0).as<float>()[i], after.output(0).as<float>()[i]);
  }
  std::filesystem::remove(path);
}

TEST(Architectures, AnUnknownNameListsTheKnown) { EXPECT_THROW(build_architecture("nonsense", {}), Error); }

TEST(Pictures, AreAFunctionOfTheirSeedAndIndex) {
  const auto classes = picture_classes("demo");
  EXPECT_EQ(draw_picture(classes[0], 32, 1, 2), draw_picture(classes[0], 32, 1, 2));
  EXPECT_NE(draw_picture(classes[0], 32, 1, 2), draw_picture(classes[0], 32, 1, 3));
}

TEST(Pictures, DemoFiguresAreNotAmongThePretrainingOnes) {
  for (const auto& demo : picture_classes("demo"))
    for (const auto& seen : picture_classes("pretrain")) EXPECT_NE(demo.figure, seen.figure);
}

}  // namespace
}  // namespace graft
