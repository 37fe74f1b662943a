#include "runtime/core/atomic_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <sys/wait.h>

#include "runtime/core/error.h"

namespace graft {
namespace {

namespace fs = std::filesystem;

class AtomicFile : public testing::Test {
 protected:
  AtomicFile() : folder_(fs::path(testing::TempDir()) / ("atomic" + std::to_string(getpid()))) {
    fs::create_directory(folder_);
  }
  ~AtomicFile() override { fs::remove_all(folder_); }
  std::string path(const char* name) const { return (folder_ / name).string(); }
  static std::string text(const std::string& file) {
    std::ostringstream all;
    all << std::ifstream(file).rdbuf();
    return all.str();
  }
  size_t files() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }
  fs::path folder_;
};

TEST_F(AtomicFile, KeepsTheOldContentWhereTheNewFails) {
  write_atomically(path("a"), [](std::ostream& out) { out << "old"; });
  EXPECT_THROW(write_atomically(path("a"),
                                [](std::ostream& out) {
                                  out << "half";
                                  throw Error("no more");
                                }),
               Error);
  EXPECT_EQ(text(path("a")), "old");
  EXPECT_EQ(files(), 1u);
  write_atomically(path("a"), [](std::ostream& out) { out << "new"; });
  EXPECT_EQ(text(path("a")), "new");
}

TEST_F(AtomicFile, RemovesWhatAKilledWriterLeft) {
  const pid_t writer = fork();
  if (writer == 0) {
    write_atomically(path("a"), [](std::ostream& out) {
      out << "half" << std::flush;
      std::raise(SIGKILL);
    });
    _exit(0);
  }
  int status = 0;
  waitpid(writer, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status));
  ASSERT_EQ(files(), 1u);
  std::ofstream(path("a.tmp")) << "the user's own";
  std::ofstream(path("a.tmp2.txt")) << "the user's own";
  write_atomically(path("a"), [&](std::ostream& out) {
    out << "first";
    EXPECT_EQ(files(), 3u);  // the user's two, and what is being written
    // Another writer of the same file, at the same time, leaves this one's alone.
    write_atomically(path("a"), [](std::ostream& inner) { inner << "second"; });
  });
  EXPECT_EQ(text(path("a")), "first");
  EXPECT_EQ(files(), 3u);
}

TEST_F(AtomicFile, SaysWhyItCannotWrite) {
  try {
    write_atomically(path("none/a"), [](std::ostream&) {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::io);
    EXPECT_NE(std::string(error.what()).find("cannot be created (No such file or directory)"), std::string::npos);
  }
}

}  // namespace
}  // namespace graft
