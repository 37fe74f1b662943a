#include "apps/library/label_file.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "runtime/core/error.h"

namespace graft {
namespace {

namespace fs = std::filesystem;

LabelFile read(const std::string& text) {
  const fs::path path = fs::temp_directory_path() / ("graft_labels_" + std::to_string(::getpid()));
  std::ofstream(path, std::ios::binary) << text;
  struct Remove {
    const fs::path& path;
    ~Remove() { fs::remove(path); }
  } remove{path};
  return read_label_file(path.string());
}

std::string error_of(const std::string& text) {
  try {
    read(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

const std::vector<std::string> kNames{"cat", "sea lion", "7-eleven"};

TEST(LabelFile, HoldsANameALineWithEndsOfAnyKind) {
  for (const char* text : {"cat\nsea lion\n7-eleven\n", "cat\r\nsea lion\r\n7-eleven", "cat\rsea lion\r7-eleven\r",
                           "\xef\xbb\xbf"
                           "cat\nsea lion\n7-eleven\n\n  \n"}) {
    const LabelFile file = read(text);
    EXPECT_EQ(file.names, kNames) << text;
    EXPECT_EQ(file.form, "");
  }
}

TEST(LabelFile, IndicesSayTheOrder) {
  for (const char* text : {"0,cat\n1,sea lion\n2,7-eleven\n", "2;7-eleven\n1;sea lion\n0;cat\n",
                           "1: cat\n2: sea lion\n3: 7-eleven\n", "index\tname\n0\tcat\n1\tsea lion\n2\t7-eleven\n",
                           "0 cat\n1 sea lion\n2 7-eleven\n", "cat,0\nsea lion,1\n7-eleven,2\n"}) {
    const LabelFile file = read(text);
    EXPECT_EQ(file.names, kNames) << text;
    EXPECT_NE(file.form, "");
  }
}

TEST(LabelFile, NumbersThatAreNoIndicesArePartOfTheNames) {
  EXPECT_EQ(read("3 wheeler\n4 wheeler\n").names, (std::vector<std::string>{"3 wheeler", "4 wheeler"}));
  EXPECT_EQ(read("0\n1\n").names, (std::vector<std::string>{"0", "1"}));
}

TEST(LabelFile, NumbersThatTellNamesApartStay) {
  const std::vector<std::string> coins{"1 euro", "2 euro"};
  EXPECT_EQ(read("1 euro\n2 euro\n").names, coins);
  EXPECT_EQ(read("background\n1 cat\n2 dog\n").names, (std::vector<std::string>{"background", "1 cat", "2 dog"}));
  EXPECT_EQ(read("[unknown]\ncat\n").names, (std::vector<std::string>{"[unknown]", "cat"}));
  EXPECT_EQ(read(R"({"labels": 0, "cat": 1})").names, (std::vector<std::string>{"labels", "cat"}));
}

TEST(LabelFile, JsonNamesThemInManyForms) {
  for (const char* text : {R"(["cat", "sea lion", "7-eleven"])", R"({"0": "cat", "2": "7-eleven", "1": "sea lion"})",
                           R"({"cat": 0, "sea lion": 1, "7-eleven": 2})",
                           R"({"id2label": {"0": "cat", "1": "sea lion", "2": "7-eleven"}})",
                           R"({"0": ["n01", "cat"], "1": ["n02", "sea lion"], "2": ["n03", "7-eleven"]})",
                           R"({"classes": ["cat", "sea lion", "7-eleven"]})"})
    EXPECT_EQ(read(text).names, kNames) << text;
}

TEST(LabelFile, SynsetNumbersAreNoPartOfTheNames) {
  EXPECT_EQ(read("n02123045 cat\nn02077923 sea lion\nn00000007 7-eleven\n").names, kNames);
}

TEST(LabelFile, SaysWhatCannotBeRead) {
  EXPECT_NE(error_of("['cat', 'dog']").find("is no JSON that names classes"), std::string::npos);
  EXPECT_NE(error_of(R"({"0": "cat", "2": "dog"})").find("is no JSON that names classes"), std::string::npos);
  EXPECT_NE(error_of("cat\n\ndog\n").find("name 2 is empty"), std::string::npos);
  EXPECT_NE(error_of("caf\xe9\n").find("is no UTF-8"), std::string::npos);
  EXPECT_NE(error_of(std::string("\xff\xfe"
                                 "c\0a\0",
                                 6))
                .find("is UTF-16"),
            std::string::npos);
}

}  // namespace
}  // namespace graft
