#include "apps/library/confidence_fit.h"

#include <gtest/gtest.h>

#include <cmath>

#include "apps/library/base64.h"
#include "graft/error.h"

namespace graft {
namespace {

TEST(Base64, IsWhatRfc4648Says) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, coded] : vectors) {
    const std::string text = plain;
    const std::vector<uint8_t> bytes(text.begin(), text.end());
    EXPECT_EQ(base64(bytes), coded);
    EXPECT_EQ(from_base64(coded), bytes);
  }
  for (const char* bad : {"Zg=", "Zg", "Z===", "Zm9\n", "=Zg=", "Zg==Zg=="}) EXPECT_FALSE(from_base64(bad)) << bad;
}

TEST(Confidence, GoesThroughTheMetadata) {
  std::vector<float> features;
  for (int i = 0; i < 40; ++i) features.push_back(std::sin(static_cast<float>(i * i)));
  Confidence confidence{1.37, {0.25f, 0.75f}, OodDetector::fit(features, {}, 4)};
  OnnxModel model;
  model.metadata.other["mine"] = "stays";
  set_confidence(confidence, model.metadata);
  const Confidence back = confidence_of(model);
  EXPECT_EQ(back.temperature, 1.37);
  EXPECT_EQ(back.thresholds, confidence.thresholds);
  ASSERT_TRUE(back.ood);
  for (size_t i = 0; i < 40; i += 4)
    EXPECT_EQ(back.ood->distance(std::span(features).subspan(i, 4)),
              confidence.ood->distance(std::span(features).subspan(i, 4)));
  set_confidence({}, model.metadata);
  EXPECT_EQ(model.metadata.other.size(), 1u);
}

TEST(Confidence, OfForeignMetadataIsAnError) {
  for (const auto& [key, text] : std::vector<std::pair<std::string, std::string>>{{"graft.temperature", "0"},
                                                                                  {"graft.temperature", "-1"},
                                                                                  {"graft.temperature", "\"warm\""},
                                                                                  {"graft.temperature", "1e999"},
                                                                                  {"graft.temperature", "1e-320"},
                                                                                  {"graft.temperature", "1e300"},
                                                                                  {"graft.thresholds", "[0.5, 2]"},
                                                                                  {"graft.thresholds", "[-1]"},
                                                                                  {"graft.thresholds", "{"},
                                                                                  {"graft.ood", "{}"},
                                                                                  {"graft.ood", "[1]"}}) {
    OnnxModel model;
    model.metadata.other[key] = text;
    EXPECT_THROW(confidence_of(model), Error) << key << text;
  }
}

/// Pictures whose class is their number modulo 3.
class Numbers final : public SampleSource {
 public:
  explicit Numbers(int64_t size) : size_(size) {}
  int64_t size() const override { return size_; }
  int label(int64_t index) const override { return index < 5 ? 7 : static_cast<int>(index % 3); }
  std::unique_ptr<SampleStream> stream(std::vector<SampleRef>, size_t) const override { return nullptr; }

 private:
  int64_t size_;
};

TEST(ConfidencePictures, AreAsManyOfEachClass) {
  const ConfidencePictures few = confidence_pictures(Numbers(20), 12, 0);
  EXPECT_EQ(few.references.size(), 12u);
  EXPECT_EQ(few.held_back.size(), 8u);
  const Numbers source(20000);
  const ConfidencePictures many = confidence_pictures(source, 10000, 0);
  EXPECT_NEAR(static_cast<double>(many.references.size()), 1000, 3);
  EXPECT_EQ(many.held_back.size(), 4000u);
  std::map<int, int> count, held_back;
  for (const int64_t i : many.references) {
    EXPECT_LT(i, 10000);
    ++count[source.label(i)];
  }
  EXPECT_EQ(count[7], 5);
  for (int label = 0; label < 3; ++label) EXPECT_EQ(count[label], 331);
  for (const int64_t i : many.held_back) {
    EXPECT_GE(i, 10000);
    ++held_back[source.label(i)];
  }
  for (int label = 0; label < 3; ++label) EXPECT_NEAR(held_back[label], 1333, 100);  // as they are in the data
}

}  // namespace
}  // namespace graft
