#include "runtime/core/error.h"
#include "tests/augment/data/data_folder.h"

namespace graft {
namespace {

namespace fs = std::filesystem;

class ClassFolders : public DataFolder {
 protected:
  void part(const std::string& folder, int pictures = 1) const {
    for (const char* name : {"ants", "bees"})
      for (int i = 0; i < pictures; ++i) picture(folder + name + "/" + std::to_string(i) + ".png");
  }
};

TEST_F(ClassFolders, PartsHaveManyNamesInAnyCase) {
  for (const auto& [train, val, test] : {std::tuple{"Train", "Val", "Test"},
                                         {"training", "VALID", "testing"},
                                         {"TRAIN", "validation", "test"},
                                         {"train", "dev", "test"}}) {
    fs::remove_all(root_);
    part(std::string(train) + "/", 2);
    part(std::string(val) + "/");
    part(std::string(test) + "/", 3);
    const Dataset data = read_dataset(root_.string());
    EXPECT_EQ(data.train.size(), 4u) << train;
    EXPECT_EQ(data.validation.size(), 2u) << val;
    EXPECT_EQ(data.test.size(), 6u) << test;
    EXPECT_TRUE(data.is_split);
    EXPECT_TRUE(data.notes.empty());
  }
}

TEST_F(ClassFolders, PicturesForTestingNeverValidate) {
  part("train/", 5);
  part("test/", 3);
  const Dataset data = read_dataset(root_.string());
  EXPECT_EQ(data.train.size(), 8u);
  EXPECT_EQ(data.validation.size(), 2u);  // of the training pictures
  EXPECT_EQ(data.test.size(), 6u);
  ASSERT_EQ(data.notes.size(), 1u);
  EXPECT_NE(data.notes[0].find("no part that validates"), std::string::npos);
}

TEST_F(ClassFolders, PicturesLieAtAnyDepthBelowTheirClass) {
  picture("ants/1.png");
  picture("ants/more/2.png");
  picture("ants/more/still/more/3.png");
  picture("bees/4.png");
  const Dataset data = read_dataset(root_.string(), Task::classes, {.trains = false});
  EXPECT_EQ(named(data, data.test),
            (Names{"ants:ants/1.png", "ants:ants/more/2.png", "ants:ants/more/still/more/3.png", "bees:bees/4.png"}));
}

TEST_F(ClassFolders, AFolderThatStandsAloneIsPassedThrough) {
  for (const char* above : {"images/", "a/b/", "images/train/", "dataset/Images/"}) {
    fs::remove_all(root_);
    part(above, 2);
    text("README.md", "what it is");
    EXPECT_EQ(read_dataset(root_.string(), Task::classes, {.trains = false}).classes,
              (std::vector<std::string>{"ants", "bees"}))
        << above;
  }
  fs::remove_all(root_);
  part("images/", 2);
  text("annotations/ants/1.xml", "<x/>");
  EXPECT_EQ(read_dataset(root_.string()).classes, (std::vector<std::string>{"ants", "bees"}));
}

TEST_F(ClassFolders, WhatSystemsAndPeopleLeaveBesidePicturesIsCounted) {
  part("train/", 2);
  part("val/");
  for (const char* left :
       {"train/ants/.DS_Store", "train/ants/Thumbs.db", "train/bees/._0.png", "train/@eaDir/x.jpg",
        "__MACOSX/train/ants/0.png", "train/ants/0.txt", "val/bees/0.json", "train/.ipynb_checkpoints/0.png"})
    text(left, "x");
  const Dataset data = read_dataset(root_.string());
  EXPECT_EQ(data.classes.size(), 2u);
  EXPECT_EQ(data.train.size(), 4u);
  EXPECT_TRUE(data.skipped.empty());
  EXPECT_EQ(data.ignored.size(), 5u);  // those inside class folders, each once
}

TEST_F(ClassFolders, FilesWithoutAnExtensionAreKnownByTheirBytes) {
  picture("ants/IMG_0001");
  picture("ants/photo.jpg_large");
  text("ants/notes", "no picture");
  picture("bees/1.png");
  const Dataset data = read_dataset(root_.string(), Task::classes, {.trains = false});
  EXPECT_EQ(data.test.size(), 3u);
  ASSERT_EQ(data.ignored.size(), 1u);
  EXPECT_NE(data.ignored[0].find("ants/notes: is no picture"), std::string::npos);
}

TEST_F(ClassFolders, PicturesOfFormatsThatAreNotReadAreNamed) {
  part("", 2);
  text("ants/scan.jp2", "x");
  const Dataset data = read_dataset(root_.string());
  ASSERT_EQ(data.skipped.size(), 1u);
  EXPECT_NE(data.skipped[0].find("ants/scan.jp2: is a picture of a format that is not read"), std::string::npos);
}

TEST_F(ClassFolders, LinksAreFollowedOnceAndDanglingOnesNamed) {
  picture("elsewhere/deep/1.png");
  picture("data/bees/2.png");
  fs::create_directory_symlink(root_ / "elsewhere", root_ / "data/ants");
  fs::create_directory_symlink(root_ / "data", root_ / "elsewhere/deep/back");  // around and around
  fs::create_symlink("/nowhere/x.jpg", root_ / "data/bees/dangling.jpg");
  const Dataset data = read_dataset(path("data"), Task::classes, {.trains = false});
  EXPECT_EQ(data.classes, (std::vector<std::string>{"ants", "bees"}));
  ASSERT_FALSE(data.skipped.empty());
  EXPECT_NE(data.skipped[0].find("dangling.jpg: leads nowhere"), std::string::npos);
  EXPECT_EQ(named(data, data.test), (Names{"ants:data/ants/deep/1.png", "bees:data/bees/2.png"}));
  EXPECT_EQ(list_pictures({path("data/ants/deep/1.png"), path("data/bees")}).paths.size(), 2u);
}

TEST_F(ClassFolders, AFolderThatIsLinkedTwiceCountsOnce) {
  picture("cats/a/1.png");
  picture("dogs/2.png");
  fs::create_directory_symlink(root_ / "cats/a", root_ / "cats/b");
  EXPECT_EQ(read_dataset(root_.string(), Task::classes, {.trains = false}).test.size(), 2u);
}

TEST_F(ClassFolders, AClassMayBeCalledLikeAPart) {
  for (const char* name : {"bus", "car", "train"}) picture(std::string(name) + "/1.png");
  const Dataset data = read_dataset(root_.string(), Task::classes, {.trains = false});
  EXPECT_EQ(data.classes, (std::vector<std::string>{"bus", "car", "train"}));
  fs::remove(root_ / "train/1.png");
  picture("train/steam/1.png");
  picture("train/electric/1.png");
  EXPECT_NE(error_of([&] { read_dataset(root_.string()); }).find("it is not clear what the classes are"),
            std::string::npos);
}

TEST_F(ClassFolders, PartsBelowClassesAreAnError) {
  for (const char* name : {"cat/train/1.png", "cat/test/2.png", "dog/train/3.png", "dog/test/4.png"}) picture(name);
  EXPECT_NE(error_of([&] { read_dataset(root_.string()); }).find("parts of a set stand above the classes"),
            std::string::npos);
}

TEST_F(ClassFolders, TheClassesOfAllPartsStandAsDeep) {
  part("train/", 2);
  picture("test/ants/wings/1.png");
  picture("test/ants/legs/2.png");
  const Dataset data = read_dataset(root_.string());
  EXPECT_EQ(named(data, data.test), (Names{"ants:test/ants/legs/2.png", "ants:test/ants/wings/1.png"}));
}

TEST_F(ClassFolders, FoldersOfTheSameFoldersAreNotClasses) {
  part("images/", 2);
  part("masks/", 2);
  const Dataset data = read_dataset(root_.string(), Task::classes, {.trains = false});
  EXPECT_EQ(data.classes, (std::vector<std::string>{"ants", "bees"}));
  EXPECT_EQ(data.test.size(), 4u);
  EXPECT_EQ(data.notes.size(), 1u);
  fs::rename(root_ / "images", root_ / "colour");
  EXPECT_NE(error_of([&] { read_dataset(root_.string()); }).find("colour and masks hold the same folders"),
            std::string::npos);
}

TEST_F(ClassFolders, NumbersAreSortedAsNumbers) {
  for (int i = 0; i < 12; ++i) picture(std::to_string(i) + "/x.png");
  const Dataset data = read_dataset(root_.string(), Task::classes, {.trains = false});
  for (int i = 0; i < 12; ++i) EXPECT_EQ(data.classes[static_cast<size_t>(i)], std::to_string(i));
}

TEST_F(ClassFolders, PartsWithoutTrainingServeForTesting) {
  part("val/", 3);
  const Dataset data = read_dataset(root_.string(), Task::classes, {.trains = false});
  EXPECT_EQ(data.validation.size(), 6u);
  EXPECT_NE(error_of([&] { read_dataset(root_.string()); }).find("there is no training picture"), std::string::npos);
}

TEST_F(ClassFolders, ErrorsSayWhatIsMissing) {
  part("train/", 2);
  picture("val/wasps/1.png");
  EXPECT_NE(
      error_of([&] { read_dataset(root_.string()); }).find("class \"wasps\" is validated or tested but never trained"),
      std::string::npos);
  picture("validation/ants/1.png");
  EXPECT_NE(error_of([&] { read_dataset(root_.string()); }).find("has two folders for val"), std::string::npos);
}

TEST_F(ClassFolders, NamesMustBeUtf8) {
  part("", 2);
  picture("caf\xe9/1.png");
  EXPECT_NE(error_of([&] { read_dataset(root_.string()); }).find("caf\\xe9: a class's name must be UTF-8"),
            std::string::npos);
}

TEST_F(ClassFolders, PicturesBesideTheClassesAreTold) {
  part("", 3);
  picture("loose.png");
  const Dataset data = read_dataset(root_.string());
  EXPECT_EQ(data.train.size() + data.validation.size(), 6u);
  ASSERT_EQ(data.notes.size(), 1u);
  EXPECT_NE(data.notes[0].find("lie beside the class folders"), std::string::npos);
  ASSERT_EQ(data.skipped.size(), 1u);
  EXPECT_TRUE(data.skipped[0].ends_with("loose.png: is in no class folder"));
}

TEST_F(ClassFolders, ATableBesidePicturesWithoutClassesIsNamed) {
  picture("images/1.png");
  picture("images/2.png");
  std::ofstream(root_ / "labels.csv") << "path,label\nimages/1.png,ants\nimages/2.png,bees\n";
  const std::string error = error_of([&] { read_dataset(root_.string()); });
  EXPECT_NE(error.find("only one class, \"images\""), std::string::npos) << error;
  EXPECT_NE(error.find("give " + (root_ / "labels.csv").string()), std::string::npos) << error;
}

TEST_F(ClassFolders, AClassThatNothingValidatesIsTold) {
  part("train/", 3);
  part("val/");
  picture("train/wasps/1.png");
  const Dataset data = read_dataset(root_.string());
  ASSERT_EQ(data.notes.size(), 1u);
  EXPECT_NE(data.notes[0].find("class \"wasps\" has no validation picture"), std::string::npos);
}

TEST_F(ClassFolders, PicturesBesidePartsAreTold) {
  part("train/", 3);
  part("val/");
  picture("loose.png");
  picture("more/1.png");
  picture("more/2.png");
  const Dataset data = read_dataset(root_.string());
  EXPECT_EQ(data.train.size() + data.validation.size(), 8u);
  EXPECT_EQ(data.skipped.size(), 3u);
  ASSERT_EQ(data.notes.size(), 2u);
  EXPECT_NE(data.notes[0].find("2 pictures in it are left out"), std::string::npos);
  EXPECT_NE(data.notes[1].find("1 picture in"), std::string::npos);
}

TEST_F(ClassFolders, PicturesThatPartsLinkToAreNotLeftOut) {
  part("all/", 3);
  for (const char* name : {"ants", "bees"})
    for (int i = 0; i < 3; ++i) {
      const fs::path folder = root_ / (i < 2 ? "train" : "val") / name;
      fs::create_directories(folder);
      const std::string file = std::to_string(i) + ".png";
      fs::create_symlink(root_ / "all" / name / file, folder / file);
    }
  const Dataset data = read_dataset(root_.string());
  EXPECT_EQ(data.train.size(), 4u);
  EXPECT_EQ(data.validation.size(), 2u);
  EXPECT_TRUE(data.skipped.empty());
  EXPECT_TRUE(data.notes.empty());
}

TEST_F(ClassFolders, AClassKeepsItsPicturesWhateverLinksLeadToThem) {
  part("", 3);
  fs::create_directory_symlink(root_ / "bees", root_ / "ants" / "more");
  const Dataset data = read_dataset(root_.string());
  EXPECT_EQ(data.train.size() + data.validation.size(), 6u);
  for (const LabelledFile& file : data.train)
    EXPECT_EQ(data.classes[static_cast<size_t>(file.label)], fs::path(file.path).parent_path().filename().string());
  ASSERT_EQ(data.notes.size(), 1u);
  EXPECT_NE(data.notes[0].find("ants/more: leads to a folder that is read already"), std::string::npos);
}

}  // namespace
}  // namespace graft
