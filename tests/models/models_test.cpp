#include <gtest/gtest.h>

#include "models/pictures.h"
#include "models/registry.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

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
