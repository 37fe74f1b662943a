#include "apps/library/feature_folder.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

namespace graft {
namespace {

namespace fs = std::filesystem;

class PictureKeys : public testing::Test {
 protected:
  PictureKeys() { fs::create_directories(folder_); }
  ~PictureKeys() override { fs::remove_all(folder_); }
  std::string file(const char* name, const std::string& content) const {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // file systems count time in steps
    const std::string path = (folder_ / name).string();
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }
  static std::optional<ContentKey> key(const LoadRequest& request, const std::string& pipeline = "plain") {
    return picture_keys({request}, pipeline, 1).at(0);
  }
  // Of the process: tests run side by side, and each removes its own.
  const fs::path folder_ = fs::temp_directory_path() / ("graft_picture_keys_test_" + std::to_string(::getpid()));
};

TEST_F(PictureKeys, AreOfContentPipelineAndRandomKey) {
  const std::string a = file("a", "the same"), b = file("b", "the same"), c = file("c", "another");
  ASSERT_TRUE(key({a, 0}));
  EXPECT_EQ(key({a, 0}), key({b, 0}));
  EXPECT_NE(key({a, 0}), key({c, 0}));
  EXPECT_NE(key({a, 0}), key({a, 1}));
  EXPECT_NE(key({a, 0}), key({a, 0}, "another"));
  EXPECT_FALSE(key({(folder_ / "none").string(), 0}));
  const std::string content = "the same";
  const std::span bytes(reinterpret_cast<const uint8_t*>(content.data()), content.size());
  EXPECT_EQ(key({"in memory", 0, bytes}), key({a, 0}));
  const auto several = picture_keys({{a, 0}, {a, 1}, {c, 0}, {a, 0}}, "plain", 1);
  EXPECT_EQ(several[0], several[3]);
  EXPECT_EQ(several[1], key({a, 1}));
  EXPECT_EQ(several[2], key({c, 0}));
}

TEST_F(PictureKeys, AreNoneForFilesThatChangeMeanwhile) {
  const std::string path = file("changing", "before");
  ASSERT_TRUE(key({path, 0}));
  EXPECT_TRUE(is_unchanged(path));
  file("changing", "after, with another length");
  EXPECT_FALSE(is_unchanged(path));
  EXPECT_FALSE(key({path, 0}));
  file("changing", "before");  // as it was, but pixels may be of what was there meanwhile
  EXPECT_FALSE(is_unchanged(path));
  EXPECT_FALSE(key({path, 0}));
}

}  // namespace
}  // namespace graft
