#include "runtime/core/error.h"
#include "tests/augment/data/data_folder.h"

namespace graft {
namespace {

class LabelledTable : public DataFolder {
 protected:
  void SetUp() override {
    DataFolder::SetUp();
    for (const char* name : {"a.png", "b.png", "c.png", "d.png"}) picture(std::string("img/") + name);
  }
  Dataset read(const std::string& content, Task task = Task::classes, const std::string& name = "t.csv") const {
    text(name, content);
    return read_dataset(path(name), task, {.trains = false});
  }
  std::string refused(const std::string& content, Task task = Task::classes) const {
    return error_of([&] { read(content, task); });
  }
  /// Two pictures of two classes that every way of writing them must give.
  void expect_cat_and_dog(const std::string& content, const std::string& name = "t.csv") const {
    const Dataset data = read(content, Task::classes, name);
    EXPECT_EQ(data.classes, (std::vector<std::string>{"cat", "dog"})) << content;
    const auto& files = data.is_split ? data.train : data.test;
    EXPECT_EQ(named(data, files), (Names{"cat:img/a.png", "dog:img/b.png"})) << content;
  }
};

TEST_F(LabelledTable, SeparatorsMarksAndEndsOfLines) {
  for (const char* content : {
           "path,label\nimg/a.png,cat\nimg/b.png,dog\n",
           "img/a.png,cat\nimg/b.png,dog",
           "\xef\xbb\xbfpath,label\r\nimg/a.png,cat\r\nimg/b.png,dog\r\n",
           "\xef\xbb\xbfimg/a.png,cat\nimg/b.png,dog\n",
           "path\tlabel\nimg/a.png\tcat\nimg/b.png\tdog\n",
           "path;label\nimg/a.png;cat\nimg/b.png;dog\n",
           "path|label\nimg/a.png|cat\nimg/b.png|dog\n",
           "path,label\rimg/a.png,cat\rimg/b.png,dog\r",
           " path , label \n img/a.png , cat \n img/b.png ,dog\n",
           "\"path\",\"label\"\n\"img/a.png\",\"cat\"\n\"img/b.png\",\"dog\"\n",
           "sep=;\r\npath;label\r\nimg/a.png;cat\r\nimg/b.png;dog\r\n",
           "\npath,label\n\nimg/a.png,cat\n\n\nimg/b.png,dog\n",
       })
    expect_cat_and_dog(content);
}

TEST_F(LabelledTable, HeadersByManyNamesInAnyOrder) {
  for (const char* header : {"file,class", "Filename,Class", "IMAGE,LABEL", "image_path,target", "Image Path,Category",
                             "filepath,species", "id,y", "img,tag"})
    expect_cat_and_dog(std::string(header) + "\nimg/a.png,cat\nimg/b.png,dog\n");
  expect_cat_and_dog("label,path\ncat,img/a.png\ndog,img/b.png\n");
  expect_cat_and_dog("cat,img/a.png\ndog,img/b.png\n");
  expect_cat_and_dog("width,file,class,split\n9,img/a.png,cat,train\n8,img/b.png,dog,train\n");
  expect_cat_and_dog("path,animal\nimg/a.png,cat\nimg/b.png,dog\n");  // the only other column
}

TEST_F(LabelledTable, FilesAreFoundAsPeopleWriteThem) {
  expect_cat_and_dog("path,label\nimg\\a.png,cat\nimg\\b.png,dog\n");
  expect_cat_and_dog("path,label\n./img/a.png,cat\n./img/b.png,dog\n", "t.csv");
  expect_cat_and_dog("id,label\na,cat\nb,dog\n", "img.csv");  // in the folder of the table's name, extension left out
  picture("images/e.jpg");
  const Dataset data = read("id,label\ne,cat\n");
  ASSERT_EQ(data.test.size(), 1u);
  EXPECT_EQ(data.test[0].path, path("images/e.jpg"));
}

TEST_F(LabelledTable, JsonLines) {
  expect_cat_and_dog("{\"path\": \"img/a.png\", \"label\": \"cat\"}\n\n{\"label\": \"dog\", \"path\": \"img/b.png\"}\n",
                     "t.jsonl");
  const Dataset data = read(
      "{\"file_name\": \"img/a.png\", \"labels\": [\"x\", \"y\"]}\n{\"file_name\": \"img/b.png\", \"labels\": []}\n",
      Task::multi_label);
  EXPECT_EQ(data.classes, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(data.test[0].target, (std::vector<float>{1, 1}));
  EXPECT_EQ(data.test[1].target, (std::vector<float>{0, 0}));
  EXPECT_NE(refused("{\"path\": \"img/a.png\", \"label\": \"cat\"}\nnonsense\n").find("line 2: is no JSON object"),
            std::string::npos);
}

TEST_F(LabelledTable, PartsAreThreeThingsInAnyCase) {
  const Dataset data =
      read("path,label,split\nimg/a.png,cat,Train\nimg/b.png,dog,VALID\nimg/c.png,cat,test\nimg/d.png,dog,\n");
  EXPECT_EQ(named(data, data.train), (Names{"cat:img/a.png", "dog:img/d.png"}));
  EXPECT_EQ(named(data, data.validation), (Names{"dog:img/b.png"}));
  EXPECT_EQ(named(data, data.test), (Names{"cat:img/c.png"}));
  const Dataset unnamed = read("path,label\nimg/a.png,cat,train\nimg/b.png,dog,val\n");  // a header without the third
  EXPECT_EQ(unnamed.validation.size(), 1u);
  EXPECT_NE(
      refused("path,label,split\nimg/a.png,cat,train\nimg/b.png,dog,later\n").find("line 3: unknown split \"later\""),
      std::string::npos);
}

TEST_F(LabelledTable, PartsAreFoundUnderOtherNames) {
  const Dataset words = read("path,label,stage\nimg/a.png,cat,Training\nimg/b.png,dog,Validation\n");
  EXPECT_EQ(named(words, words.validation), (Names{"dog:img/b.png"}));
  ASSERT_EQ(words.notes.size(), 1u);
  EXPECT_NE(words.notes[0].find("column stage says which pictures train"), std::string::npos);
  const Dataset bits = read("name,label,is_valid\nimg/a.png,cat,False\nimg/b.png,dog,True\n");
  EXPECT_EQ(named(bits, bits.train), (Names{"cat:img/a.png"}));
  EXPECT_EQ(named(bits, bits.validation), (Names{"dog:img/b.png"}));
  const Dataset kept = read("path,label,is_train\nimg/a.png,cat,1\nimg/b.png,dog,0\n");
  EXPECT_EQ(named(kept, kept.validation), (Names{"dog:img/b.png"}));
  // Beside others of yes and no it is a label.
  EXPECT_FALSE(read("path,is_car,is_train\nimg/a.png,1,0\nimg/b.png,0,1\n", Task::multi_label).is_split);
  // One word for all parts nothing.
  EXPECT_FALSE(read("path,label,stage\nimg/a.png,cat,train\nimg/b.png,dog,train\n").is_split);
}

TEST_F(LabelledTable, SeveralLabelsAsListsOrColumns) {
  const Dataset pandas = read("path,labels\nimg/a.png,\"['cat', 'small']\"\nimg/b.png,['dog']\n", Task::multi_label);
  EXPECT_EQ(pandas.classes, (std::vector<std::string>{"cat", "dog", "small"}));
  const Dataset lists = read("path,labels\nimg/a.png,cat;small\nimg/b.png,\nimg/c.png,small; dog\n", Task::multi_label);
  EXPECT_EQ(lists.classes, (std::vector<std::string>{"cat", "dog", "small"}));
  EXPECT_EQ(lists.test[1].target, (std::vector<float>{0, 0, 0}));
  EXPECT_EQ(lists.test[2].target, (std::vector<float>{0, 1, 1}));
  const Dataset commas = read("path,labels\nimg/a.png,\"cat, small\"\nimg/b.png,dog\n", Task::multi_label);
  EXPECT_EQ(commas.classes, (std::vector<std::string>{"cat", "dog", "small"}));
  const Dataset json = read("{\"path\": \"img/a.png\", \"labels\": [\"black, white\"]}\n", Task::multi_label);
  EXPECT_EQ(json.classes, (std::vector<std::string>{"black, white"}));
  const Dataset rows = read("path,label\nimg/a.png,cat\nimg/a.png,small\nimg/b.png,dog\n", Task::multi_label);
  ASSERT_EQ(rows.test.size(), 2u);  // one row for each label
  EXPECT_EQ(rows.test[0].target, (std::vector<float>{1, 0, 1}));
  const Dataset columns = read("path,cat,dog,small\nimg/a.png,1,0,1\nimg/b.png,0,0,0\n", Task::multi_label);
  EXPECT_EQ(columns.classes, (std::vector<std::string>{"cat", "dog", "small"}));
  EXPECT_EQ(columns.test[0].target, (std::vector<float>{1, 0, 1}));
  expect_cat_and_dog("path,cat,dog\nimg/a.png,1,0\nimg/b.png,0,1\n");
  expect_cat_and_dog("path,cat,dog\nimg/a.png,True,False\nimg/b.png,,yes\n");
}

TEST_F(LabelledTable, ValuesInOneFieldOrInColumns) {
  const Dataset one = read("path,width;height\nimg/a.png,1;2.5\nimg/b.png,-3;1e2\n", Task::regression);
  EXPECT_EQ(one.classes, (std::vector<std::string>{"width", "height"}));
  EXPECT_EQ(one.test[1].target, (std::vector<float>{-3, 100}));
  const Dataset columns = read("path,width,height\nimg/a.png,1,2.5\nimg/b.png,-3,1e2\n", Task::regression);
  EXPECT_EQ(columns.classes, one.classes);
  EXPECT_EQ(columns.test[1].target, one.test[1].target);
  EXPECT_NE(refused("path,age\nimg/a.png,old\n", Task::regression).find("line 2: \"old\" is no number"),
            std::string::npos);
}

TEST_F(LabelledTable, WhatMakesNoSenseNamesItsLine) {
  EXPECT_NE(refused("path,label\nimg/a.png,cat\nimg/b.png,\n").find("line 3: has no label"), std::string::npos);
  EXPECT_NE(refused("img/a.png\nimg/b.png\n").find("line 1: has no label"), std::string::npos);
  EXPECT_NE(refused("path,label\n,cat\n").find("line 2: names no picture"), std::string::npos);
  EXPECT_NE(refused("path,label\nimg/a.png,caf\xe9\n").find("is no UTF-8"), std::string::npos);
  EXPECT_NE(refused("\xff\xfep\0a\0").find("is UTF-16"), std::string::npos);
  EXPECT_NE(refused("").find("has no rows"), std::string::npos);
  const std::string unknown = refused("bild,klasse\nimg/a.png,cat\nimg/b.png,dog\n");
  EXPECT_NE(unknown.find("\"bild,klasse\", \"img/a.png,cat\""), std::string::npos) << unknown;
  EXPECT_NE(unknown.find("label|labels|class"), std::string::npos) << unknown;
  EXPECT_NE(refused("path,colour,size\nimg/a.png,red,big\n").find("which of its columns holds the labels"),
            std::string::npos);
}

TEST_F(LabelledTable, APictureTwiceIsNoticed) {
  const Dataset again = read("path,label\nimg/a.png,cat\nimg/b.png,dog\n./img/a.png,cat\n");
  EXPECT_EQ(again.test.size(), 2u);
  ASSERT_EQ(again.notes.size(), 1u);
  EXPECT_NE(again.notes[0].find("1 row repeats a picture"), std::string::npos);
  EXPECT_NE(
      refused("path,label\nimg/a.png,cat\nimg/a.png,dog\n").find("line 3: is the picture of line 2 with another label"),
      std::string::npos);
  EXPECT_NE(refused("path,label,split\nimg/a.png,cat,train\nimg/a.png,cat,val\n")
                .find("line 3: is the picture of line 2, which is in another part"),
            std::string::npos);
}

TEST_F(LabelledTable, CommasThatWereNotMeantAreErrors) {
  EXPECT_NE(
      refused("path,value\nimg/a.png,3,5\n", Task::regression).find("line 2: has 3 fields where there are 2 columns"),
      std::string::npos);
  EXPECT_NE(refused("path,label\nimg/a.png,cat, tabby\nimg/b.png,dog\n").find("line 2: has 3 fields"),
            std::string::npos);
  EXPECT_NE(refused("path,label\nimg/a.png,cat\nimg/b.png,\"dog\nimg/c.png,cat\n")
                .find("line 3: a quote is opened and never closed"),
            std::string::npos);
}

TEST_F(LabelledTable, NumbersOfRowsAreNoLabels) {
  const Dataset pandas = read(",filename,age\n0,img/a.png,3.5\n1,img/b.png,4\n", Task::regression);
  EXPECT_EQ(pandas.classes, (std::vector<std::string>{"age"}));
  EXPECT_EQ(pandas.test[0].target, (std::vector<float>{3.5f}));
  expect_cat_and_dog("id,filename,label\n0,img/a.png,cat\n1,img/b.png,dog\n");
  expect_cat_and_dog("0,img/a.png,cat\n1,img/b.png,dog\n");
  expect_cat_and_dog("img/a.png,640,480,cat\nimg/b.png,320,200,dog\n");  // one column of words
  expect_cat_and_dog("id,photo_url,label\n7,img/a.png,cat\n9,img/b.png,dog\n");
  EXPECT_NE(refused("img/a.png,red,big\nimg/b.png,blue,small\nimg/c.png,red,big\n").find("unknown split"),
            std::string::npos);
}

TEST_F(LabelledTable, AHeaderIsOneWhateverFilesLieAbout) {
  picture("label.jpg");
  picture("path.jpg");
  expect_cat_and_dog("path,label\nimg/a.png,cat\nimg/b.png,dog\n");
}

TEST_F(LabelledTable, ColumnsThatAreNotUsedAreTold) {
  const Dataset data = read("path,label,author,year\nimg/a.png,cat,me,1999\n");
  ASSERT_EQ(data.notes.size(), 1u);
  EXPECT_NE(data.notes[0].find("author, year are not used"), std::string::npos);
}

TEST_F(LabelledTable, ARowsWeightIsReadAndTold) {
  const Dataset data = read("path,label,sample weight\nimg/a.png,cat,0.5\nimg/b.png,dog,3\n");
  ASSERT_EQ(data.test.size(), 2u);
  EXPECT_EQ(data.test[0].weight, 0.5f);
  EXPECT_EQ(data.test[1].weight, 3);
  ASSERT_EQ(data.notes.size(), 1u);
  EXPECT_NE(data.notes[0].find("what column sample weight says, 0.5 to 3"), std::string::npos) << data.notes[0];
  for (const char* wrong : {"0", "-1", "nan", "much"}) {
    const std::string table = std::string("path,label,sample_weight\nimg/a.png,cat,1\nimg/b.png,dog,") + wrong + "\n";
    EXPECT_NE(refused(table).find("line 3: the weight"), std::string::npos) << wrong;
  }
  EXPECT_EQ(read("path,label,weight\nimg/a.png,cat,1\nimg/b.png,dog,2\n").test[1].weight, 2);
  const Dataset other = read("path,label,weight\nimg/a.png,cat,1\nimg/b.png,dog,\n");
  EXPECT_EQ(other.test[0].weight, 1);
  EXPECT_NE(other.notes.at(0).find("weight is not used"), std::string::npos);
  EXPECT_EQ(read("path,small,weight\nimg/a.png,0,1\nimg/b.png,1,0\n", Task::multi_label).classes,
            (std::vector<std::string>{"small", "weight"}));
  EXPECT_EQ(read("path,label,sample_weight\nimg/a.png,cat,3\nimg/b.png,dog,\n").test[1].weight, 1);
  // What a scale shows is a value to be learned.
  EXPECT_EQ(read("path,weight\nimg/a.png,71\nimg/b.png,80\n", Task::regression).classes,
            (std::vector<std::string>{"weight"}));
}

TEST_F(LabelledTable, AQuotedFieldMayHoldAnything) {
  picture("img/a, \"b\".png");
  const Dataset data = read("path,label\n\"img/a, \"\"b\"\".png\",\"two\nlines\"\nimg/b.png, dog \n");
  EXPECT_EQ(data.test[0].path, path("img/a, \"b\".png"));
  EXPECT_EQ(data.classes, (std::vector<std::string>{"dog", "two\nlines"}));
}

}  // namespace
}  // namespace graft
