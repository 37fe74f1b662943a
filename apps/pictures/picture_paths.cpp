#include "apps/pictures/picture_paths.h"

#include <filesystem>
#include <set>

#include "augment/data/file_kinds.h"
#include "augment/data/tar_archive.h"
#include "graft/dataset.h"
#include "graft/error.h"

namespace graft::app {
namespace {

/// A table's columns mean what one of the tasks takes them for.
Dataset read_table(const std::string& path) {
  for (const Task task : {Task::classes, Task::multi_label}) {
    try {
      return read_dataset(path, task, {.trains = false});
    } catch (const Error&) {  // the last one's error is told
    }
  }
  return read_dataset(path, Task::regression, {.trains = false});
}

}  // namespace

std::vector<std::string> picture_paths(const std::string& data) {
  std::error_code code;
  if (!std::filesystem::exists(data, code))
    throw Error(data + ": does not exist", "check the path", ErrorCode::not_found);
  if (!std::filesystem::is_regular_file(data, code) || is_tar(data) || is_picture_file(data))
    return list_pictures({data}).paths;
  const Dataset table = read_table(data);
  std::vector<std::string> paths;
  for (const auto* files : {&table.train, &table.validation, &table.test})
    for (const LabelledFile& file : *files) paths.push_back(file.path);
  return paths;
}

}  // namespace graft::app
