#pragma once

#include <string>
#include <vector>

namespace graft::app {

/// Points in the plane, coloured by their group, as SVG text.
struct Scatter {
  std::string title;
  std::vector<double> places;       // x and y of each point
  std::vector<int64_t> groups;      // of each point; below 0: none
  std::vector<std::string> names;   // of the groups
  std::vector<std::string> titles;  // of each point, shown where the pointer rests
};
std::string to_svg(const Scatter& scatter);

}  // namespace graft::app
