#include "augment/data/split.h"

#include "augment/data/like_groups.h"
#include "runtime/core/random.h"
#include "tests/augment/data/data_folder.h"

namespace graft {
namespace {

class SplitTest : public DataFolder {
 protected:
  /// A picture that no other number's is like; `light`: the same, a little brighter.
  void write(const std::string& name, uint64_t number, int light = 0) const {
    std::filesystem::create_directories((root_ / name).parent_path());
    Image image(96, 96);
    for (int64_t y = 0; y < 96; ++y)
      for (int64_t x = 0; x < 96; ++x)
        for (int64_t c = 0; c < 3; ++c) {
          const auto cell = static_cast<uint64_t>((y / 12) * 8 + x / 12);
          image.row(y)[3 * x + c] = static_cast<uint8_t>(20 + mix(number, cell * 3 + static_cast<uint64_t>(c)) % 200 +
                                                         static_cast<uint64_t>(light));
        }
    write_image(image, path(name));
  }
  std::string name(const std::string& of_class, int i) const {
    return "d/" + of_class + "/" + std::to_string(i) + ".png";
  }
};

TEST_F(SplitTest, LikePicturesShareAGroup) {
  for (int i = 0; i < 3; ++i) write(name("a", i), 1, 3 * i);
  write(name("a", 3), 2);
  text(name("a", 4), "no picture");
  text(name("a", 5), "no picture");
  std::vector<std::string> paths;
  for (int i = 0; i < 6; ++i) paths.push_back(path(name("a", i)));
  const auto group = like_groups(paths);
  EXPECT_EQ(group[0], group[1]);
  EXPECT_EQ(group[0], group[2]);
  EXPECT_NE(group[0], group[3]);
  EXPECT_NE(group[4], group[5]);
}

/// Every third picture has two versions more: with 20 % of each class by chance alone, some would be torn.
TEST_F(SplitTest, CopiesNeverStandOnBothSides) {
  for (const std::string of_class : {"a", "b"})
    for (int i = 0; i < 30; ++i)
      write(name(of_class, i), static_cast<uint64_t>(i / 3) + (of_class == "a" ? 0 : 100), i % 3);
  for (uint64_t seed = 0; seed < 5; ++seed) {
    const Dataset data = read_dataset(path("d"), Task::classes, {.validation_part = 0.2, .seed = seed});
    EXPECT_EQ(data.validation.size(), 12u);
    std::set<std::string> validates;
    const auto of = [](const LabelledFile& file) {
      return std::to_string(file.label) + ":" + std::to_string(std::stoi(std::filesystem::path(file.path).stem()) / 3);
    };
    for (const LabelledFile& file : data.validation) validates.insert(of(file));
    for (const LabelledFile& file : data.train) EXPECT_FALSE(validates.contains(of(file))) << file.path;
    ASSERT_EQ(data.notes.size(), 1u);
    EXPECT_TRUE(data.notes[0].starts_with("60 pictures are copies of others")) << data.notes[0];
  }
}

TEST_F(SplitTest, TheSamePictureInTwoClassesStaysOnOneSide) {
  for (int i = 0; i < 10; ++i) {
    write(name("a", i), static_cast<uint64_t>(i));
    write(name("b", i), static_cast<uint64_t>(i));
  }
  const Dataset data = read_dataset(path("d"));
  std::set<std::string> validates;
  for (const LabelledFile& file : data.validation) validates.insert(std::filesystem::path(file.path).filename());
  for (const LabelledFile& file : data.train)
    EXPECT_FALSE(validates.contains(std::filesystem::path(file.path).filename())) << file.path;
}

TEST_F(SplitTest, AClassOfCopiesAloneIsTornAndSaysSo) {
  for (int i = 0; i < 10; ++i) {
    write(name("a", i), 1);
    write(name("b", i), static_cast<uint64_t>(100 + i));
  }
  const Dataset data = read_dataset(path("d"));
  EXPECT_EQ(data.validation.size(), 4u);
  ASSERT_EQ(data.notes.size(), 1u);
  EXPECT_NE(data.notes[0].find("but for 2 whose class has no others"), std::string::npos) << data.notes[0];
}

TEST_F(SplitTest, TheSmallestGroupValidatesWhereNoneFits) {
  for (int i = 0; i < 9; ++i) write(name("a", i), i < 2 ? 1 : i < 5 ? 2 : 3);  // groups of 2, 3 and 4
  for (int i = 0; i < 9; ++i) write(name("b", i), static_cast<uint64_t>(100 + i));
  const Dataset data = read_dataset(path("d"), Task::classes, {.validation_part = 0.15});
  const Names validates = named(data, data.validation);
  EXPECT_TRUE(validates.contains("a:d/a/0.png"));
  EXPECT_TRUE(validates.contains("a:d/a/1.png"));
  EXPECT_EQ(data.validation.size(), 3u);
}

}  // namespace
}  // namespace graft
