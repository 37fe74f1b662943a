#include <gtest/gtest.h>

#include "apps/cli/printable.h"
#include "apps/cli/usage.h"
#include "apps/run/settings_table.h"

namespace graft::app {
namespace {

TEST(Printable, WritesControlCharactersAsInC) {
  EXPECT_EQ(printable("two\nlines\t\x1b[31m\x7f\r.png"), "two\\nlines\\t\\x1b[31m\\x7f\\r.png");
  EXPECT_EQ(printable("Käfer – 虫.png"), "Käfer – 虫.png");
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a\\x00b");
}

TEST(EndsIn, RefusesOtherEndings) {
  CLI::App command;
  std::string path;
  command.add_option("--curves", path)->check(ends_in({".csv", ".svg"}));
  command.parse("--curves roc.svg");
  EXPECT_EQ(path, "roc.svg");
  try {
    command.parse("--curves roc.png");
    FAIL();
  } catch (const CLI::ValidationError& error) {
    EXPECT_NE(std::string(error.what()).find("\"roc.png\" does not end in .csv | .svg"), std::string::npos)
        << error.what();
  }
}

TEST(SettingsTable, HoldsWhatRunsWereGivenAgainstTheUsual) {
  CLI::App finetune;
  double lr = 0, span = 3;
  std::string output, freeze = "all";
  finetune.add_option("--lr", lr)->capture_default_str();
  finetune.add_option("--span", span)->capture_default_str();
  finetune.add_option("--freeze", freeze)->capture_default_str();
  finetune.add_option("-o,--output", output)->group("Output");
  std::vector<SettingsTable> runs{
      {{"lr", "0.29999999999999999"}, {"output", "a"}, {"freeze", "none"}, {"unknown", "1"}},
      {{"output", "b"}, {"span", "3.0"}, {"model", "m.onnx"}}};
  complete_settings(runs, finetune);
  EXPECT_EQ(runs[0].at("lr"), "0.3");
  EXPECT_EQ(runs[1].at("lr"), "not set");  // 0: the optimizer's own
  EXPECT_EQ(runs[1].at("freeze"), "all");
  EXPECT_FALSE(runs[0].contains("output") || runs[0].contains("unknown"));
  EXPECT_EQ(settings_that_differ(runs), std::vector<std::string>{"freeze"});
}

}  // namespace
}  // namespace graft::app
