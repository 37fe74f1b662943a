#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "augment/encode.h"
#include "graft/dataset.h"
#include "runtime/core/error.h"
#include "runtime/core/random.h"

namespace graft {

/// A temporary folder that tests fill with small pictures and tables.
class DataFolder : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    root_ = std::filesystem::temp_directory_path() /
            ("graft_data_" + std::to_string(getpid()) + "_" + test->test_suite_name() + "_" + test->name());
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  std::string path(const std::string& name) const { return (root_ / name).string(); }
  /// A picture of one pixel, of a colour that no other has; folders are made on the way.
  void picture(const std::string& name) const {
    std::filesystem::create_directories((root_ / name).parent_path());
    Image image(1, 1);
    for (uint8_t& value : image.pixels)
      value = static_cast<uint8_t>(mix(pictures_, static_cast<uint64_t>(&value - image.pixels.data())));
    ++pictures_;
    write_image(image, path("picture.png"));
    std::filesystem::rename(path("picture.png"), root_ / name);
  }
  void text(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name, std::ios::binary) << content;
  }
  /// "class:path below the root" of files.
  std::multiset<std::string> named(const Dataset& data, const std::vector<LabelledFile>& files) const {
    std::multiset<std::string> names;
    for (const LabelledFile& file : files)
      names.insert(data.classes.at(static_cast<size_t>(file.label)) + ":" +
                   std::filesystem::path(file.path).lexically_relative(root_).string());
    return names;
  }
  /// What the error says that `read` throws; empty where it throws none.
  template <typename Read>
  std::string error_of(Read read) const {
    try {
      read();
      return {};
    } catch (const Error& e) {
      return e.what();
    }
  }

  std::filesystem::path root_;

 private:
  mutable uint64_t pictures_ = 0;
};

using Names = std::multiset<std::string>;

}  // namespace graft
