#include "apps/drawing/preview_sheet.h"

#include <algorithm>
#include <cstring>
#include <ostream>

#include "apps/drawing/html.h"
#include "augment/data/file_kinds.h"
#include "augment/draw_text.h"
#include "augment/encode.h"
#include "runtime/core/atomic_file.h"

namespace graft::app {
namespace {

constexpr int64_t kGap = 4;

void paste(const Image& from, Image& sheet, int64_t left, int64_t top) {
  for (int64_t y = 0; y < from.height; ++y)
    std::memcpy(sheet.row(top + y) + left * 3, from.row(y), static_cast<size_t>(from.width * 3));
}

/// Columns stand in bands below one another, so that a sheet is no strip.
constexpr int64_t kColumnsOfABand = 9;
/// Room for a caption.
constexpr int64_t kLeastCell = 150;

Image drawn(const PreviewSheet& sheet) {
  size_t lines = 0;
  for (const auto& column : sheet.columns) lines = std::max(lines, column.settings.size() + 1);
  const auto columns = static_cast<int64_t>(sheet.columns.size()), rows = static_cast<int64_t>(sheet.rows.size());
  const int64_t cell = std::max(sheet.width, kLeastCell), head = static_cast<int64_t>(lines) * kTextLine + kGap,
                step = sheet.height + kTextLine + kGap, band = head + rows * step + kGap;
  const int64_t bands = (columns + kColumnsOfABand - 1) / kColumnsOfABand, across = std::min(columns, kColumnsOfABand);
  Image image(across * (cell + kGap) + kGap, kTextLine + kGap + bands * band);
  std::fill(image.pixels.begin(), image.pixels.end(), uint8_t{255});
  draw_text(image, sheet.title, kGap, kGap, image.width - 2 * kGap);
  for (int64_t c = 0; c < columns; ++c) {
    const PreviewSheet::Column& column = sheet.columns[static_cast<size_t>(c)];
    const int64_t left = kGap + c % kColumnsOfABand * (cell + kGap),
                  top = kTextLine + 2 * kGap + c / kColumnsOfABand * band;
    draw_text(image, column.name, left, top, cell);
    for (size_t i = 0; i < column.settings.size(); ++i)
      draw_text(image, column.settings[i], left, top + static_cast<int64_t>(i + 1) * kTextLine, cell);
    for (int64_t r = 0; r < rows; ++r) {
      const PreviewSheet::Row& row = sheet.rows[static_cast<size_t>(r)];
      paste(row.pictures[static_cast<size_t>(c)], image, left, top + head + r * step);
      if (c % kColumnsOfABand == 0)
        draw_text(image, row.name, left, top + head + r * step + sheet.height, image.width - 2 * kGap);
    }
  }
  return image;
}

void write_page(const PreviewSheet& sheet, const std::string& path) {
  write_atomically(path, [&](std::ostream& out) {
    out << "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" "
           "content=\"width=device-width\"><title>"
        << html_escaped(sheet.title)
        << "</title><style>:root{color-scheme:light dark}body{font:14px/1.4 system-ui,sans-serif;margin:1.5rem}"
           "div{overflow-x:auto}table{border-collapse:collapse}th,td{padding:.2rem;text-align:left;vertical-align:top}"
           "thead th{position:sticky;top:0;background:Canvas}th small{display:block;font-weight:normal}"
           "tbody th{font-weight:normal;max-width:9rem;overflow-wrap:anywhere}img{display:block}</style><h1>"
        << html_escaped(sheet.title) << "</h1><div><table><thead><tr><th>picture</th>";
    for (const auto& column : sheet.columns) {
      out << "<th scope=\"col\">" << html_escaped(column.name);
      for (const std::string& setting : column.settings) out << "<small>" << html_escaped(setting) << "</small>";
      out << "</th>";
    }
    out << "</tr></thead><tbody>";
    for (const auto& row : sheet.rows) {
      out << "<tr><th scope=\"row\">" << html_escaped(row.name) << "</th>";
      for (size_t c = 0; c < row.pictures.size(); ++c)
        out << "<td>" << html_picture(row.pictures[c], row.name + ", " + sheet.columns[c].name) << "</td>";
      out << "</tr>";
    }
    out << "</tbody></table></div></html>\n";
  });
}

}  // namespace

void write_preview(const PreviewSheet& sheet, const std::string& path) {
  const std::string name = lower_case(path);
  if (name.ends_with(".html") || name.ends_with(".htm"))
    write_page(sheet, path);
  else
    write_image(drawn(sheet), path);
}

}  // namespace graft::app
