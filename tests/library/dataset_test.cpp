#include "graft/dataset.h"

#include <gtest/gtest.h>

#include <fstream>

#include "graft/error.h"
#include "tests/library/generated.h"

namespace graft {
namespace {

TEST(DatasetTest, ReadsWhatIsDrawn) {
  const TemporaryFolder folder;
  draw_demo(folder.path(), 2, 3, 2);
  std::ofstream(folder.path() / "train" / read_dataset(folder.path().string()).classes[0] / "notes.txt") << "text";
  const Dataset data = read_dataset(folder.path().string());
  EXPECT_EQ(data.classes.size(), 2u);
  EXPECT_EQ(data.train.size(), 6u);
  EXPECT_EQ(data.validation.size(), 4u);
  EXPECT_TRUE(data.skipped.empty());
  ASSERT_EQ(data.ignored.size(), 1u);
  EXPECT_NE(data.ignored[0].find("notes.txt"), std::string::npos);
}

TEST(DatasetTest, ListedFilesAreSplitByClass) {
  std::vector<std::string> paths, labels;
  for (int i = 0; i < 20; ++i) {
    paths.push_back("picture" + std::to_string(i) + ".png");
    labels.push_back(i % 2 ? "odd" : "even");
  }
  const Dataset data = make_dataset(paths, labels, {0.3, 5}), again = make_dataset(paths, labels, {0.3, 5});
  EXPECT_EQ(data.classes, (std::vector<std::string>{"even", "odd"}));
  EXPECT_EQ(data.train.size(), 14u);
  EXPECT_EQ(data.validation.size(), 6u);
  for (size_t i = 0; i < data.validation.size(); ++i) {
    EXPECT_EQ(data.validation[i].path, again.validation[i].path);
    EXPECT_EQ(data.validation[i].label, std::stoi(data.validation[i].path.substr(7)) % 2);  // "picture12.png"
  }
  EXPECT_THROW(make_dataset(paths, {"one"}), Error);
  EXPECT_THROW(make_dataset({}, {}), Error);
}

}  // namespace
}  // namespace graft
