#pragma once

#include <string>
#include <vector>

#include "augment/pixels/image.h"

namespace graft::app {

/// Pictures in rows and columns, as `graft preview` shows them.
struct PreviewSheet {
  struct Column {
    std::string name;
    std::vector<std::string> settings;  // "degrees = 15"
  };
  struct Row {
    std::string name;
    std::vector<Image> pictures;  // one a column
  };
  std::string title;
  int64_t width = 0, height = 0;  // of each picture, in pixels
  std::vector<Column> columns;
  std::vector<Row> rows;
};

/// Writes it as one HTML file, or as a PNG or JPEG, by the path's extension. Throws Error.
void write_preview(const PreviewSheet& sheet, const std::string& path);

}  // namespace graft::app
