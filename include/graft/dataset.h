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
  float weight = 1;             // of its loss in training, in proportion to the others; more than 0
};

/// Labelled pictures: a plain value, nothing of a picture is read before it is used. Threads may share a constant one.
struct Dataset {
  /// Sorted by name, by number where all are numbers; for measured values, their names in the file's order.
  std::vector<std::string> classes;
  /// Those that train, that choose the best epoch, and that do neither.
  std::vector<LabelledFile> train, validation, test;
  bool is_split = false;             // the source says which pictures are for what
  std::vector<std::string> skipped;  // pictures left out, each with the reason
  std::vector<std::string> ignored;  // files that are no pictures, each with what it is taken for
  std::vector<std::string> notes;    // what was guessed or left aside, a line each
};

/// How a dataset without a split of its own is split.
struct SplitSettings {
  double validation_part = 0.2;  // of each class that validates, 0 to 1; at least one of two
  uint64_t seed = 0;             // the same pictures for the same seed
  bool trains = true;            // false: nothing is split off; pictures whose part is not said are all for testing
};

/// Reads labelled pictures. Folders: PATH/train/CLASS/…, with val (valid, validation, dev) and test (testing) in any
/// case, or PATH/CLASS/…; pictures at any depth below their class, links followed. Tables (comma, tab, semicolon, JSON
/// lines): a column of paths, relative to the table, one of labels and perhaps one of splits, by the names of their
/// header or by what stands in them; with Task::multi_label several labels with semicolons between them (none: an empty
/// field) or a column of 0 and 1 for each, with Task::regression numbers, named by the header. A column named weight
/// (sample_weight where values are measured) says what pictures weigh in training. Tar archives: of samples as
/// WebDataset writes them, of folders of classes, or one for each class. Where nothing validates, a part of each class
/// that trains does; pictures that are nearly the same stay on one side. Throws Error: not_found where PATH is not;
/// bad_data where a class has no training picture, nothing validates, there are fewer than two classes, or a row makes
/// no sense (which is named); io where a folder cannot be listed.
Dataset read_dataset(const std::string& path, Task task = Task::classes, const SplitSettings& split = {});

/// A dataset of files that the caller lists, one class each: labels[i] names the class of paths[i]. It is split. Throws
/// Error: invalid_argument where there are not as many labels as paths; bad_data as read_dataset.
Dataset make_dataset(const std::vector<std::string>& paths, const std::vector<std::string>& labels,
                     const SplitSettings& split = {});

/// Pictures' files, and what was met beside them.
struct PictureList {
  std::vector<std::string> paths;
  std::vector<std::string> skipped, ignored;  // as in Dataset
};

/// Every picture below the given files, folders and globs ("-": a list on standard input, a path a line, or between
/// NULs), in order. What does not exist is listed too, and named once it is read. Throws Error (bad_data) for a folder
/// without pictures.
PictureList list_pictures(const std::vector<std::string>& inputs);

/// Of each path of list_pictures(inputs) the class whose folder it lies below, as read_dataset finds them; empty where
/// it comes from no folder of classes.
std::vector<std::string> classes_of(const PictureList& pictures, const std::vector<std::string>& inputs);

}  // namespace graft
