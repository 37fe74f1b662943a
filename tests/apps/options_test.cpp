#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "apps/cli/checked_config.h"
#include "apps/cli/compute_options.h"
#include "apps/cli/setting_options.h"
#include "finetune/heads/head.h"
#include "finetune/training/train_options.h"

namespace graft::app {
namespace {

std::vector<std::string> words(std::vector<std::string> list) {
  std::reverse(list.begin(), list.end());  // as CLI11 wants them
  return list;
}

TEST(ComputeOptions, BecomeSettings) {
  CLI::App command;
  CommonOptions options;
  add_device_options(command, options);
  add_batch_option(command, options);
  command.parse(words({"--device", "cpu", "--threads", "3", "--batch", "7", "--dtype", "fp32"}));
  const ComputeSettings settings = compute_settings(options);
  EXPECT_EQ(settings.device, "cpu");
  EXPECT_EQ(settings.precision, "fp32");
  EXPECT_EQ(settings.threads, 3);
  EXPECT_EQ(settings.batch, 7);
}

TEST(MemoryLimits, AreAmountsOrParts) {
  EXPECT_EQ(memory_limit("2G").bytes, size_t{2} << 30);
  EXPECT_EQ(memory_limit("900M").bytes, size_t{900} << 20);
  EXPECT_EQ(memory_limit("50%").part, 0.5);
  EXPECT_FALSE(memory_limit("").any());
  for (const char* wrong : {"much", "-1G", "200%", "3X"}) {
    try {
      memory_limit(wrong);
      ADD_FAILURE() << wrong;
    } catch (const Error& error) {
      EXPECT_EQ(error.setting(), "memory");
      EXPECT_EQ(std::string(error.what()).find("memory " + std::string(wrong) + ": "), 0u);
    }
  }
}

TEST(SettingOptionsTest, GroupsAreSetAndComponentsGiven) {
  CLI::App command;
  SettingOptions options(command);
  LengthOptions length;
  options.add_group("length", "Training", length);
  options.add_components("head", head_components());
  command.parse(words({"--epochs", "4", "--hidden", "32"}));
  options.apply();
  EXPECT_EQ(length.epochs, 4);
  EXPECT_EQ(options.completed("head", {"mlp"}).values.at("hidden"), "32");
  EXPECT_THROW(options.completed("head", {"linear"}), Error);
  EXPECT_THROW(command.parse(words({"--epochs", "0"})), CLI::ParseError);
}

TEST(CheckedConfigTest, RefusesWhatIsUnknown) {
  CLI::App program;
  int epochs = 0;
  CLI::App* sub = program.add_subcommand("finetune");
  sub->add_option("--epochs", epochs);
  bool quick = false;
  sub->add_flag("--quick", quick);
  const CheckedConfig config(program);
  std::istringstream fine("[finetune]\nepochs=3\n"), wrong("[finetune]\nepoch=3\n"), section("[finetun]\nepochs=3\n");
  EXPECT_NO_THROW(config.from_config(fine));
  try {
    config.from_config(wrong);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("the closest is \"epochs\""), std::string::npos);
  }
  EXPECT_THROW(config.from_config(section), Error);
  const auto error_of = [&](const char* text) -> std::string {
    std::istringstream stream(text);
    try {
      config.from_config(stream);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  for (const char* text : {"epochs=3\n", "garbage\n", "{\"a\":1}\n", "[finetune\n"})
    EXPECT_NE(error_of(text).find("outside a section"), std::string::npos) << text << error_of(text);
  EXPECT_EQ(error_of("[finetune]\nquick=true\n"), "");
  EXPECT_NE(error_of("[finetune]\nquick=maybe\n").find("use true or false"), std::string::npos);
  EXPECT_EQ(closest_word("adm", {"sgd", "adam", "lion"}), "adam");
}

}  // namespace
}  // namespace graft::app
