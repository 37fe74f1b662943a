#pragma once

#include <string>

#include "graft/dataset.h"

namespace graft {

/// Reads labelled folders: ROOT/train/CLASS/… with val and test (by any of their names, in any case), or ROOT/CLASS/…,
/// whose pictures all go to `train`. Pictures may lie at any depth below their class. A folder that stands alone above
/// the classes (ROOT/images/CLASS), or that is named for pictures beside others of the same folders, is passed through.
/// Names of classes are sorted naturally. Throws Error.
Dataset read_class_folders(const std::string& root);

/// "train" | "val" | "test" for a name of such a part, in any case ("Training", "valid"); empty for any other.
std::string part_named(const std::string& name);

}  // namespace graft
