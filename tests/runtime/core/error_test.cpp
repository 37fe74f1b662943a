#include "runtime/core/error.h"

#include <gtest/gtest.h>

namespace graft {
namespace {

std::string as_option(std::string_view setting) { return "--" + std::string(setting); }

TEST(Error, ReadsPlacesSettingProblemRemedy) {
  Error error = Error("has a problem", "do this").about("mixup");
  error.add_place("node");
  error.add_place("file");
  EXPECT_STREQ(error.what(), "file: node: mixup: has a problem: do this");
  EXPECT_EQ(error.setting(), "mixup");
}

TEST(Error, IsWrittenAsAProgramSetsThings) {
  const Error error =
      Error("is too large", "use " + mention("batch") + " 16, or a larger " + mention("memory")).about("loss");
  EXPECT_EQ(error.text(as_option), "--loss: is too large: use --batch 16, or a larger --memory");
  EXPECT_STREQ(error.what(), "loss: is too large: use batch 16, or a larger memory");
}

TEST(Error, KeepsItsCode) {
  EXPECT_EQ(Error("full", "", ErrorCode::out_of_memory).code(), ErrorCode::out_of_memory);
  EXPECT_EQ(Error("wrong").code(), ErrorCode::invalid_argument);
  EXPECT_EQ(Error("gone", "", ErrorCode::not_found).about("device").code(), ErrorCode::not_found);
}

}  // namespace
}  // namespace graft
