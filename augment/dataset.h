#pragma once

#include <string>
#include <vector>

namespace graft {

struct Item {
  std::string path;
  int label = -1;               // index into classes; -1 unknown; 0 where `target` says more
  std::vector<float> target{};  // several labels: a 0 or 1 for each class; regression: the measured values
};

/// What the pictures are labelled with.
enum class Labelling : uint8_t { classes, multi_label, values };

struct Dataset {
  std::vector<std::string> classes;  // sorted by name; for measured values, their names in the file's order
  std::vector<Item> train, validation;
  std::vector<std::string> skipped;  // files left out, each with the reason
};

/// DATA/train/CLASS/* with DATA/val/CLASS/* (or valid, validation, test); DATA/CLASS/* split by `validation_part`, the
/// same pictures for the same seed; or a CSV of path,label[,split] with paths relative to it. Files that are no
/// pictures are skipped and named. With `multi_label` the CSV's labels are separated by semicolons (none: an empty
/// field), with `values` they are numbers separated so, named by the header (path,age;height). Throws Error when a
/// class has no picture, or there are fewer than two classes.
Dataset read_dataset(const std::string& path, double validation_part, uint64_t seed,
                     Labelling labelling = Labelling::classes);

/// Every picture below the given files, folders and globs ("-": a list on standard input), in order.
std::vector<std::string> list_pictures(const std::vector<std::string>& inputs);

bool has_picture_extension(const std::string& path);

}  // namespace graft
