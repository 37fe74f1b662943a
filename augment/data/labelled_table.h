#pragma once

#include <string>

#include "graft/dataset.h"

namespace graft {

/// Reads a table of pictures (see read_text_table): a column of their paths, relative to the table's folder, and one of
/// labels, of values, or one for each label with 0 and 1; a column of parts (train, val, test) where there is one.
/// Columns are found by the names in the first row, else by what stands in them. Rows whose part is not said train; all
/// do where none says one. Throws Error naming the line, or showing the first rows where columns are not understood.
Dataset read_labelled_table(const std::string& path, Task task);

}  // namespace graft
