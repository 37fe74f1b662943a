#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graft/task.h"

namespace graft {

/// A picture's file and what it is to be answered with.
struct LabelledFile {
  std::string path;
  int label = -1;               // index into Dataset::classes; 0 where `target` says more
  std::vector<float> target{};  // several labels: a 0 or 1 for each class; regression: the measured values
};

/// Labelled pictures: a plain value, nothing of a picture is read before it is used. Threads may share a constant one.
struct Dataset {
  std::vector<std::string> classes;  // sorted by name; for measured values, their names in the file's order
  std::vector<LabelledFile> train, validation;
  std::vector<std::string> skipped;  // files left out, each with the reason
};

/// How a dataset without a split of its own is split.
struct SplitSettings {
  double validation_part = 0.2;  // of each class that validates, 0 to 1; at least one of two
  uint64_t seed = 0;             // the same pictures for the same seed
};

/// PATH/train/CLASS/* with PATH/val/CLASS/* (or valid, validation, test); PATH/CLASS/*, which is split; or a CSV of
/// path,label[,split] with paths relative to it, which is split where no row says train or val. Files that are no
/// pictures are skipped and named. With Task::multi_label the CSV's labels are separated by semicolons (none: an empty
/// field), with Task::regression they are numbers separated so, named by the header (path,age;height).
/// Throws Error: not_found where PATH is not; bad_data where a class has no training picture, nothing validates, there
/// are fewer than two classes, or a row makes no sense; io where a folder cannot be listed.
Dataset read_dataset(const std::string& path, Task task = Task::classes, const SplitSettings& split = {});

/// A dataset of files that the caller lists, one class each: labels[i] names the class of paths[i]. It is split. Throws
/// Error: invalid_argument where there are not as many labels as paths; bad_data as read_dataset.
Dataset make_dataset(const std::vector<std::string>& paths, const std::vector<std::string>& labels,
                     const SplitSettings& split = {});

/// Every picture below the given files, folders and globs ("-": a list on standard input, a path a line), in order.
/// What does not exist is listed too, and named once it is read. Throws Error (bad_data) for a folder without pictures.
std::vector<std::string> list_pictures(const std::vector<std::string>& inputs);

}  // namespace graft
