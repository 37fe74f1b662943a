#include "apps/drawing/heat_map.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "apps/drawing/svg.h"

namespace graft::app {

std::string to_svg(const HeatMap& map) {
  constexpr double kCell = 22, kLeft = 90, kTop = 60;
  const double width = kLeft + kCell * static_cast<double>(map.columns.size()) + 40,
               height = kTop + kCell * static_cast<double>(map.rows.size()) + 50;
  std::ostringstream svg;
  svg << svg_begin(std::max(width, 420.0), height) << "<text x=\"10\" y=\"20\" font-size=\"14\">" << svg_text(map.title)
      << "</text>\n";
  svg << "<text x=\"" << kLeft << "\" y=\"38\">" << svg_text(map.column_name) << "</text><text x=\"10\" y=\""
      << kTop + 12 << "\">" << svg_text(map.row_name) << "</text>\n";
  for (size_t c = 0; c < map.columns.size(); ++c)
    svg << "<text x=\"" << kLeft + kCell * (static_cast<double>(c) + 0.5) << "\" y=\"" << kTop - 6
        << "\" font-size=\"8\" text-anchor=\"middle\">" << svg_text(map.columns[c]) << "</text>\n";
  for (size_t r = 0; r < map.rows.size(); ++r) {
    const double y = kTop + kCell * static_cast<double>(r);
    svg << "<text x=\"" << kLeft - 4 << "\" y=\"" << y + 14 << "\" font-size=\"8\" text-anchor=\"end\">"
        << svg_text(map.rows[r]) << "</text>\n";
    for (size_t c = 0; c < map.columns.size(); ++c) {
      const double value = map.values[r * map.columns.size() + c];
      const double part = std::isfinite(value)
                              ? std::clamp((std::log10(std::max(value, 1e-300)) - std::log10(map.low)) /
                                               (std::log10(map.high) - std::log10(map.low)),
                                           0.0, 1.0)
                              : 1;
      const auto fade = static_cast<int>(std::lround(255 * (1 - part)));
      svg << "<rect x=\"" << kLeft + kCell * static_cast<double>(c) << "\" y=\"" << y << "\" width=\"" << kCell - 1
          << "\" height=\"" << kCell - 1 << "\" fill=\"rgb(" << 139 + (255 - 139) * fade / 255 << ',' << fade << ','
          << fade << ")\"><title>" << svg_number(value) << "</title></rect>\n";
    }
  }
  svg << "<text x=\"" << kLeft << "\" y=\"" << height - 16 << "\">white: " << svg_number(map.low)
      << " and less, dark: " << svg_number(map.high) << " and more</text>\n</svg>\n";
  return svg.str();
}

}  // namespace graft::app
