#include "apps/drawing/svg.h"

#include <iterator>
#include <sstream>

namespace graft::app {

std::string svg_begin(double width, double height) {
  std::ostringstream svg;
  svg << "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " << width << ' ' << height
      << "\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
  return svg.str();
}

std::string svg_text(const std::string& text) {
  std::string result;
  for (char c : text) result += c == '<' ? "&lt;" : c == '&' ? "&amp;" : std::string(1, c);
  return result;
}

std::string svg_number(double value) {
  std::ostringstream text;
  text.precision(3);
  text << value;
  return text.str();
}

const char* svg_colour(size_t i) {
  static constexpr const char* kColours[] = {"#1b6ca8", "#d1495b", "#2e8b57", "#8e44ad", "#e67e22",
                                             "#16a085", "#7f8c8d", "#c0a000", "#34495e", "#ff7f9f"};
  return kColours[i % std::size(kColours)];
}

}  // namespace graft::app
