#pragma once

#include <string>
#include <vector>

namespace graft::app {

/// Numbers as coloured cells, as SVG text: white is `low` and less, dark red `high` and more, in powers of ten between.
struct HeatMap {
  std::string title, row_name, column_name;
  std::vector<std::string> rows, columns;  // labels
  std::vector<double> values;              // rows × columns
  double low = 1e-6, high = 1;
};
std::string to_svg(const HeatMap& map);

}  // namespace graft::app
