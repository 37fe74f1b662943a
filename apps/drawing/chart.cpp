#include "apps/drawing/chart.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

#include "apps/drawing/svg.h"

namespace graft::app {
namespace {

constexpr double kWidth = 760, kHeight = 420, kLeft = 64, kRight = 150, kTop = 34, kBottom = 44;

struct Axis {
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity(), from = 0,
         to = 1;
  bool log = false;
  double at(double v) const { return log ? std::log10(v) : v; }
  void see(double v) {
    if (!std::isfinite(v) || (log && v <= 0)) return;
    low = std::min(low, at(v));
    high = std::max(high, at(v));
  }
  double place(double v) const { return from + (to - from) * (high > low ? (at(v) - low) / (high - low) : 0.5); }
  double value(double part) const { return log ? std::pow(10, low + part * (high - low)) : low + part * (high - low); }
};

void draw(std::ostringstream& svg, const Chart& chart) {
  Axis x, y;
  x.log = chart.log_x;
  x.from = kLeft;
  x.to = kWidth - kRight;
  y.from = kHeight - kBottom;
  y.to = kTop;
  for (const Chart::Line& line : chart.lines) {
    for (double v : line.x) x.see(v);
    for (double v : line.y) y.see(v);
  }
  svg << "<text x=\"" << kLeft << "\" y=\"18\" font-size=\"14\">" << svg_text(chart.title) << "</text>\n";
  constexpr int kTicks = 5;
  for (int i = 0; i < kTicks; ++i) {
    const double part = static_cast<double>(i) / (kTicks - 1);
    const double row = y.from + (y.to - y.from) * part, column = x.from + (x.to - x.from) * part;
    svg << "<line x1=\"" << x.from << "\" x2=\"" << x.to << "\" y1=\"" << row << "\" y2=\"" << row
        << "\" stroke=\"#ddd\"/><text x=\"" << x.from - 6 << "\" y=\"" << row + 4 << "\" text-anchor=\"end\">"
        << svg_number(y.value(part)) << "</text><text x=\"" << column << "\" y=\"" << kHeight - kBottom + 18
        << "\" text-anchor=\"middle\">" << svg_number(x.value(part)) << "</text>\n";
  }
  svg << "<text x=\"" << (x.from + x.to) / 2 << "\" y=\"" << kHeight - 8 << "\" text-anchor=\"middle\">"
      << svg_text(chart.x_name) << "</text>\n";
  if (chart.mark_x > 0) {
    const double column = x.place(chart.mark_x);
    svg << "<line x1=\"" << column << "\" x2=\"" << column << "\" y1=\"" << y.from << "\" y2=\"" << y.to
        << "\" stroke=\"#888\" stroke-dasharray=\"4 3\"/><text x=\"" << column + 4 << "\" y=\"" << kTop + 12 << "\">"
        << svg_number(chart.mark_x) << "</text>\n";
  }
  for (size_t i = 0; i < chart.lines.size(); ++i) {
    const Chart::Line& line = chart.lines[i];
    const char* colour = svg_colour(i);
    const auto each = [&](const auto& put) {
      for (size_t k = 0; k < line.x.size(); ++k)
        if (std::isfinite(line.x[k]) && std::isfinite(line.y[k])) put(x.place(line.x[k]), y.place(line.y[k]));
    };
    if (chart.points) {
      each([&](double column, double row) {
        svg << "<circle cx=\"" << column << "\" cy=\"" << row << "\" r=\"2.5\" fill-opacity=\"0.6\" fill=\"" << colour
            << "\"/>";
      });
    } else {
      svg << "<polyline fill=\"none\" stroke=\"" << colour << "\" stroke-width=\"1.6\" points=\"";
      each([&](double column, double row) { svg << column << ',' << row << ' '; });
      svg << "\"/>";
    }
    svg << "<text x=\"" << x.to + 10 << "\" y=\"" << kTop + 16 + 18 * static_cast<double>(i) << "\" fill=\"" << colour
        << "\">" << svg_text(line.name) << "</text>\n";
  }
}

}  // namespace

std::string to_svg(const std::vector<Chart>& charts) {
  std::ostringstream svg;
  svg << svg_begin(kWidth, kHeight * static_cast<double>(charts.size()));
  for (size_t i = 0; i < charts.size(); ++i) {
    svg << "<g transform=\"translate(0 " << kHeight * static_cast<double>(i) << ")\">\n";
    draw(svg, charts[i]);
    svg << "</g>\n";
  }
  svg << "</svg>\n";
  return svg.str();
}

std::string to_svg(const Chart& chart) { return to_svg(std::vector<Chart>{chart}); }

}  // namespace graft::app
