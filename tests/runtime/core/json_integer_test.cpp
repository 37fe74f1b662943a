#include "runtime/core/json_integer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace graft {
namespace {

using nlohmann::json;

TEST(JsonInteger, TakesWholeNumbersInRangeAlone) {
  EXPECT_EQ(json_integer(json::parse("-3")), -3);
  EXPECT_EQ(json_integer(json::parse("256.0")), 256);
  EXPECT_EQ(json_integer(json::parse("9223372036854775807")), INT64_MAX);
  EXPECT_EQ(json_integer<int>(json::parse("7")), 7);
  for (const char* text : {"0.5", "1e97", "-1e97", "9223372036854775808", "1e19"})
    EXPECT_THROW(json_integer(json::parse(text)), Error) << text;
  EXPECT_THROW(json_integer<int>(json::parse("2147483648")), Error);
  EXPECT_THROW(json_integer(json::parse("\"1\"")), json::exception);
  EXPECT_THROW(json_integer(json::parse("null")), json::exception);
}

}  // namespace
}  // namespace graft
