#include "importer/preprocessing_json.h"

#include <gtest/gtest.h>

#include "runtime/core/error.h"

namespace graft {
namespace {

std::string refused(const std::string& text) {
  try {
    preprocessing_from_json(text);
    return {};
  } catch (const Error& e) {
    return e.what();
  }
}

TEST(PreprocessingJson, WritesWhatItReads) {
  Preprocessing p;
  p.resize = 300;
  p.crop_height = 256;
  p.crop_width = 192;
  p.interpolation = Interpolation::lanczos;
  p.fit = Fit::letterbox;
  p.always_resize = true;
  p.colour = Preprocessing::Colour::bgr;
  p.background = {{1, 2, 3}};
  p.profiles = false;
  p.exact_decode = true;
  const std::string text = to_json(p);
  EXPECT_EQ(to_json(preprocessing_from_json(text)), text);
}

TEST(PreprocessingJson, WhatIsLeftOutIsAsInTheBase) {
  Preprocessing base;
  base.crop_height = base.crop_width = 299;
  const Preprocessing p = preprocessing_from_json(R"({"mean": 0.5, "std": [0.5]})", base);
  EXPECT_EQ(p.crop_height, 299);
  EXPECT_EQ(p.resize, 342);  // 299 / 0.875
  EXPECT_EQ(p.mean, (std::array<float, 3>{0.5f, 0.5f, 0.5f}));
  EXPECT_EQ(p.std, p.mean);
  EXPECT_EQ(preprocessing_from_json(R"({"interpolation": "bilinear-antialiased"})").interpolation,
            Interpolation::bilinear);
}

TEST(PreprocessingJson, ErrorsNameTheKey) {
  for (const auto& [text, named] :
       {std::pair{R"({"resize": -1})", "\"resize\""},
        {R"({"crop": [1, 2, 3]})", "\"crop\""},
        {R"({"crop": "big"})", "\"crop\""},
        {R"({"interpolation": "cubic"})", "nearest, bilinear, bicubic and lanczos are known"},
        {R"({"sise": 3})", "\"sise\" is not known"},
        {R"({"std": 0})", "\"std\": must be positive"},
        {R"({"mean": [1, 2]})", "\"mean\": has 2 numbers"},
        {R"({"colour": "red"})", "\"colour\""},
        {R"({"background": [0, 0, 300]})", "\"background\""},
        {R"({})", "says nothing"},
        {R"([1])", "says nothing"},
        {"{", "is no JSON"},
        {R"({"size": 224, "crop_pct": 3, "do_resize": true})", "\"crop_pct\""},
        {R"({"do_resize": true, "mean": 0.5})", "\"mean\" is graft's own key"},
        {R"({"do_resize": true, "do_pad": true})", "\"do_pad\""},
        {R"({"pretrained_cfg": {"input_size": [3, 224]}})", "pretrained_cfg.input_size"},
        {R"({"size": {"longest_edge": 300}, "do_resize": true})", "longest side"}})
    EXPECT_NE(refused(text).find(named), std::string::npos) << text << ": " << refused(text);
}

/// As transformers' processors of these networks do it: ViT squashes, CLIP and DINOv2 crop, ConvNeXT does either.
TEST(PreprocessingJson, HuggingFacesProcessors) {
  const Preprocessing vit = preprocessing_from_json(
      R"({"do_normalize": true, "do_resize": true, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "resample": 2, "size": 224})");
  EXPECT_EQ(vit.fit, Fit::squash);
  EXPECT_EQ(vit.resize, 224);
  EXPECT_EQ(vit.crop_width, 224);
  EXPECT_EQ(vit.interpolation, Interpolation::bilinear);
  EXPECT_TRUE(vit.always_resize);
  const Preprocessing clip = preprocessing_from_json(
      R"({"crop_size": 224, "do_center_crop": true, "do_resize": true, "size": 224, "resample": 3, "feature_extractor_type": "CLIPFeatureExtractor"})");
  EXPECT_EQ(clip.fit, Fit::crop);
  EXPECT_EQ(clip.interpolation, Interpolation::bicubic);
  const Preprocessing dino = preprocessing_from_json(
      R"({"crop_size": {"height": 224, "width": 224}, "do_center_crop": true, "size": {"shortest_edge": 256}, "rescale_factor": 0.00392156862745098})");
  EXPECT_EQ(dino.resize, 256);
  EXPECT_EQ(dino.crop_height, 224);
  for (const char* convnext :
       {R"({"crop_pct": 0.875, "do_resize": true, "feature_extractor_type": "ConvNextFeatureExtractor", "size": 224})",
        R"({"crop_pct": 0.875, "image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 224}})"}) {
    const Preprocessing p = preprocessing_from_json(convnext);
    EXPECT_EQ(p.fit, Fit::crop) << convnext;
    EXPECT_EQ(p.resize, 256);
    EXPECT_EQ(p.crop_height, 224);
  }
  EXPECT_EQ(preprocessing_from_json(R"({"crop_pct": 0.875, "do_resize": true, "size": {"shortest_edge": 384}})").fit,
            Fit::squash);
  EXPECT_EQ(preprocessing_from_json(R"({"do_flip_channel_order": true, "do_resize": true, "size": 256})").colour,
            Preprocessing::Colour::bgr);
  const Preprocessing offset = preprocessing_from_json(
      R"({"do_resize": true, "size": 300, "rescale_factor": 0.00784313725490196, "rescale_offset": true, "do_normalize": false})");
  EXPECT_EQ(offset.mean[0], 1);  // 0…255 becomes -1…1
  EXPECT_EQ(preprocessing_from_json(R"({"do_normalize": false, "do_rescale": false, "do_resize": false})").scale, 1);
}

TEST(PreprocessingJson, TimmsConfigurations) {
  const Preprocessing p = preprocessing_from_json(
      R"({"architecture": "x", "pretrained_cfg": {"input_size": [3, 288, 288], "interpolation": "bicubic", "crop_pct": 0.95, "crop_mode": "center",
          "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}})");
  EXPECT_EQ(p.crop_height, 288);
  EXPECT_EQ(p.resize, 303);  // ⌊288 / 0.95⌋
  EXPECT_EQ(p.interpolation, Interpolation::bicubic);
  EXPECT_EQ(p.mean[2], 0.5f);
  EXPECT_EQ(preprocessing_from_json(R"({"input_size": [3, 64, 64], "crop_pct": 1.0, "crop_mode": "squash"})").fit,
            Fit::squash);
}

TEST(PreprocessingJson, ColoursAsPeopleWriteThem) {
  EXPECT_EQ(colour_from_text("#ff8000"), (std::array<uint8_t, 3>{255, 128, 0}));
  EXPECT_EQ(colour_from_text("1,2,3"), (std::array<uint8_t, 3>{1, 2, 3}));
  for (const char* wrong : {"", "#ff80", "red", "1,2", "1,2,300", "#ff8000x"})
    EXPECT_THROW(colour_from_text(wrong), Error) << wrong;
}

}  // namespace
}  // namespace graft
