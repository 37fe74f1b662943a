#include "graft/compare.h"

#include <gtest/gtest.h>

#include "graft/error.h"

namespace graft {
namespace {

/// Two classes; `right` says of each picture whether the answer is.
Evaluation answers(const std::vector<bool>& right, double loss) {
  Evaluation e;
  e.classes = {"a", "b"};
  for (size_t i = 0; i < right.size(); ++i)
    e.predictions.push_back({.file = i, .truth = 0, .answer = right[i] ? 0 : 1, .loss = right[i] ? 0.1 : loss});
  e.pictures = static_cast<int64_t>(right.size());
  return e;
}

TEST(Compare, FewDifferencesAreChanceAndManyAreNot) {
  const std::vector<LabelledFile> files(100, {"picture", 0});
  std::vector<bool> all(100, true), few = all, many = all;
  few[3] = few[7] = false;
  for (size_t i = 0; i < 30; ++i) many[i] = false;
  const Comparison small = compare(answers(few, 2), answers(all, 2), files),
                   large = compare(answers(many, 2), answers(all, 2), files);
  EXPECT_NEAR(small.score.value, 0.02, 1e-12);
  EXPECT_FALSE(small.score.beyond_chance());
  EXPECT_EQ(small.only_second_right, 2u);
  EXPECT_EQ(small.only_first_right, 0u);
  EXPECT_EQ(small.differ, (std::vector<size_t>{3, 7}));
  EXPECT_NEAR(large.score.value, 0.3, 1e-12);
  EXPECT_TRUE(large.score.beyond_chance());
  // 30 of 100: the binomial's standard error is 4.6 points.
  EXPECT_NEAR(large.score.interval.low, 0.3 - 1.96 * 0.0458, 0.02);
  EXPECT_NEAR(large.score.interval.high, 0.3 + 1.96 * 0.0458, 0.02);
  EXPECT_NEAR(large.loss.value, -0.3 * 1.9, 1e-12);
  EXPECT_TRUE(large.loss.beyond_chance());
}

TEST(Compare, PairsPicturesThatBothCouldRead) {
  const std::vector<LabelledFile> files(4, {"picture", 0});
  Evaluation first = answers({true, true, false, true}, 1), second = answers({true, false, false, true}, 1);
  first.predictions.erase(first.predictions.begin());
  const Comparison c = compare(first, second, files);
  EXPECT_EQ(c.pictures, 3u);
  EXPECT_EQ(c.only_first_right, 1u);
  EXPECT_EQ(c.differ, (std::vector<size_t>{1}));
  second.predictions.clear();
  EXPECT_THROW(compare(first, second, files), Error);
  second = answers({true}, 1);
  second.classes = {"a", "c"};
  EXPECT_THROW(compare(first, second, files), Error);
  second.task = Task::regression;
  EXPECT_THROW(compare(first, second, files), Error);
}

TEST(Compare, OfMeasuredValuesIsTheirError) {
  std::vector<LabelledFile> files(10);
  Evaluation first, second;
  first.task = second.task = Task::regression;
  first.classes = second.classes = {"x", "y"};
  for (size_t i = 0; i < files.size(); ++i) {
    files[i] = {"picture", 0, {1, 2}};
    first.predictions.push_back({.file = i, .loss = 1, .values = {2, 2}});
    second.predictions.push_back({.file = i, .loss = 0.5, .values = {1.5f, 2}});
  }
  const Comparison c = compare(first, second, files);
  EXPECT_NEAR(c.score.value, -0.25, 1e-9);
  EXPECT_TRUE(c.score.beyond_chance());
  EXPECT_TRUE(c.differ.empty());
}

TEST(Compare, LabelsDifferWhereAnswersDoThoughBothAreWrong) {
  const std::vector<LabelledFile> files(2, {"picture", 0, {1, 0, 0}});
  Evaluation first, second;
  first.task = second.task = Task::multi_label;
  first.classes = second.classes = {"x", "y", "z"};
  first.of_labels.emplace().per_label.resize(3);
  second.of_labels.emplace().per_label.resize(3);
  for (size_t i = 0; i < 2; ++i) {
    first.predictions.push_back({.file = i, .values = {0.9f, 0.9f, 0.1f}});
    second.predictions.push_back({.file = i, .values = {0.9f, i == 0 ? 0.1f : 0.8f, i == 0 ? 0.9f : 0.1f}});
  }
  const Comparison c = compare(first, second, files);
  EXPECT_EQ(c.differ, (std::vector<size_t>{0}));
  EXPECT_EQ(c.only_first_right + c.only_second_right, 0u);
  second.classes = {"x", "z", "y"};
  EXPECT_THROW(compare(first, second, files), Error);
  second.classes = first.classes;
  second.predictions[0].values.pop_back();
  EXPECT_THROW(compare(first, second, files), Error);
  EXPECT_THROW(compare(first, first, {files[0]}), Error);
}

TEST(IsRight, KnowsThresholdsOfLabels) {
  Evaluation e;
  e.task = Task::multi_label;
  e.of_labels.emplace();
  e.of_labels->per_label.resize(2);
  e.of_labels->per_label[0].threshold = 0.2;
  const LabelledFile file{"picture", 0, {1, 0}};
  EXPECT_TRUE(is_right({.values = {0.3f, 0.4f}}, file, e));
  EXPECT_TRUE(is_right({.values = {0.2f, 0.49f}}, file, e));
  EXPECT_FALSE(is_right({.values = {0.2f, 0.5f}}, file, e));  // reaches it
  EXPECT_FALSE(is_right({.values = {0.1f, 0.4f}}, file, e));
}

}  // namespace
}  // namespace graft
