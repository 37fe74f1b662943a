#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "graft/dataset.h"

namespace graft::app {

/// A part of a list of pictures: contiguous, so that the parts' results one behind the other are those of the list.
struct Shard {
  size_t number = 1, count = 1;  // 1 to count
  bool whole() const { return count == 1; }
  size_t first(size_t pictures) const { return pictures * (number - 1) / count; }
  size_t last(size_t pictures) const { return pictures * number / count; }
  /// Leaves its own of the pictures; what is no picture is the first shard's to tell. Returns a line that says so,
  /// "shard 2 of 8: pictures 13 to 24 of 96", or nothing where it is all of them.
  std::string take(PictureList& pictures) const;
  /// Leaves the shard's own of what there is one for each picture of.
  template <typename T>
  void keep(std::vector<T>& list) const {
    const size_t all = list.size();
    list.erase(list.begin() + static_cast<std::ptrdiff_t>(last(all)), list.end());
    list.erase(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(first(all)));
  }
};

/// --shard I/N; anything else is an error of the command line.
void add_shard_option(CLI::App& command, Shard& shard);

}  // namespace graft::app
