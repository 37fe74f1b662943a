#include "runtime/core/npy.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "runtime/core/error.h"

namespace graft {
namespace {

class NpyTest : public ::testing::Test {
 protected:
  ~NpyTest() override { std::filesystem::remove(path_); }

  /// A file of two floats whose header says `dictionary`, as NumPy's format document lays it out.
  void write(int version, const std::string& dictionary) const {
    std::ofstream stream(path_, std::ios::binary);
    stream << "\x93NUMPY" << static_cast<char>(version) << '\0';
    for (int byte = 0; byte < (version == 1 ? 2 : 4); ++byte)
      stream << static_cast<char>(dictionary.size() >> (8 * byte));
    const float elements[] = {1.5f, -2};
    stream << dictionary;
    stream.write(reinterpret_cast<const char*>(elements), sizeof elements);
  }
  std::string refusal() const {
    try {
      read_npy(path_);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  const std::string path_ =
      (std::filesystem::temp_directory_path() / ("graft_npy_" + std::to_string(::getpid()) + ".npy")).string();
};

constexpr char kPair[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";

TEST_F(NpyTest, ReadsWhatItWrote) {
  write_npy(path_, Tensor::of<float>({2, 2}, {1, 2, 3, 4}));
  const Tensor t = read_npy(path_);
  EXPECT_EQ(t.shape(), Shape({2, 2}));
  EXPECT_EQ(std::vector<float>(t.data<float>().begin(), t.data<float>().end()), std::vector<float>({1, 2, 3, 4}));
  EXPECT_EQ(read_npy_shape(path_), Shape({2, 2}));
}

TEST_F(NpyTest, ReadsSmallElements) {
  write_npy(path_, cast(Tensor::of<float>({3}, {1.5f, -2, 65504}), DType::f16));
  const Tensor halves = read_npy(path_);
  ASSERT_EQ(halves.dtype(), DType::f32);
  EXPECT_EQ(std::vector<float>(halves.data<float>().begin(), halves.data<float>().end()),
            std::vector<float>({1.5f, -2, 65504}));
  write_npy(path_, Tensor::of<int8_t>({2}, {-128, 127}));
  const Tensor bytes = read_npy(path_);
  EXPECT_EQ(std::vector<int8_t>(bytes.data<int8_t>().begin(), bytes.data<int8_t>().end()),
            std::vector<int8_t>({-128, 127}));
}

TEST_F(NpyTest, ReadsVersionsOneToThree) {
  for (const int version : {1, 2, 3}) {
    write(version, kPair);
    const Tensor t = read_npy(path_);
    EXPECT_EQ(t.shape(), Shape({2})) << version;
    EXPECT_EQ(t.data<float>()[0], 1.5f) << version;
    EXPECT_EQ(t.data<float>()[1], -2.0f) << version;
  }
  write(4, kPair);
  EXPECT_NE(refusal().find("version 4, 1 to 3 are read"), std::string::npos) << refusal();
}

TEST_F(NpyTest, SaysWhatItCannotRead) {
  write(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }");
  EXPECT_NE(refusal().find("is truncated"), std::string::npos) << refusal();
  write(1, "{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }");
  EXPECT_NE(refusal().find("elements of type <c8"), std::string::npos) << refusal();
  write(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (2,), }");
  EXPECT_NE(refusal().find("Fortran order"), std::string::npos) << refusal();
  write(1, "{'descr': '<f4', 'fortran_order': False, }");
  EXPECT_NE(refusal().find("no shape"), std::string::npos) << refusal();
}

}  // namespace
}  // namespace graft
