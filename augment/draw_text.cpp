#include "augment/draw_text.h"

#include <opencv2/imgproc.hpp>

namespace graft {

void draw_text(Image& image, const std::string& text, int64_t left, int64_t top, int64_t width) {
  constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;
  constexpr double kScale = 0.36;
  std::string ascii;
  for (const char c : text)
    if ((c & 0xc0) != 0x80) ascii += c >= ' ' && c <= '~' ? c : '?';  // one mark for all bytes of a character
  int baseline = 0;
  while (!ascii.empty() && cv::getTextSize(ascii, kFont, kScale, 1, &baseline).width > width) ascii.pop_back();
  cv::Mat pixels(static_cast<int>(image.height), static_cast<int>(image.width), CV_8UC3, image.pixels.data());
  cv::putText(pixels, ascii, {static_cast<int>(left), static_cast<int>(top + kTextLine - 4)}, kFont, kScale, {0, 0, 0},
              1, cv::LINE_AA);
}

}  // namespace graft
