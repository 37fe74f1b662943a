#include "graft/feature_writer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "apps/library/features_file.h"
#include "graft/error.h"

namespace graft {
namespace {

constexpr char kMaker[] = R"({"model":"a.onnx"})";

std::string bytes_of(const std::string& path) {
  std::ostringstream all;
  all << std::ifstream(path, std::ios::binary).rdbuf();
  return all.str();
}

class Writing : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { std::filesystem::create_directory(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name = "f") const { return (folder_ / (name + GetParam())).string(); }
  static std::vector<float> row(size_t i) { return {static_cast<float>(i) / 3, -1e-9f, static_cast<float>(i)}; }
  static std::string picture(size_t i) { return "folder, \"" + std::to_string(i) + "\"/p.jpg"; }
  static std::string class_of(size_t i) { return i % 3 == 2 ? "" : i % 3 == 1 ? "wolf" : "bee"; }
  static void add(FeatureWriter& writer, size_t from, size_t to) {
    for (size_t i = from; i < to; ++i) writer.add(picture(i), class_of(i), row(i));
  }
  void whole(const std::string& to, size_t rows) const {
    FeatureWriter writer(to, {kMaker});
    add(writer, 0, rows);
    writer.finish({});
  }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }

  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("graft_writer_" + std::to_string(::getpid()));
};

TEST_P(Writing, WhatIsWrittenIsRead) {
  whole(path(), 200);
  std::string maker;
  size_t i = 0;
  read_features(
      path(), [&](const std::string& about) { maker = about; },
      [&](const FeatureRow& r) {
        EXPECT_EQ(r.path, picture(i));
        EXPECT_EQ(std::vector<float>(r.features.begin(), r.features.end()), row(i));
        EXPECT_EQ(r.class_name, std::string(GetParam()) == ".npy" ? "" : class_of(i));
        ++i;
      });
  EXPECT_EQ(i, 200u);
  EXPECT_EQ(maker, std::string(GetParam()) == ".npz" ? kMaker : "");
}

TEST_P(Writing, AnInterruptedRunGoesOnToTheSameFile) {
  whole(path("whole"), 300);
  {
    FeatureWriter writer(path(), {kMaker});
    add(writer, 0, 130);
  }
  EXPECT_FALSE(std::filesystem::exists(path()));
  // Ended in the midst of a row, and of a line.
  std::filesystem::resize_file(path() + ".part", std::filesystem::file_size(path() + ".part") - 5);
  std::filesystem::resize_file(path() + ".part.rows", std::filesystem::file_size(path() + ".part.rows") - 200);
  FeatureWriter writer(path(), {kMaker});
  const size_t there = writer.continued();
  EXPECT_GT(there, 100u);
  EXPECT_LT(there, 130u);
  EXPECT_EQ(writer.width(), 3u);
  EXPECT_TRUE(writer.has(picture(there - 1)));
  EXPECT_FALSE(writer.has(picture(there)));
  add(writer, there, 300);
  writer.finish({});
  EXPECT_EQ(bytes_of(path()), bytes_of(path("whole")));
  for (const std::string& name : files()) EXPECT_EQ(name.find(".part"), std::string::npos) << name;
}

TEST_P(Writing, RowsOfAnotherModelAreNotContinued) {
  {
    FeatureWriter writer(path(), {"another"});
    add(writer, 0, 70);
  }
  FeatureWriter writer(path(), {kMaker});
  EXPECT_EQ(writer.continued(), 0u);
  EXPECT_EQ(writer.discarded(), 70u);
  EXPECT_EQ(writer.rows(), 0u);
  add(writer, 0, 5);
  writer.finish({});
  whole(path("whole"), 5);
  EXPECT_EQ(bytes_of(path()), bytes_of(path("whole")));
}

TEST_P(Writing, AppendingKeepsWhatIsThere) {
  whole(path(), 100);
  whole(path("whole"), 160);
  {  // interrupted once on the way
    FeatureWriter writer(path(), {kMaker, true});
    EXPECT_EQ(writer.kept(), 100u);
    EXPECT_TRUE(writer.has(picture(99)));
    add(writer, 100, 140);
  }
  FeatureWriter writer(path(), {kMaker, true});
  EXPECT_EQ(writer.kept(), 100u);
  EXPECT_EQ(writer.continued(), 40u);
  add(writer, 140, 160);
  writer.finish({});
  // The .npy has no classes, which its file does not hold either.
  EXPECT_EQ(bytes_of(path()), bytes_of(path("whole")));
}

TEST_P(Writing, AppendingToNothingBegins) {
  FeatureWriter writer(path(), {kMaker, true});
  EXPECT_EQ(writer.kept(), 0u);
  add(writer, 0, 3);
  writer.finish({});
  EXPECT_TRUE(std::filesystem::exists(path()));
}

/// A file that grows begins with its own rows: those of a run that was to write it anew are no part of it.
TEST_P(Writing, AppendingDoesNotGoOnWithARunThatWroteAnew) {
  whole(path(), 10);
  {
    FeatureWriter writer(path(), {kMaker});
    add(writer, 50, 60);
  }
  FeatureWriter writer(path(), {kMaker, true});
  EXPECT_EQ(writer.rows(), 10u);
  EXPECT_EQ(writer.kept(), 10u);
  EXPECT_EQ(writer.discarded(), 10u);
  EXPECT_TRUE(writer.has(picture(0)) && !writer.has(picture(59)));
}

TEST_P(Writing, MoreThanAnArchiveHoldsIsRefusedBeforehand) {
  if (std::string(GetParam()) != ".npz") return;
  EXPECT_THROW(FeatureWriter(path(), {kMaker, false, size_t{1} << 32, {"a.jpg"}}), Error);
  EXPECT_TRUE(files().empty());
}

/// What an interrupted run left of other pictures is no part of this file.
TEST_P(Writing, OnlyWantedPicturesAreContinued) {
  {
    FeatureWriter writer(path(), {kMaker});
    add(writer, 0, 90);
  }
  std::vector<std::string> wanted;
  for (size_t i = 80; i < 100; ++i) wanted.push_back(picture(i));
  FeatureWriter writer(path(), {kMaker, false, 3, wanted});
  EXPECT_EQ(writer.continued(), 10u);
  EXPECT_EQ(writer.discarded(), 80u);
  EXPECT_FALSE(writer.has(picture(79)));
  add(writer, 90, 100);
  writer.finish({});
  size_t i = 80;
  read_features(
      path(), [](const std::string&) {},
      [&](const FeatureRow& r) {
        EXPECT_EQ(r.path, picture(i));
        EXPECT_EQ(std::vector<float>(r.features.begin(), r.features.end()), row(i++));
      });
  EXPECT_EQ(i, 100u);
}

TEST_P(Writing, WhatWasToBeAppendedIsNoBeginningOfAnother) {
  whole(path(), 70);
  {
    FeatureWriter writer(path(), {kMaker, true});
    add(writer, 70, 140);
  }
  FeatureWriter writer(path(), {kMaker});
  EXPECT_EQ(writer.rows(), 0u);
  EXPECT_EQ(writer.discarded(), 70u);
}

TEST_P(Writing, NamesThatAreNoTextStayTheSame) {
  const std::string odd = "caf\xe9\n.jpg";
  {
    FeatureWriter writer(path(), {kMaker});
    for (size_t i = 0; i < 64; ++i) writer.add(i == 3 ? odd : picture(i), "", row(i));
  }
  FeatureWriter writer(path(), {kMaker});
  EXPECT_EQ(writer.continued(), 64u);
  EXPECT_TRUE(writer.has(odd));
  if (std::string(GetParam()) != ".csv") return;
  writer.finish({});
  EXPECT_TRUE(FeatureWriter(path(), {kMaker, true}).has(odd));
}

TEST_P(Writing, AChangedPictureIsNotContinued) {
  const std::string one = (folder_ / "one.jpg").string(), other = (folder_ / "other.jpg").string();
  std::ofstream(one) << "one";
  std::ofstream(other) << "other";
  {
    FeatureWriter writer(path(), {kMaker});
    writer.add(one, "", row(0));
    writer.add(other, "", row(1));
  }
  std::ofstream(one) << "something else";
  FeatureWriter writer(path(), {kMaker});
  EXPECT_EQ(writer.continued(), 1u);
  EXPECT_EQ(writer.discarded(), 1u);
  EXPECT_FALSE(writer.has(one));
  EXPECT_TRUE(writer.has(other));
}

/// Nothing stays behind that a later run could take for a beginning.
TEST_P(Writing, ARefusedAppendLeavesNothing) {
  whole(path(), 4);
  const std::vector<std::string> before = files();
  EXPECT_THROW(FeatureWriter(path(), {kMaker, true, 5}), Error);
  EXPECT_EQ(files(), before);
  const std::string content = bytes_of(path());
  std::ofstream(path(), std::ios::binary | std::ios::trunc) << content.substr(0, content.size() - content.size() / 3);
  EXPECT_THROW(FeatureWriter(path(), {kMaker, true, 3}), Error);
  EXPECT_EQ(files(), before);
}

TEST_P(Writing, WhatDoesNotFitIsRefused) {
  whole(path(), 4);
  EXPECT_THROW(FeatureWriter(path(), {kMaker, true}).add("x.jpg", "", std::vector<float>{1}), Error);
  if (std::string(GetParam()) == ".npz") {
    EXPECT_THROW(FeatureWriter(path(), {"another", true}), Error);
  }
  EXPECT_THROW(FeatureWriter((folder_ / "f.txt").string(), {kMaker}), Error);
  EXPECT_THROW(FeatureWriter((folder_ / "none" / "f.npy").string(), {kMaker}), Error);
  FeatureWriter first(path("other"), {kMaker});
  EXPECT_THROW(FeatureWriter(path("other"), {kMaker}), Error);
}

TEST_P(Writing, WithoutRowsNothingIsWritten) {
  {
    FeatureWriter writer(path(), {kMaker});
    EXPECT_THROW(writer.finish({}), Error);
  }
  EXPECT_TRUE(files().empty());
}

TEST_P(Writing, ClassesAreNumberedAsTheModelDoesWhereItKnowsAny) {
  FeatureWriter writer(path(), {kMaker});
  add(writer, 0, 6);
  EXPECT_EQ(writer.classes({}), (std::vector<std::string>{"bee", "wolf"}));
  EXPECT_EQ(writer.features({}).labels, (std::vector<int64_t>{0, 1, -1, 0, 1, -1}));
  EXPECT_EQ(writer.features({"ant", "wolf"}).labels, (std::vector<int64_t>{-1, 1, -1, -1, 1, -1}));
  EXPECT_EQ(writer.features({}).values.size(), 18u);
}

INSTANTIATE_TEST_SUITE_P(Formats, Writing, ::testing::Values(".npy", ".npz", ".csv"),
                         [](const auto& format) { return std::string(format.param).substr(1); });

}  // namespace
}  // namespace graft
