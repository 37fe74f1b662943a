#include "graft/feature_extractor.h"

#include <gtest/gtest.h>

#include <fstream>

#include "importer/model.h"
#include "runtime/core/npy.h"
#include "tests/library/generated.h"

namespace graft {
namespace {

class Extracting : public DrawnPictures<2> {};

/// The weight (classes × features) and the bias of the bundled network's dense layer.
struct Dense {
  std::vector<float> weight, bias;
};

Dense last_dense(const Model& model) {
  const Graph& graph = model.contents().graph;
  Dense dense;
  for (const Node& node : graph.nodes)
    for (const ValueId id : node.inputs) {
      if (id == kNoValue || !graph.value(id).constant || graph.value(id).dtype != DType::f32) continue;
      const Tensor& t = *graph.value(id).constant;
      if (t.shape().rank() == 2)
        dense.weight.assign(t.data<float>().begin(), t.data<float>().end());
      else if (t.shape().rank() == 1)
        dense.bias.assign(t.data<float>().begin(), t.data<float>().end());  // the last one remains
    }
  return dense;
}

TEST_F(Extracting, FeaturesAreWhatTheClassifierReads) {
  const Model model = Model::load(bundled_path());
  FeatureExtractor extractor(model, kPenultimate, run_on_processor());
  const Features features = extractor.extract(*paths_);
  ASSERT_EQ(features.rows, 4u);
  ASSERT_EQ(features.width, 96u);
  ASSERT_EQ(features.values.size(), 4u * 96u);
  EXPECT_EQ(features.paths, *paths_);
  EXPECT_EQ(features.labels, (std::vector<int64_t>{0, 0, 1, 1}));
  // W·features + b are the scores of the whole model.
  FeatureExtractor whole(model, model.output_names().at(0), run_on_processor());
  const Features scores = whole.extract(*paths_);
  const Dense dense = last_dense(model);
  ASSERT_EQ(dense.weight.size(), scores.width * features.width);
  ASSERT_EQ(dense.bias.size(), scores.width);
  for (size_t row = 0; row < 4; ++row)
    for (size_t k = 0; k < scores.width; ++k) {
      double sum = dense.bias[k];
      for (size_t d = 0; d < 96; ++d) sum += static_cast<double>(dense.weight[k * 96 + d] * features.row(row)[d]);
      EXPECT_NEAR(scores.row(row)[k], sum, 1e-3);
    }
}

TEST_F(Extracting, LayersAreNamed) {
  const Model model = Model::load(bundled_path());
  const std::string layer = model.layer_names().at(0);  // the first convolution: 24 maps of 32×32
  FeatureExtractor extractor(model, layer, run_on_processor());
  const Features maps = extractor.extract(*paths_);
  EXPECT_EQ(maps.width, 24u * 32u * 32u);
}

TEST_F(Extracting, FilesHoldWhatWasExtracted) {
  FeatureExtractor extractor(Model::load(bundled_path()), kPenultimate, run_on_processor());
  const Features features = extractor.extract(*paths_);
  const std::string npy = folder_->file("features.npy"), csv = folder_->file("features.csv");
  save_features(features, npy);
  const Tensor read = read_npy(npy);
  ASSERT_EQ(read.shape(), (Shape{4, 96}));
  EXPECT_EQ(std::vector<float>(read.data<float>().begin(), read.data<float>().end()), features.values);
  save_features(features, csv);
  std::ifstream stream(csv);
  std::string line;
  int lines = 0;
  while (std::getline(stream, line)) lines += line.empty() ? 0 : 1;
  EXPECT_EQ(lines, 5);
}

TEST_F(Extracting, PixelsAndFilesAgree) {
  FeatureExtractor extractor(Model::load(bundled_path()), kPenultimate, run_on_processor());
  std::vector<Image> images;
  std::vector<PictureView> views;
  for (const std::string& path : *paths_) images.push_back(decode_image(path));
  for (const Image& image : images) views.push_back({image.pixels.data(), image.height, image.width});
  EXPECT_EQ(extractor.extract(views).values, extractor.extract(*paths_).values);
}

TEST(ClassLabels, FollowFolders) {
  EXPECT_EQ(class_labels({"x/b/1.png", "x/a/2.png"}, {}), (std::vector<int64_t>{1, 0}));
  EXPECT_EQ(class_labels({"x/b/1.png", "x/c/2.png"}, {"a", "b"}), (std::vector<int64_t>{1, -1}));
  EXPECT_EQ(class_labels({"x/b/1.png", "x/b/2.png"}, {}), (std::vector<int64_t>{-1, -1}));
}

}  // namespace
}  // namespace graft
