#include "runtime/core/npz.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "runtime/core/atomic_file.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

class Npz : public ::testing::Test {
 protected:
  ~Npz() override { std::filesystem::remove(path_); }
  const std::string path_ =
      (std::filesystem::temp_directory_path() / ("graft_npz_" + std::to_string(::getpid()) + ".npz")).string();
};

TEST_F(Npz, ReadsWhatItWrote) {
  const std::vector<std::string> texts{"plain",
                                       "",
                                       "\xc3\xa9t\xc3\xa9 \xe5\xb1\xb1 \xf0\x9f\x90\x9c",
                                       "a, \"b\"",
                                       "x\xff.jpg",
                                       "x\xfe.jpg",
                                       "\xc3(",
                                       "cut \xe5\xb1"};
  const Tensor labels = Tensor::of<int64_t>({3}, {-1, 0, int64_t{1} << 40});
  write_atomically(path_, [&](std::ostream& stream) {
    NpzWriter writer(stream, path_);
    writer.add("rows", {3, 2}, [](const NpzWriter::Values& add) {
      for (int i = 0; i < 3; ++i) {
        const float row[2] = {static_cast<float>(i), 0.5f};
        add(row);
      }
    });
    writer.add("labels", labels);
    writer.add("texts", texts);
    writer.add("none", std::vector<std::string>{});
    writer.finish();
  });
  NpzReader reader(path_);
  EXPECT_EQ(reader.texts("texts"), texts);
  EXPECT_TRUE(reader.texts("none").empty());
  EXPECT_EQ(reader.shape("rows"), Shape({3, 2}));
  const Tensor read = reader.tensor("labels");
  EXPECT_EQ(std::vector<int64_t>(read.data<int64_t>().begin(), read.data<int64_t>().end()),
            (std::vector<int64_t>{-1, 0, int64_t{1} << 40}));
  std::vector<float> rows;
  reader.rows("rows", [&](std::span<const float> row) { rows.insert(rows.end(), row.begin(), row.end()); });
  EXPECT_EQ(rows, (std::vector<float>{0, 0.5f, 1, 0.5f, 2, 0.5f}));
  EXPECT_FALSE(reader.has("others"));
  EXPECT_THROW(reader.tensor("others"), Error);
  EXPECT_THROW(reader.rows("labels", [](std::span<const float>) {}), Error);
  EXPECT_THROW(reader.texts("rows"), Error);
}

TEST_F(Npz, WhatIsTruncatedOrForeignIsAnError) {
  const Tensor values = Tensor::zeros(DType::f32, {100, 10});
  write_npz(path_, {{"values", &values}}, {});
  std::filesystem::resize_file(path_, 2000);
  EXPECT_THROW(NpzReader reader(path_), Error);
  std::ofstream(path_, std::ios::binary | std::ios::trunc) << "no archive at all, but long enough for a header";
  EXPECT_THROW(NpzReader reader(path_), Error);
  EXPECT_THROW(NpzReader reader(path_ + ".none"), Error);
}

TEST_F(Npz, AnArrayOfAnotherSizeThanSaidIsAnError) {
  EXPECT_THROW(write_atomically(path_,
                                [&](std::ostream& stream) {
                                  NpzWriter writer(stream, path_);
                                  writer.add("rows", {3, 2}, [](const NpzWriter::Values&) {});
                                }),
               Error);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

}  // namespace
}  // namespace graft
