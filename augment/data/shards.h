#pragma once

#include <string>

#include "graft/dataset.h"

namespace graft {

/// Whether PATH is a tar archive, or a folder whose archives are its pictures: in it, or in its parts (train, val,
/// test).
bool holds_shards(const std::string& path);

/// Reads archives as WebDataset writes them: the files of a sample stand one after the other and share their name up to
/// its first dot; the label is a number or a name in NAME.cls, or "label", "class", "category" or "target" of
/// NAME.json. Without any, the folders in the archives name the classes, or the archives do (n01440764.tar). Parts are
/// folders of archives, or words of their names (train-0001.tar). Pictures are named ARCHIVE.tar/NAME. Throws Error.
Dataset read_shards(const std::string& path);

/// Adds the pictures of an archive to `found`; what else it holds, but for labels, to found.ignored. Throws Error.
void collect_from_tar(const std::string& archive, PictureList& found);

}  // namespace graft
