#include "apps/drawing/scatter.h"

#include <algorithm>
#include <sstream>

#include "apps/drawing/svg.h"

namespace graft::app {

std::string to_svg(const Scatter& scatter) {
  constexpr double kSide = 620, kEdge = 40, kLegend = 170;
  double low[2] = {1e300, 1e300}, high[2] = {-1e300, -1e300};
  for (size_t i = 0; i < scatter.places.size(); ++i) {
    low[i % 2] = std::min(low[i % 2], scatter.places[i]);
    high[i % 2] = std::max(high[i % 2], scatter.places[i]);
  }
  const double extent =
      std::max({high[0] - low[0], high[1] - low[1], 1e-9});  // one scale for both: distances mean something
  std::ostringstream svg;
  svg << svg_begin(kSide + kLegend, kSide + kEdge) << "<text x=\"" << kEdge << "\" y=\"20\" font-size=\"14\">"
      << svg_text(scatter.title) << "</text>\n";
  for (size_t i = 0; i < scatter.groups.size(); ++i) {
    const double x = kEdge + (scatter.places[2 * i] - low[0]) / extent * (kSide - 2 * kEdge),
                 y = kEdge + (scatter.places[2 * i + 1] - low[1]) / extent * (kSide - 2 * kEdge);
    const int64_t group = scatter.groups[i];
    svg << "<circle cx=\"" << x << "\" cy=\"" << y << "\" r=\"4\" fill-opacity=\"0.75\" fill=\""
        << (group < 0 ? "#888888" : svg_colour(static_cast<size_t>(group))) << "\"><title>"
        << svg_text(scatter.titles[i]) << "</title></circle>\n";
  }
  double y = kEdge;
  for (size_t g = 0; g < scatter.names.size(); ++g) {
    if (scatter.names[g].empty()) continue;  // a class of which no picture was given
    svg << "<circle cx=\"" << kSide << "\" cy=\"" << y - 4 << "\" r=\"5\" fill=\"" << svg_colour(g) << "\"/><text x=\""
        << kSide + 10 << "\" y=\"" << y << "\">" << svg_text(scatter.names[g]) << "</text>\n";
    y += 18;
  }
  svg << "</svg>\n";
  return svg.str();
}

}  // namespace graft::app
