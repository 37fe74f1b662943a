#include "apps/preview_sheet.h"

#include <algorithm>
#include <cstring>
#include <ostream>

#include "apps/html.h"
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

Image drawn(const PreviewSheet& sheet) {
  size_t lines = 0;
  for (const auto& column : sheet.columns) lines = std::max(lines, column.settings.size() + 1);
  const auto columns = static_cast<int64_t>(sheet.columns.size()), rows = static_cast<int64_t>(sheet.rows.size());
  const int64_t head = static_cast<int64_t>(lines) * kTextLine + kGap, width = sheet.side + kGap,
                height = sheet.side + kTextLine + kGap;
  Image image(columns * width + kGap, head + rows * height + kGap);
  std::fill(image.pixels.begin(), image.pixels.end(), uint8_t{255});
  for (int64_t c = 0; c < columns; ++c) {
    const PreviewSheet::Column& column = sheet.columns[static_cast<size_t>(c)];
    const int64_t left = kGap + c * width;
    draw_text(image, column.name, left, kGap, sheet.side);
    for (size_t i = 0; i < column.settings.size(); ++i)
      draw_text(image, column.settings[i], left, kGap + static_cast<int64_t>(i + 1) * kTextLine, sheet.side);
    for (int64_t r = 0; r < rows; ++r)
      paste(sheet.rows[static_cast<size_t>(r)].pictures[static_cast<size_t>(c)], image, left, head + r * height);
  }
  for (int64_t r = 0; r < rows; ++r)
    draw_text(image, sheet.rows[static_cast<size_t>(r)].name, kGap, head + r * height + sheet.side,
              image.width - 2 * kGap);
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
  if (path.ends_with(".html") || path.ends_with(".htm"))
    write_page(sheet, path);
  else
    write_image(drawn(sheet), path);
}

}  // namespace graft::app
