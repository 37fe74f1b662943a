#include "finetune/features/feature_files.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "finetune/features/feature_cache.h"
#include "runtime/core/random.h"
#include "runtime/cpu/cpu_backend.h"
#include "runtime/ops/unary.h"

namespace graft {
namespace {

namespace fs = std::filesystem;

constexpr size_t kWidth = 5;

class FeatureFilesTest : public testing::Test {
 protected:
  FeatureFilesTest() { fs::remove_all(folder_); }
  ~FeatureFilesTest() override { fs::remove_all(folder_); }

  FeatureFiles::Settings settings(uint64_t limit = uint64_t{1} << 30) const {
    return {folder_.string(), limit, "a test", [](const Graph& graph) {
              return std::vector<std::optional<ContentKey>>(
                  graph.outputs.size(),
                  ContentHasher().add(std::string_view(graph.value(graph.outputs[0]).name)).key());
            }};
  }
  /// Of one output, whose name stands for what computes it.
  static Graph trunk(const std::string& name) {
    Graph g;
    g.outputs = {g.add_input(name, DType::f32, {1, static_cast<int64_t>(kWidth)})};
    return g;
  }
  static ContentKey picture(size_t i) { return ContentHasher().add(i).key(); }
  static std::vector<float> row(size_t i) {
    std::vector<float> values;
    for (size_t j = 0; j < kWidth; ++j) values.push_back(static_cast<float>(10 * i + j));
    return values;
  }
  static void keep(FeatureFiles& files, const std::string& name, size_t first, size_t last) {
    const auto table = files.open(trunk(name), {1, 8, 8}, {kWidth});
    ASSERT_TRUE(table);
    for (size_t i = first; i < last; ++i) table->add(picture(i), row(i).data());
  }
  static size_t found(FeatureFiles& files, const std::string& name, size_t first, size_t last) {
    const auto table = files.open(trunk(name), {1, 8, 8}, {kWidth});
    if (!table) return 0;
    size_t count = 0;
    for (size_t i = first; i < last; ++i) {
      std::vector<float> values(kWidth, -1);
      if (!table->read(picture(i), values.data())) continue;
      EXPECT_EQ(values, row(i));
      ++count;
    }
    return count;
  }
  fs::path path_of(const char* ending) const {
    for (const auto& entry : fs::directory_iterator(folder_))
      if (entry.path().extension() == ending) return entry.path();
    return {};
  }

  const fs::path folder_ = fs::temp_directory_path() / ("graft_feature_files_" + std::to_string(::getpid()));
};

TEST_F(FeatureFilesTest, KeepsRowsFromOneRunToTheNext) {
  {
    FeatureFiles files(settings());
    EXPECT_EQ(found(files, "trunk", 0, 3), 0u);
    keep(files, "trunk", 0, 30);
    keep(files, "other", 0, 1);
    EXPECT_EQ(files.kept(), 31u);
    EXPECT_EQ(found(files, "trunk", 0, 40), 30u);
    EXPECT_EQ(files.found(), 0u);  // they are its own
  }
  FeatureFiles files(settings());
  EXPECT_EQ(found(files, "trunk", 0, 40), 30u);
  EXPECT_EQ(found(files, "other", 0, 40), 1u);
  EXPECT_EQ(files.found(), 31u);
  EXPECT_EQ(files.trouble(), "");
}

TEST_F(FeatureFilesTest, OtherSizesAndBackendsHaveRowsOfTheirOwn) {
  FeatureFiles files(settings());
  keep(files, "trunk", 0, 2);
  std::vector<float> values(kWidth);
  EXPECT_FALSE(files.open(trunk("trunk"), {1, 16, 8}, {kWidth})->read(picture(0), values.data()));
  EXPECT_FALSE(files.open(trunk("trunk"), {2, 8, 8}, {kWidth})->read(picture(0), values.data()));  // other last bits
  FeatureFiles::Settings elsewhere = settings();
  elsewhere.computed_by = "another";
  FeatureFiles others(elsewhere);
  EXPECT_EQ(found(others, "trunk", 0, 2), 0u);
}

TEST_F(FeatureFilesTest, WhatAKilledWriterLeftIsWrittenOver) {
  FeatureFiles files(settings());
  keep(files, "trunk", 0, 10);
  // Half a row without a key, and half a key.
  std::ofstream(path_of(".rows"), std::ios::app) << "half a row";
  std::ofstream(path_of(".keys"), std::ios::app) << "half a key";
  EXPECT_EQ(found(files, "trunk", 0, 10), 10u);
  keep(files, "trunk", 10, 20);
  EXPECT_EQ(found(files, "trunk", 0, 20), 20u);
}

TEST_F(FeatureFilesTest, DamagedRowsAreNotRead) {
  FeatureFiles files(settings());
  keep(files, "trunk", 0, 10);
  {
    std::fstream rows(path_of(".rows"), std::ios::in | std::ios::out | std::ios::binary);
    rows.seekp(3 * kWidth * sizeof(float) + 1);
    rows.put('\x7f');
  }
  EXPECT_EQ(found(files, "trunk", 0, 10), 9u);
  keep(files, "trunk", 3, 4);
  EXPECT_EQ(found(files, "trunk", 0, 10), 10u);
  fs::resize_file(path_of(".rows"), 4 * kWidth * sizeof(float));  // the power went before the rows were there
  EXPECT_EQ(found(files, "trunk", 0, 10), 3u);
}

TEST_F(FeatureFilesTest, WhatMayOnlyBeReadIsRead) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  {
    FeatureFiles files(settings());
    keep(files, "trunk", 0, 10);
    keep(files, "other", 0, 5);
  }
  for (const auto& entry : fs::directory_iterator(folder_)) fs::permissions(entry.path(), fs::perms::owner_read);
  FeatureFiles files(settings());
  EXPECT_EQ(found(files, "trunk", 0, 10), 10u);
  EXPECT_EQ(found(files, "other", 0, 10), 5u);
  EXPECT_NE(files.trouble().find("only read"), std::string::npos) << files.trouble();
}

TEST_F(FeatureFilesTest, ForeignFilesAreLeftAloneAndTold) {
  FeatureFiles files(settings());
  keep(files, "trunk", 0, 1);
  std::ofstream(path_of(".keys")) << std::string(200, 'x');
  EXPECT_FALSE(files.open(trunk("trunk"), {1, 8, 8}, {kWidth}));
  EXPECT_NE(files.trouble().find("is not what graft keeps there"), std::string::npos) << files.trouble();
  FeatureFiles nowhere({"/dev/null/features", 1 << 20, "a test", settings().output_keys});
  EXPECT_FALSE(nowhere.open(trunk("trunk"), {1, 8, 8}, {kWidth}));
  EXPECT_NE(nowhere.trouble().find("/dev/null/features"), std::string::npos) << nowhere.trouble();
}

TEST_F(FeatureFilesTest, TheLimitTakesWhatWasNotUsedForLongest) {
  constexpr size_t kRows = 100;
  const uint64_t bytes = kRows * (kWidth * sizeof(float) + 24) + 64;
  FeatureFiles files(settings(2 * bytes + bytes / 2));
  keep(files, "first", 0, kRows);
  keep(files, "second", 0, kRows);
  const auto long_ago = fs::file_time_type::clock::now() - std::chrono::hours(2);
  for (const auto& entry : fs::directory_iterator(folder_)) fs::last_write_time(entry.path(), long_ago);
  EXPECT_EQ(found(files, "first", 0, 1), 1u);  // used now
  keep(files, "third", 0, kRows);
  EXPECT_EQ(found(files, "first", 0, kRows), kRows);
  EXPECT_EQ(found(files, "second", 0, kRows), 0u);
  EXPECT_EQ(found(files, "third", 0, kRows), kRows);
  // What does not fit at all is not kept.
  keep(files, "fourth", 0, 10 * kRows);
  EXPECT_EQ(found(files, "fourth", 0, 10 * kRows), 0u);
  EXPECT_NE(files.trouble().find("KiB that they may"), std::string::npos) << files.trouble();
}

TEST_F(FeatureFilesTest, SeveralProgramsAppendAtOnce) {
  constexpr size_t kPrograms = 4, kRows = 50;
  FeatureFiles files(settings());
  keep(files, "trunk", 0, 0);
  for (size_t p = 0; p < kPrograms; ++p) {
    if (::fork() != 0) continue;
    const auto table = files.open(trunk("trunk"), {1, 8, 8}, {kWidth});
    for (size_t i = p * kRows; i < (p + 1) * kRows; ++i) {
      table->add(picture(i), row(i).data());
      table->flush();
    }
    ::_exit(0);
  }
  while (::wait(nullptr) > 0) {
  }
  EXPECT_EQ(found(files, "trunk", 0, kPrograms * kRows), kPrograms * kRows);
}

/// Counts what it is asked for: sample i is a picture of i everywhere.
class CountingSource final : public SampleSource {
 public:
  int64_t size() const override { return 12; }
  int label(int64_t) const override { return 0; }
  std::unique_ptr<SampleStream> stream(std::vector<SampleRef> order, size_t batch) const override {
    class Stream final : public SampleStream {
     public:
      Stream(std::vector<SampleRef> order, size_t batch)
          : order_(std::move(order)), pixels_(batch * 3), errors_(batch) {}
      bool next(SampleBatch& batch) override {
        if (at_ == order_.size()) return false;
        const size_t count = std::min(errors_.size(), order_.size() - at_);
        for (size_t i = 0; i < count; ++i) {
          const SampleRef& ref = order_[at_ + i];
          std::fill_n(pixels_.data() + i * 3, 3, static_cast<float>(ref.index) + 100 * static_cast<float>(ref.variant));
          errors_[i] = ref.index == 5 ? "picture 5 cannot be read" : "";
        }
        at_ += count;
        batch = {pixels_.data(), count, 3, errors_, {}};
        return true;
      }

     private:
      std::vector<SampleRef> order_;
      std::vector<float> pixels_;
      std::vector<std::string> errors_;
      size_t at_ = 0;
    };
    asked += order.size();
    return std::make_unique<Stream>(std::move(order), batch);
  }
  std::vector<std::optional<ContentKey>> content_keys(const std::vector<SampleRef>& samples) const override {
    std::vector<std::optional<ContentKey>> keys;
    for (const SampleRef& ref : samples) keys.push_back(ContentHasher().add(ref.index).add(ref.variant).key());
    return keys;
  }
  mutable size_t asked = 0;
};

TEST_F(FeatureFilesTest, ACacheComputesWhatIsMissingAlone) {
  Graph trunk;
  const ValueId x = trunk.add_input("x", DType::f32, {kOpenDim, 3, 1, 1});
  trunk.outputs = {trunk.add("negative", make_unary(Unary::Kind::neg), {x})};
  const CountingSource source;
  const auto fill = [&](FeatureCache& cache, int64_t count, uint64_t last) {
    FeatureFiles files(settings());
    source.asked = 0;
    int64_t done = 0;
    cache.fill(trunk, {4, 1, 1}, cpu_backend(), 1, source, samples_in_variants(count, 0, last), 4, &files,
               [&](int64_t n) { done = n; });
    EXPECT_EQ(done, count * static_cast<int64_t>(last + 1));
  };
  FeatureCache first, second, third;
  fill(first, 8, 0);
  EXPECT_EQ(source.asked, 8u);
  fill(second, 12, 1);
  EXPECT_EQ(source.asked, 17u);  // 7 of 24 were there: the eighth cannot be read, and is asked for again
  fill(third, 12, 1);
  EXPECT_EQ(source.asked, 2u);
  EXPECT_EQ(third.failures().size(), 1u);
  for (uint64_t variant : {0u, 1u})
    for (const int64_t i : third.samples()) {
      std::vector<float> values(3);
      third.copy(0, {i, variant}, values.data());
      EXPECT_EQ(values[2], -(static_cast<float>(i) + 100 * static_cast<float>(variant)));
    }
}

}  // namespace
}  // namespace graft
