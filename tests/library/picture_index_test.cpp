#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "apps/library/neighbour_graph.h"
#include "graft/error.h"
#include "graft/feature_extractor.h"
#include "graft/similar.h"
#include "runtime/core/random.h"

namespace graft {
namespace {

namespace fs = std::filesystem;

/// Rows around some centres, as features of classes are.
Features features_of(size_t rows, size_t width, uint64_t seed) {
  Random random(seed);
  std::vector<float> centres(20 * width);
  for (float& v : centres) v = random.normal();
  Features features;
  features.rows = rows;
  features.width = width;
  for (size_t i = 0; i < rows; ++i) {
    for (size_t j = 0; j < width; ++j) features.values.push_back(centres[i % 20 * width + j] + random.normal());
    features.paths.push_back("picture" + std::to_string(i));
    features.labels.push_back(static_cast<int64_t>(i % 2));
  }
  features.classes = {"even", "odd"};
  return features;
}

class PictureIndexTest : public testing::Test {
 protected:
  PictureIndexTest() { fs::create_directories(folder_); }
  ~PictureIndexTest() override { fs::remove_all(folder_); }
  std::string in_folder(const char* name) const { return (folder_ / name).string(); }
  PictureIndex index_of(const Features& features) const {
    save_features(features, in_folder("features.npz"));
    return PictureIndex::of_features(in_folder("features.npz"));
  }
  const fs::path folder_ = fs::temp_directory_path() / ("graft_picture_index_test_" + std::to_string(::getpid()));
};

TEST_F(PictureIndexTest, FindsWhatLookingAtAllFinds) {
  const Features features = features_of(1000, 64, 1), asked = features_of(50, 64, 1);
  const PictureIndex index = index_of(features);
  EXPECT_EQ(index.size(), 1000u);
  EXPECT_EQ(index.width(), 64u);
  size_t found = 0;
  for (size_t q = 0; q < asked.rows; ++q) {
    std::vector<std::pair<double, size_t>> all;
    for (size_t i = 0; i < features.rows; ++i) {
      double dot = 0, a = 0, b = 0;
      for (size_t j = 0; j < 64; ++j) {
        const auto x = static_cast<double>(asked.row(q)[j]), y = static_cast<double>(features.row(i)[j]);
        dot += x * y, a += x * x, b += y * y;
      }
      all.emplace_back(-dot / std::sqrt(a * b), i);
    }
    std::sort(all.begin(), all.end());
    const auto near = index.nearest(asked.row(q), 10);
    ASSERT_EQ(near.size(), 10u);
    for (size_t k = 0; k < 10; ++k) {
      EXPECT_GE(near[k > 0 ? k - 1 : 0].similarity, near[k].similarity);
      for (size_t m = 0; m < 10; ++m)
        if (all[m].second == near[k].index) {
          ++found;
          EXPECT_NEAR(static_cast<double>(near[k].similarity), -all[m].first, 1e-5);
        }
    }
  }
  EXPECT_GT(found, 490u);  // of 500
}

TEST_F(PictureIndexTest, IsTheSameWhenItIsRead) {
  const Features features = features_of(300, 24, 2);
  const PictureIndex index = index_of(features);
  index.save(in_folder("index"));
  const PictureIndex again(in_folder("index"));
  EXPECT_EQ(again.size(), 300u);
  EXPECT_EQ(again.path(7), "picture7");
  EXPECT_EQ(again.class_name(7), "odd");
  for (size_t q = 0; q < 20; ++q) {
    const auto a = index.nearest(features.row(q), 7), b = again.nearest(features.row(q), 7);
    ASSERT_EQ(a.size(), b.size());
    EXPECT_EQ(a[0].index, q);
    for (size_t k = 0; k < a.size(); ++k) {
      EXPECT_EQ(a[k].index, b[k].index);
      EXPECT_EQ(a[k].similarity, b[k].similarity);
    }
  }
  index_of(features).save(in_folder("second"));
  std::ifstream first(in_folder("index"), std::ios::binary), second(in_folder("second"), std::ios::binary);
  EXPECT_TRUE(std::equal(std::istreambuf_iterator<char>(first), {}, std::istreambuf_iterator<char>(second), {}));
}

TEST_F(PictureIndexTest, CopiesDoNotHideOthers) {
  Features features = features_of(72, 24, 6);
  const Features copies = features_of(1, 24, 7);
  Features all = copies;
  for (int i = 1; i < 400; ++i) {
    all.values.insert(all.values.end(), copies.values.begin(), copies.values.end());
    all.paths.push_back("copy" + std::to_string(i));
    all.labels.push_back(0);
  }
  all.values.insert(all.values.end(), features.values.begin(), features.values.end());
  all.paths.insert(all.paths.end(), features.paths.begin(), features.paths.end());
  all.labels.insert(all.labels.end(), features.labels.begin(), features.labels.end());
  all.rows = 472;
  index_of(all).save(in_folder("index"));
  const PictureIndex index(in_folder("index"));
  EXPECT_EQ(index.size(), 472u);
  for (size_t q = 0; q < 72; ++q) EXPECT_EQ(index.nearest(features.row(q), 1)[0].index, 400 + q);
  const auto near = index.nearest(copies.row(0), 401);
  ASSERT_EQ(near.size(), 401u);
  for (size_t k = 0; k < 400; ++k) EXPECT_EQ(near[k].index, k);
}

TEST_F(PictureIndexTest, SmallSetsAndOddRows) {
  Features features = features_of(2, 3, 3);
  for (size_t j = 0; j < 3; ++j) features.values[j] = 0;  // a picture without any features
  const PictureIndex index = index_of(features);
  EXPECT_EQ(index.nearest(features.row(1), 10).size(), 2u);
  EXPECT_EQ(index.nearest(features.row(1), 1)[0].index, 1u);
  EXPECT_EQ(index.nearest(features.row(0), 1)[0].similarity, 0);
  EXPECT_THROW(index.nearest(std::vector<float>(4, 1), 1), Error);
  EXPECT_THROW(index.nearest(std::vector<float>(3, NAN), 1), Error);
  features.values[0] = INFINITY;
  EXPECT_THROW(index_of(features), Error);
  EXPECT_THROW(PictureIndex{in_folder("features.npz")}, Error);
  EXPECT_THROW(PictureIndex{in_folder("nowhere")}, Error);
}

TEST(NeighbourGraph, DamagedBytesAreRefusedOrHarmless) {
  constexpr size_t kRows = 60, kWidth = 4;
  NeighbourGraph graph(kWidth, kRows);
  Random random(4);
  for (size_t i = 0; i < kRows; ++i) {
    float row[kWidth], squares = 0;
    for (float& v : row) v = random.normal(), squares += v * v;
    for (float& v : row) v /= std::sqrt(squares);
    graph.add(row);
  }
  const std::vector<uint8_t> bytes = graph.bytes();
  const float asked[kWidth] = {1, 0, 0, 0};
  EXPECT_EQ(NeighbourGraph(bytes, kWidth, kRows).nearest(asked, 5), graph.nearest(asked, 5));
  EXPECT_THROW(NeighbourGraph(std::span(bytes).first(bytes.size() - 1), kWidth, kRows), Error);
  EXPECT_THROW(NeighbourGraph(bytes, kWidth + 1, kRows), Error);
  EXPECT_THROW(NeighbourGraph(bytes, kWidth, kRows - 1), Error);
  EXPECT_THROW(NeighbourGraph({}, kWidth, kRows), Error);
  // Sizes whose products are what they should be only because they wrap.
  for (const size_t width : {size_t{1} << 62, ((size_t{1} << 63) - 140) / 4 + 64, SIZE_MAX / 4})
    for (const size_t rows : {size_t{1}, size_t{2}, kRows, size_t{1} << 61})
      EXPECT_THROW(NeighbourGraph(bytes, width, rows), Error);
  size_t refused = 0;
  for (int i = 0; i < 3000; ++i) {  // under the sanitizers whatever is accepted is searched without a fault
    std::vector<uint8_t> damaged = bytes;
    damaged[mix(5, static_cast<uint64_t>(i)) % (i % 3 == 0 ? 104 : damaged.size())] ^=
        static_cast<uint8_t>(1u << (i % 8));
    try {
      NeighbourGraph(damaged, kWidth, kRows).nearest(asked, 5);
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 1000u);
}

}  // namespace
}  // namespace graft
