#pragma once

#include <set>
#include <string>
#include <vector>

#include "graft/dataset.h"

namespace graft {

/// Names of a folder's entries that are folders themselves, or lead to one; without those that systems leave behind.
/// Sorted. Throws Error (io) where it cannot be listed.
std::vector<std::string> folders_in(const std::string& folder);

/// Whether a picture lies in a folder or below it.
bool holds_pictures(const std::string& folder);

/// Adds every picture of a folder and of all below it, tar archives too, sorted by path, to `found`; links are
/// followed. `visited`: true names of folders that are not entered again. What is no picture, and links to what was
/// visited, are added to found.ignored, links to nothing to found.skipped. Throws Error (io).
void collect_pictures(const std::string& folder, PictureList& found, std::set<std::string>& visited);

/// The same of a folder that is among `visited` already.
void collect_visited(const std::string& folder, PictureList& found, std::set<std::string>& visited);

/// A folder's true name, whatever links lead to it: a link to a folder above would have no end.
std::string true_name(const std::string& folder);

/// What found.ignored says of a folder that was visited.
inline constexpr const char* kReadAlready = ": leads to a folder that is read already";

}  // namespace graft
