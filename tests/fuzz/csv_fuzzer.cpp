// libFuzzer target: any text is a list of labelled pictures, in each of the three forms of labels, or one Error.
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "graft/dataset.h"
#include "runtime/core/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A list is known by its name's ending, and its pictures are looked for beside it.
  static const std::string path =
      (std::filesystem::temp_directory_path() / ("graft_csv_fuzzer_" + std::to_string(getpid()) + ".csv")).string();
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  for (const auto task : {graft::Task::classes, graft::Task::multi_label, graft::Task::regression}) {
    try {
      graft::read_dataset(path, task);
    } catch (const graft::Error&) {
    }
  }
  return 0;
}
