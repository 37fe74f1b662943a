#include "augment/augmentation.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "runtime/core/error.h"

namespace graft {
namespace {

Image grey(int64_t side, uint8_t value) {
  Image image(side, side);
  std::fill(image.pixels.begin(), image.pixels.end(), value);
  return image;
}

Image applied(const std::vector<TransformPtr>& transforms, Image image, uint64_t key) {
  WarpedImage warped(std::move(image));
  Random random(key);
  for (const TransformPtr& t : transforms) t->apply(warped, random);
  return warped.upright_pixels();
}

std::string error_of(const std::string& toml) {
  try {
    parse_augmentation(toml, "a.toml");
  } catch (const Error& error) {
    EXPECT_EQ(error.setting(), "augment") << toml;
    return std::string(error.what()).substr(std::string("augment: ").size());
  }
  return {};
}

TEST(Augmentation, EveryRecipeEndsInTheCropsSize) {
  TransformContext context;
  context.height = 24;
  context.width = 32;
  context.short_side = 28;
  for (const Recipe& recipe : recipes()) {
    const auto transforms = make_recipe(recipe.name, context);
    for (uint64_t key = 0; key < 40; ++key) {
      const Image image = applied(transforms, grey(60, 90), key);
      EXPECT_EQ(image.width, 32) << recipe.name;
      EXPECT_EQ(image.height, 24) << recipe.name;
    }
  }
}

TEST(Augmentation, AFileHasSettingsAndChances) {
  const auto steps = parse_augmentation(R"(
[[transform]]
name = "rotate"
degrees = 30
chance = 0.25

[[transform]]
name = "erase"
noise = true
smallest = 0.1
)",
                                        "a.toml");
  ASSERT_EQ(steps.size(), 2u);
  EXPECT_EQ(steps[0].transform.name, "rotate");
  EXPECT_EQ(steps[0].transform.values.at("degrees"), "30");
  EXPECT_EQ(steps[0].chance, 0.25);
  EXPECT_EQ(steps[1].transform.values.at("noise"), "true");
  EXPECT_EQ(steps[1].transform.values.at("smallest"), "0.1");
}

/// Each of the group's transforms leaves another grey, so that the result tells which it was.
TEST(Augmentation, AGroupChoosesByWeight) {
  const auto transforms = make_transforms(parse_augmentation(R"(
[[transform]]
chance = 0.5
of = [ {name = "solarize", threshold = 0, probability = 1}, {name = "posterize", bits = 1, probability = 1, weight = 3} ]
)",
                                                             "a.toml"),
                                          {});
  std::map<int, int> counts;
  for (uint64_t key = 0; key < 4000; ++key) ++counts[applied(transforms, grey(2, 200), key).pixels[0]];
  EXPECT_EQ(counts.size(), 3u);
  EXPECT_NEAR(counts[200], 2000, 130);  // left out
  EXPECT_NEAR(counts[55], 500, 90);
  EXPECT_NEAR(counts[128], 1500, 120);
}

TEST(Augmentation, SomeOfAGroupAreDifferentOnesInRandomOrder) {
  const auto transforms = make_transforms(parse_augmentation(R"(
[[transform]]
some = [2, 3]
of = [ {name = "solarize", threshold = 0, probability = 1}, {name = "posterize", bits = 1, probability = 1},
       {name = "translate", x = 0, y = 0} ]
)",
                                                             "a.toml"),
                                          {});
  std::map<int, int> counts;  // 200 -> 55 -> 0, 200 -> 128 -> 127, 55 alone, 128 alone
  for (uint64_t key = 0; key < 2000; ++key) ++counts[applied(transforms, grey(2, 200), key).pixels[0]];
  EXPECT_EQ(counts.size(), 4u);
  for (const int v : {0, 127, 55, 128}) EXPECT_GT(counts[v], 100) << v;
}

TEST(Augmentation, ErrorsNameTheLine) {
  EXPECT_TRUE(error_of("[[transform]]\nname = \"flip\"\nprobabilty = 1\n").starts_with("a.toml:3: "));
  EXPECT_NE(error_of("[[transform]]\nname = \"flip\"\nprobabilty = 1\n").find("probabilty"), std::string::npos);
  EXPECT_TRUE(error_of("[[transform]]\nname = \"flop\"\n").starts_with("a.toml:2: unknown transform \"flop\""));
  EXPECT_TRUE(error_of("[[transform]]\nname = \"flip\"\n\nchance = 2\n").starts_with("a.toml:4: chance must be"));
  EXPECT_TRUE(error_of("[[transform]]\nname = \n").starts_with("a.toml:2: "));
  EXPECT_TRUE(error_of("[[transforms]]\nname = \"flip\"\n").starts_with("a.toml:1: "));
  EXPECT_TRUE(error_of("[[transform]]\nchance = 1\n").starts_with("a.toml:1: has no name"));
  EXPECT_TRUE(error_of("[[transform]]\nname = \"flip\"\nof = [{name = \"flip\"}]\n").find("has a name and") !=
              std::string::npos);
  EXPECT_TRUE(error_of("[[transform]]\nsome = 3\nof = [{name = \"flip\"}]\n").starts_with("a.toml:2: some must be"));
  EXPECT_TRUE(error_of("[[transform]]\nof = []\n").starts_with("a.toml:2: must be a list"));
  EXPECT_TRUE(error_of("").find("holds no transform") != std::string::npos);
  EXPECT_TRUE(error_of("[[transform]]\nname = \"flip\"\nweight = 2\n").starts_with("a.toml:3: weight is for"));
  EXPECT_TRUE(error_of("[[transform]]\nsome = 0\nof = [{name = \"flip\"}]\n").starts_with("a.toml:2: some of a group"));
  EXPECT_TRUE(error_of("[[transform]]\nof = [{name = \"flip\", weight = 0}]\n").find("0 have a weight") !=
              std::string::npos);
}

TEST(Augmentation, AFileThatIsNotThereIsNamed) {
  try {
    read_augmentation("no/such.toml");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("no/such.toml"), std::string::npos);
    EXPECT_EQ(error.code(), ErrorCode::not_found);
  }
}

/// Crops and movements before the first pixel is read decide how large a JPEG must be decoded.
TEST(Augmentation, WhatOnlyMovesLeavesTheSizeToTheCrop) {
  TransformContext context;
  const auto least = [&](const std::string& text) {
    for (const TransformPtr& t : make_transforms(read_augmentation(text), context))
      if (const auto side = t->least_side()) return *side;
    return int64_t{-1};
  };
  EXPECT_EQ(least("rotate,flip,crop"), 256);
  EXPECT_EQ(least("color-jitter,crop"), 256);
  EXPECT_EQ(least("blur,crop"), 0);
  EXPECT_EQ(least("flip"), -1);
  EXPECT_EQ(least("stretch:most=4,crop"), 0);  // enlarges what was decoded small
  const auto least_of = [&](const std::string& toml) {
    return make_transforms(parse_augmentation(toml, "a.toml"), context).front()->least_side();
  };
  EXPECT_EQ(least_of("[[transform]]\nname = \"crop\"\nchance = 0.5\n"), 0);  // what follows is not known
  EXPECT_EQ(least_of("[[transform]]\nof = [{name = \"crop\"}, {name = \"flip\"}]\n"), 0);
  EXPECT_EQ(least_of("[[transform]]\nof = [{name = \"crop\"}, {name = \"center-crop\"}]\n"), 256);
  EXPECT_EQ(least_of("[[transform]]\nof = [{name = \"rotate\"}, {name = \"flip\"}]\n"), std::nullopt);
}

TEST(Augmentation, RecipesStandAmongTransforms) {
  std::string names;
  for (const AugmentationStep& step : read_augmentation("default, rotate:degrees=5 ,none"))
    names += step.transform.name + " ";
  EXPECT_EQ(names, "resized-crop flip rotate center-crop ");
}

TEST(Augmentation, WhereNothingCropsEvaluationsCropComesFirst) {
  TransformContext context;
  context.height = context.width = 20;
  context.short_side = 24;
  for (const char* text : {"rotate", "flip,noise", "color-jitter"}) {
    const Image image = applied(make_recipe(text, context), grey(57, 90), 1);
    EXPECT_EQ(image.width, 20) << text;
  }
  const auto steps = parse_augmentation("[[transform]]\nname = \"crop\"\nchance = 0.5\n", "a.toml");
  EXPECT_FALSE(crops(make_transforms(steps, context)));
  EXPECT_TRUE(crops(make_transforms(read_augmentation("rotate,crop"), context)));
}

TEST(Augmentation, WhatMakesNoSenseIsRefused) {
  for (const char* text :
       {"", "flip,", ",flip", "flip:", "blur:low=3:high=1", "jpeg:low=90:high=10", "scale-crop:low=400:high=300",
        "erase:smallest=0.5:largest=0.1", "resized-cropp", "lens:k1=1"})
    EXPECT_THROW(make_recipe(text, {}), Error) << text;
}

TEST(Augmentation, AFileIsReadOnce) {
  const auto path = std::filesystem::temp_directory_path() / "graft_augmentation_once.toml";
  std::ofstream(path) << "[[transform]]\nname = \"crop\"\n";
  const std::string kept = resolved_augmentation(path.string());
  std::filesystem::remove(path);
  EXPECT_TRUE(is_toml(kept));
  EXPECT_EQ(read_augmentation(kept).front().transform.name, "crop");
  EXPECT_EQ(resolved_augmentation("strong"), "strong");
  EXPECT_FALSE(is_toml("strong"));
}

/// A picture twice as wide as high, the left half black, the right white: what evaluation squashes or letterboxes,
/// training does too.
TEST(Augmentation, CropsFitPicturesAsEvaluationDoes) {
  Image wide(80, 40);
  for (int64_t y = 0; y < 40; ++y)
    for (int64_t i = 120; i < 240; ++i) wide.row(y)[i] = 255;
  TransformContext context;
  context.height = context.width = 32;
  context.short_side = 32;
  context.sampling.fill = {100, 100, 100};
  const auto count = [](const Image& image, uint8_t value) {
    int64_t n = 0;
    for (size_t i = 0; i < image.pixels.size(); i += 3) n += image.pixels[i] == value;
    return n;
  };
  for (const char* text : {"crop", "resized-crop:smallest=1:aspect=1"}) {
    for (uint64_t key = 0; key < 10; ++key) {
      context.fit = Fit::squash;
      const Image squashed = applied(make_recipe(text, context), wide, key);
      EXPECT_NEAR(static_cast<double>(count(squashed, 0)), 512, 64) << text;
      EXPECT_NEAR(static_cast<double>(count(squashed, 255)), 512, 64) << text;
      context.fit = Fit::letterbox;
      const Image boxed = applied(make_recipe(text, context), wide, key);
      EXPECT_EQ(count(boxed, 100), 32 * 16) << text;
      EXPECT_NEAR(static_cast<double>(count(boxed, 0)), 256, 32) << text;
    }
  }
}

}  // namespace
}  // namespace graft
