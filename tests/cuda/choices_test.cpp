#include "runtime/cuda/choices.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace graft::cuda {
namespace {

class ChoicesTest : public testing::Test {
 protected:
  ChoicesTest() { std::filesystem::remove_all(folder_); }
  ~ChoicesTest() override { std::filesystem::remove_all(folder_); }
  const std::string folder_ =
      testing::TempDir() + "graft_choices_" + testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(ChoicesTest, WhatOneKeepsTheNextFinds) {
  Choices first("NVIDIA X, driver 1", folder_);
  EXPECT_FALSE(first.find("convolution 1"));
  first.keep("convolution 1", "engine 7");
  first.keep("product 2", "a b c ");
  const Choices next("NVIDIA X, driver 1", folder_);
  EXPECT_EQ(next.find("convolution 1"), "engine 7");
  EXPECT_EQ(next.find("product 2"), "a b c ");
}

TEST_F(ChoicesTest, AnotherDriverMeasuresAnew) {
  Choices("NVIDIA X, driver 1", folder_).keep("convolution 1", "engine 7");
  EXPECT_FALSE(Choices("NVIDIA X, driver 2", folder_).find("convolution 1"));
  // Names that differ only where a file name cannot show it.
  EXPECT_FALSE(Choices("NVIDIA X; driver 1", folder_).find("convolution 1"));
}

TEST_F(ChoicesTest, ADamagedFileIsNoFile) {
  Choices("gpu", folder_).keep("convolution 1", "engine 7");
  for (const auto& file : std::filesystem::directory_iterator(folder_))
    std::ofstream(file.path()) << "something else\n";
  Choices again("gpu", folder_);
  EXPECT_FALSE(again.find("convolution 1"));
  again.keep("convolution 1", "engine 8");
  EXPECT_EQ(Choices("gpu", folder_).find("convolution 1"), "engine 8");
}

TEST_F(ChoicesTest, WithoutAPlaceToWriteTheyLiveAsLongAsTheProgram) {
  std::ofstream(folder_) << "a file where a folder should be";
  Choices choices("gpu", folder_);
  choices.keep("convolution 1", "engine 7");
  EXPECT_EQ(choices.find("convolution 1"), "engine 7");
}

}  // namespace
}  // namespace graft::cuda
