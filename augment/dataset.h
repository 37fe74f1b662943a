#pragma once

#include <string>
#include <vector>

namespace graft {

struct Item {
  std::string path;
  int label = -1;  // index into classes; -1 unknown
};

struct Dataset {
  std::vector<std::string> classes;  // sorted by name
  std::vector<Item> train, validation;
  std::vector<std::string> skipped;  // files left out, each with the reason
};

/// DATA/train/CLASS/* with DATA/val/CLASS/* (or valid, validation, test); DATA/CLASS/* split by `validation_part`, the same
/// pictures for the same seed; or a CSV of path,label[,split] with paths relative to it. Files that are no pictures are skipped
/// and named. Throws Error when a class has no picture, or there are fewer than two classes.
Dataset read_dataset(const std::string& path, double validation_part, uint64_t seed);

/// Every picture below the given files, folders and globs ("-": a list on standard input), in order.
std::vector<std::string> list_pictures(const std::vector<std::string>& inputs);

bool has_picture_extension(const std::string& path);

}  // namespace graft
