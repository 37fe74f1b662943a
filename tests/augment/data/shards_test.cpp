#include "augment/data/shards.h"

#include <cstring>

#include "augment/data/tar_archive.h"
#include "augment/decode.h"
#include "tests/augment/data/data_folder.h"

namespace graft {
namespace {

class Shards : public DataFolder {
 protected:
  struct File {
    std::string name, content;
  };
  std::string png(uint8_t value) const {
    Image image(2, 2);
    std::fill(image.pixels.begin(), image.pixels.end(), value);
    write_image(image, path("one.png"));
    std::ifstream stream(path("one.png"), std::ios::binary);
    std::string bytes(std::istreambuf_iterator<char>(stream), {});
    std::filesystem::remove(path("one.png"));
    return bytes;
  }
  static void set_checksum(std::string& header) {
    std::memset(header.data() + 148, ' ', 8);
    unsigned sum = 0;
    for (const char c : header) sum += static_cast<unsigned char>(c);
    std::snprintf(header.data() + 148, 8, "%06o", sum);
  }
  static std::string header_of(const std::string& name, size_t size, char type = '0') {
    std::string header(512, '\0');
    name.copy(header.data(), 100);
    std::snprintf(header.data() + 124, 12, "%011o", static_cast<unsigned>(size));
    header[156] = type;
    std::memcpy(header.data() + 257, "ustar\00000", 8);
    set_checksum(header);
    return header;
  }
  static std::string padded(std::string content) {
    content.resize((content.size() + 511) / 512 * 512, '\0');
    return content;
  }
  void tar(const std::string& name, const std::vector<File>& files) const {
    std::string bytes;
    for (const File& file : files) bytes += header_of(file.name, file.content.size()) + padded(file.content);
    text(name, bytes + std::string(1024, '\0'));
  }
};

TEST_F(Shards, LabelsStandBesidePictures) {
  tar("d/train-0.tar", {{"a/0.png", png(10)},
                        {"a/0.cls", "7\n"},
                        {"a/1.png", png(20)},
                        {"a/1.json", R"({"label": 12})"},
                        {"a/1.txt", "a caption"}});
  tar("d/val-0.tar", {{"2.png", png(30)}, {"2.cls", "7"}, {"3.png", png(40)}, {"3.json", R"({"class": "12"})"}});
  ASSERT_TRUE(holds_shards(path("d")));
  const Dataset data = read_dataset(path("d"));
  EXPECT_EQ(data.classes, (std::vector<std::string>{"7", "12"}));
  EXPECT_EQ(named(data, data.train), (Names{"7:d/train-0.tar/a/0.png", "12:d/train-0.tar/a/1.png"}));
  EXPECT_EQ(named(data, data.validation), (Names{"7:d/val-0.tar/2.png", "12:d/val-0.tar/3.png"}));
  EXPECT_TRUE(data.ignored.empty());
  EXPECT_EQ(decode_image(path("d/train-0.tar/a/1.png")).pixels[0], 20);
  EXPECT_NE(error_of([&] { decode_image(path("d/train-0.tar/a/9.png")); }).find("is not in the archive"),
            std::string::npos);
}

TEST_F(Shards, FoldersInArchivesAreClasses) {
  tar("set.tar", {{"set/ant/0.png", png(1)},
                  {"set/ant/1.png", png(80)},
                  {"set/bee/0.png", png(160)},
                  {"set/bee/1.png", png(240)},
                  {"set/readme.md", "x"}});
  const Dataset data = read_dataset(path("set.tar"));
  EXPECT_EQ(data.classes, (std::vector<std::string>{"ant", "bee"}));
  EXPECT_EQ(data.train.size() + data.validation.size(), 4u);
  ASSERT_EQ(data.ignored.size(), 1u);
  EXPECT_NE(data.ignored[0].find("readme.md"), std::string::npos);
  ASSERT_FALSE(data.notes.empty());
  EXPECT_NE(data.notes[0].find("folders in the archives"), std::string::npos);
}

TEST_F(Shards, ArchivesAreClassesWhereNothingElseIs) {
  tar("d/n01.tar", {{"0.png", png(1)}, {"1.png", png(60)}});
  tar("d/n02.tar", {{"0.png", png(120)}, {"1.png", png(180)}});
  const Dataset data = read_dataset(path("d"));
  EXPECT_EQ(data.classes, (std::vector<std::string>{"n01", "n02"}));
}

TEST_F(Shards, PicturesWithoutALabelAreNamed) {
  tar("d.tar", {{"0.png", png(1)},
                {"0.cls", "a"},
                {"1.png", png(60)},
                {"1.cls", "b"},
                {"2.png", png(120)},
                {"3.png", png(200)},
                {"3.cls", "a"},
                {"4.png", png(250)},
                {"4.cls", "b"}});
  const Dataset data = read_dataset(path("d.tar"));
  ASSERT_EQ(data.skipped.size(), 1u);
  EXPECT_NE(data.skipped[0].find("2.png: has no label"), std::string::npos);
  tar("none.tar", {{"0.png", png(1)}, {"1.png", png(60)}});
  EXPECT_NE(error_of([&] { read_dataset(path("none.tar")); }).find("no picture in its archives has a label"),
            std::string::npos);
}

TEST_F(Shards, ArchivesAmongPicturesAreListed) {
  picture("d/a.png");
  tar("d/more.tar", {{"b.png", png(60)}, {"b.cls", "1"}, {"note.doc", "x"}});
  const PictureList list = list_pictures({path("d")});
  EXPECT_EQ(list.paths, (std::vector<std::string>{path("d/a.png"), path("d/more.tar/b.png")}));
  EXPECT_EQ(list.ignored.size(), 1u);
  EXPECT_EQ(list_pictures({path("d/more.tar")}).paths.size(), 1u);
}

TEST_F(Shards, LongNamesOfBothKinds) {
  const std::string longer(180, 'n'), pax = "path=" + longer + ".png\n";
  const std::string record = std::to_string(pax.size() + 4) + " " + pax;
  text("long.tar", header_of("pax", record.size(), 'x') + padded(record) + header_of("short", png(9).size()) +
                       padded(png(9)) + header_of("././@LongLink", longer.size() + 5, 'L') + padded(longer + ".jpg") +
                       header_of("x", 3) + padded("abc") + std::string(1024, '\0'));
  const auto entries = list_tar(path("long.tar"));
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].name, longer + ".png");
  EXPECT_EQ(entries[1].name, longer + ".jpg");
  EXPECT_EQ(read_from_tar({path("long.tar"), longer + ".jpg"}), (std::vector<uint8_t>{'a', 'b', 'c'}));
}

TEST_F(Shards, DamagedArchivesAreNamed) {
  text("no.tar", std::string(2000, 'x'));
  EXPECT_NE(error_of([&] { read_dataset(path("no.tar")); }).find("is no tar archive at byte 0"), std::string::npos);
  text("short.tar", header_of("a.png", 5000) + std::string(600, 'x'));
  EXPECT_NE(error_of([&] { list_tar(path("short.tar")); }).find("ends within a file"), std::string::npos);
  text("header.tar", header_of("a", 1) + padded("a") + std::string(100, 'x'));
  EXPECT_NE(error_of([&] { list_tar(path("header.tar")); }).find("ends within a header"), std::string::npos);
  std::string huge = header_of("a.png", 0);
  std::memcpy(huge.data() + 124, "77777777777", 12);
  set_checksum(huge);
  text("huge.tar", huge);
  EXPECT_NE(error_of([&] { list_tar(path("huge.tar")); }).find("ends within a file"), std::string::npos);
}

}  // namespace
}  // namespace graft
