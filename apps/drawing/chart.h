#pragma once

#include <string>
#include <vector>

namespace graft::app {

/// A line chart as SVG text.
struct Chart {
  struct Line {
    std::string name;
    std::vector<double> x, y;
  };
  std::string title, x_name;
  std::vector<Line> lines;
  bool log_x = false;
  double mark_x = 0;    // a dashed line at this place, with its value; 0: none
  bool points = false;  // dots in place of lines
};
std::string to_svg(const Chart& chart);
/// Several, one below the other.
std::string to_svg(const std::vector<Chart>& charts);

}  // namespace graft::app
