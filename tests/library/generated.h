#pragma once

#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "augment/decode.h"
#include "augment/encode.h"
#include "graft/classifier.h"
#include "graft/dataset.h"
#include "graft/model.h"
#include "models/pictures.h"

namespace graft {

/// A folder that is gone with this object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    static int count = 0;
    path_ = std::filesystem::temp_directory_path() /
            ("graft_library_" + std::to_string(getpid()) + "_" + std::to_string(++count));
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

/// Pictures of the first `classes` figures of the demo, drawn at 64×64, in train/CLASS and val/CLASS below `folder`.
inline void draw_demo(const std::filesystem::path& folder, size_t classes, int train, int validation) {
  constexpr int kSide = 64;
  const std::vector<PictureClass> kinds = picture_classes("demo");
  for (size_t k = 0; k < classes; ++k)
    for (const bool trains : {true, false}) {
      const auto of_class = folder / (trains ? "train" : "val") / kinds[k].name;
      std::filesystem::create_directories(of_class);
      for (int i = 0; i < (trains ? train : validation); ++i) {
        Image image(kSide, kSide);
        image.pixels = draw_picture(kinds[k], kSide, trains ? 1 : 2, static_cast<uint64_t>(i));
        write_image(image, (of_class / (std::to_string(i) + ".png")).string());
      }
    }
}

/// Tests on `kPictures` validation pictures of each of two classes, drawn once for all of them.
template <int kPictures>
class DrawnPictures : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TemporaryFolder>();
    draw_demo(folder_->path(), 2, 1, kPictures);
    paths_ = std::make_unique<std::vector<std::string>>(list_pictures({(folder_->path() / "val").string()}).paths);
  }
  static void TearDownTestSuite() {
    paths_.reset();
    folder_.reset();
  }
  static inline std::unique_ptr<TemporaryFolder> folder_;
  static inline std::unique_ptr<std::vector<std::string>> paths_;
};

/// The network that travels with graft.
inline std::string bundled_path() {
  return (std::filesystem::path(__FILE__).parent_path().parent_path().parent_path() / "models" / "bundled" /
          "graft-small.onnx")
      .string();
}

/// How it runs in tests: on the processor, in few threads.
inline ComputeSettings on_processor() {
  ComputeSettings compute;
  compute.device = "cpu";
  compute.threads = 2;
  return compute;
}

inline RunSettings run_on_processor() {
  RunSettings settings;
  settings.compute = on_processor();
  return settings;
}

inline std::vector<std::string> paths_of(const std::vector<LabelledFile>& files) {
  std::vector<std::string> paths;
  for (const LabelledFile& file : files) paths.push_back(file.path);
  return paths;
}

}  // namespace graft
