#include "runtime/cpu/convolution/parts.h"

#include <bit>

namespace graft::cpu {

std::vector<Part> parts_of_images(const Window2d& window, const Operand& x, const Operand& y, int64_t count) {
  std::vector<Part> parts;
  const int64_t images = x.shape[0];
  for (int64_t p = 0; p < count; ++p) {
    const int64_t first = images * p / count, size = images * (p + 1) / count - first;
    Part& part = parts.emplace_back(Part{x, y, window, first * x.strides[0], first * y.strides[0]});
    part.x.shape[0] = part.y.shape[0] = size;
  }
  return parts;
}

std::vector<Part> parts_of_convolution(const Window2d& window, const Operand& x, const Operand& y, int64_t products) {
  // Powers of two, which most numbers of threads share evenly; a part is some tens of microseconds.
  constexpr int64_t kFewestRows = 3, kMostOfAPicture = 8, kProducts = 1 << 21, kElements = 1 << 16;
  const int64_t images = x.shape[0], height = x.shape[2], rows = y.shape[2];
  const int64_t worth = products / kProducts + (x.shape.elements() + y.shape.elements()) / kElements;
  if (images >= kMostOfAPicture)
    return parts_of_images(window, x, y, std::clamp<int64_t>(worth, 1, std::min(images, kMostParts)));
  const auto wanted = std::bit_ceil(static_cast<uint64_t>(std::clamp<int64_t>(worth, 1, kMostOfAPicture)));
  if (images >= static_cast<int64_t>(wanted)) return parts_of_images(window, x, y, static_cast<int64_t>(wanted));
  if (x.strides != channels_last_strides(x.shape) || y.strides != channels_last_strides(y.shape)) return {};
  std::vector<Part> parts;
  const auto most = std::bit_floor(static_cast<uint64_t>(std::max<int64_t>(rows / kFewestRows, 1)));
  const auto count = static_cast<int64_t>(
      std::min(std::bit_ceil((wanted + static_cast<uint64_t>(images) - 1) / static_cast<uint64_t>(images)), most));
  for (int64_t image = 0; image < images; ++image)
    for (int64_t p = 0; p < count; ++p) {
      const int64_t first = rows * p / count, last = rows * (p + 1) / count;
      const int64_t begin = first * window.stride.height - window.padding.top,
                    end = (last - 1) * window.stride.height - window.padding.top +
                          (window.kernel.height - 1) * window.dilation.height + 1;
      const int64_t from = std::max<int64_t>(begin, 0), to = std::min(end, height);
      if (from >= to) return {};
      Part& part = parts.emplace_back(
          Part{x, y, window, image * x.strides[0] + from * x.strides[2], image * y.strides[0] + first * y.strides[2]});
      part.x.shape[0] = part.y.shape[0] = 1;
      part.x.shape[2] = to - from;
      part.y.shape[2] = last - first;
      // A picture of its own: oneDNN has no fast kernel for one whose images would lie further apart.
      part.x.strides = channels_last_strides(part.x.shape);
      part.y.strides = channels_last_strides(part.y.shape);
      part.window.padding.top = from - begin;
      part.window.padding.bottom = end - to;
    }
  return parts;
}

}  // namespace graft::cpu
