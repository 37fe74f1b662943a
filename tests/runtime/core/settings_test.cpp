#include "runtime/core/settings.h"

#include <gtest/gtest.h>

#include "runtime/core/component.h"

namespace graft {
namespace {

struct Sample {
  static constexpr ComponentText kText{"sample", "what it is", "y = x"};
  struct Options {
    float rate = 0.1f;
    double power = 1e-8;
    int steps = 3;
    bool loud = false;
    std::vector<double> places{1, 2.5};
    std::string name = "none";
    void describe(SettingVisitor& visit) {
      visit("rate", rate, {.low = 0, .high = 1, .unit = "1/s", .help = "how fast"});
      visit("power", power, {.help = "how much"});
      visit("steps", steps, {.low = 1, .help = "how often"});
      visit("loud", loud, {.help = "whether"});
      visit("places", places, {.low = 0, .high = 10, .help = "where"});
      visit("name", name, {.help = "who"});
    }
  };
};

std::string setting_in_error(const SettingValues& values) {
  try {
    read_settings<Sample::Options>(values, "sample");
  } catch (const Error& error) {
    return error.setting();
  }
  return "no error";
}

TEST(Settings, AreListedWithTheDefaultsOfTheirInitialisers) {
  const auto settings = settings_of<Sample::Options>();
  ASSERT_EQ(settings.size(), 6u);
  EXPECT_EQ(settings[0].name, "rate");
  EXPECT_EQ(settings[0].kind, SettingKind::number);
  EXPECT_EQ(settings[0].default_text, "0.1");
  EXPECT_EQ(settings[0].unit, "1/s");
  EXPECT_EQ(range_text(settings[0]), "0…1");
  EXPECT_EQ(settings[1].default_text, "1e-08");
  EXPECT_EQ(range_text(settings[1]), "");
  EXPECT_EQ(range_text(settings[2]), "at least 1");
  EXPECT_EQ(settings[3].default_text, "false");
  EXPECT_EQ(settings[4].default_text, "1,2.5");
}

TEST(Settings, ReadWhatTheyPrint) {
  Sample::Options odd;
  odd.rate = 1.0f / 3;
  odd.power = 0.1 + 0.2;
  odd.steps = 100000;
  odd.loud = true;
  odd.places = {};
  odd.name = "a name, with a comma";
  const auto read = read_settings<Sample::Options>(setting_values(odd), "sample");
  EXPECT_EQ(read.rate, odd.rate);
  EXPECT_EQ(read.power, odd.power);
  EXPECT_EQ(read.steps, odd.steps);
  EXPECT_TRUE(read.loud);
  EXPECT_TRUE(read.places.empty());
  EXPECT_EQ(read.name, odd.name);
}

TEST(Settings, OthersStayAsTheyAre) {
  const auto read = read_settings<Sample::Options>({{"steps", "7"}}, "sample");
  EXPECT_EQ(read.steps, 7);
  EXPECT_EQ(read.rate, 0.1f);
}

TEST(Settings, RefuseWhatIsNoSuchValue) {
  for (const SettingValues& wrong :
       {SettingValues{{"rate", "fast"}}, {{"rate", "1.5"}}, {{"rate", "nan"}}, {{"rate", ""}}})
    EXPECT_EQ(setting_in_error(wrong), "rate");
  for (const SettingValues& wrong : {SettingValues{{"steps", "2.5"}}, {{"steps", "0"}}, {{"steps", "99999999999"}}})
    EXPECT_EQ(setting_in_error(wrong), "steps");
  EXPECT_EQ(setting_in_error({{"loud", "maybe"}}), "loud");
  EXPECT_EQ(setting_in_error({{"places", "1,11"}}), "places");
}

TEST(Settings, AnUnknownOneNamesItsOwnerAndTheKnown) {
  try {
    read_settings<Sample::Options>({{"speed", "1"}}, "sample");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.setting(), "speed");
    EXPECT_STREQ(error.what(), "speed: is not a setting of sample: it has rate, power, steps, loud, places, name");
  }
}

TEST(Settings, NumbersAreWrittenAsPeopleWriteThem) {
  EXPECT_EQ(shortest_text(100000.0), "100000");
  EXPECT_EQ(shortest_text(1e-4f), "0.0001");
  EXPECT_EQ(shortest_text(1e-30f), "1e-30");
  EXPECT_EQ(shortest_text(0.0), "0");
  EXPECT_EQ(shortest_text(-2.5), "-2.5");
}

TEST(Components, AreMadeFromWhatIsSet) {
  Components<int> table("thing", "thing");
  table.add<Sample>([](const Sample::Options& options) { return options.steps; });
  EXPECT_EQ(table.make({"sample"}), 3);
  EXPECT_EQ(table.make({"sample", {{"steps", "8"}}}), 8);
  EXPECT_EQ(table.make(choose<Sample>({.steps = 9})), 9);
  EXPECT_THROW(table.make({"simple"}), Error);
  EXPECT_THROW(table.make({"sample", {{"speed", "1"}}}), Error);
}

TEST(Components, AreReadWithTheirSettingsBehindTheirName) {
  const std::vector<ComponentInfo> known{component_info<Sample>()};
  const Choice choice = parse_choice("sample:0.5:2:steps=4", "thing", "thing", known);
  EXPECT_EQ(choice.name, "sample");
  EXPECT_EQ(choice.values, (SettingValues{{"rate", "0.5"}, {"power", "2"}, {"steps", "4"}}));
  EXPECT_THROW(parse_choice("simple:1", "thing", "thing", known), Error);
  EXPECT_THROW(parse_choice("sample:1:2:3:4:5:6:7", "thing", "thing", known), Error);
}

TEST(Components, AreNarrowedToWhatTheyHave) {
  const std::vector<ComponentInfo> known{component_info<Sample>()};
  EXPECT_EQ(narrowed({"sample", {{"steps", "4"}, {"speed", "1"}}}, known).values, (SettingValues{{"steps", "4"}}));
}

}  // namespace
}  // namespace graft
