#pragma once

#include <string>

namespace graft::app {

/// The opening of an SVG picture on white.
std::string svg_begin(double width, double height);
/// With what XML keeps for itself escaped.
std::string svg_text(const std::string& text);
/// Three digits.
std::string svg_number(double value);
/// Colour i of a series, going round.
const char* svg_colour(size_t i);

}  // namespace graft::app
