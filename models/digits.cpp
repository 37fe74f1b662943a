#include "models/digits.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "runtime/core/random.h"

namespace graft {
namespace {

struct Point {
  float x, y;
};
using Stroke = std::vector<Point>;

/// The points a pen passes, in a box of ±0.5 by ±1, y upwards. Some digits are written in more than one way.
std::vector<Stroke> strokes_of(int digit, Random& random) {
  const bool other_way = random.below(2) == 1;
  switch (digit) {
    case 0:
      return {{{0, 0.95f},
               {-0.35f, 0.7f},
               {-0.48f, 0},
               {-0.33f, -0.72f},
               {0, -0.95f},
               {0.35f, -0.7f},
               {0.48f, 0},
               {0.33f, 0.72f},
               {0, 0.95f}}};
    case 1:
      if (other_way) return {{{0.05f, 0.95f}, {0, 0}, {-0.05f, -0.95f}}};
      return {{{-0.28f, 0.5f}, {0, 0.75f}, {0.08f, 0.95f}}, {{0.08f, 0.95f}, {0.06f, 0}, {0.05f, -0.95f}}};
    case 2:
      return {{{-0.43f, 0.5f},
               {-0.25f, 0.87f},
               {0.15f, 0.92f},
               {0.42f, 0.55f},
               {0.25f, 0.05f},
               {-0.15f, -0.5f},
               {-0.47f, -0.9f}},
              {{-0.47f, -0.9f}, {0, -0.86f}, {0.5f, -0.92f}}};
    case 3:
      return {{{-0.4f, 0.72f}, {0, 0.95f}, {0.38f, 0.62f}, {0.22f, 0.2f}, {-0.12f, 0.06f}},
              {{-0.12f, 0.06f}, {0.3f, -0.08f}, {0.45f, -0.48f}, {0.1f, -0.93f}, {-0.42f, -0.72f}}};
    case 4:
      return {{{0.1f, 0.95f}, {-0.25f, 0.3f}, {-0.5f, -0.2f}},
              {{-0.5f, -0.2f}, {0, -0.18f}, {0.5f, -0.2f}},
              {{0.22f, 0.45f}, {0.2f, -0.2f}, {0.15f, -0.95f}}};
    case 5:
      return {{{0.42f, 0.9f}, {0, 0.9f}, {-0.32f, 0.88f}},
              {{-0.32f, 0.88f}, {-0.35f, 0.5f}, {-0.37f, 0.15f}},
              {{-0.37f, 0.15f}, {0.05f, 0.28f}, {0.43f, -0.08f}, {0.36f, -0.62f}, {-0.05f, -0.93f}, {-0.45f, -0.7f}}};
    case 6:
      return {{{0.33f, 0.92f},
               {-0.1f, 0.6f},
               {-0.4f, 0},
               {-0.36f, -0.65f},
               {0.03f, -0.95f},
               {0.42f, -0.62f},
               {0.32f, -0.12f},
               {-0.02f, 0.02f},
               {-0.38f, -0.32f}}};
    case 7:
      if (other_way)
        return {{{-0.45f, 0.85f}, {0, 0.88f}, {0.45f, 0.85f}},
                {{0.45f, 0.85f}, {0.15f, 0.1f}, {-0.1f, -0.95f}},
                {{-0.2f, 0}, {0.1f, 0.02f}, {0.4f, 0.02f}}};
      return {{{-0.45f, 0.85f}, {0, 0.88f}, {0.45f, 0.85f}}, {{0.45f, 0.85f}, {0.15f, 0.1f}, {-0.1f, -0.95f}}};
    case 8:
      return {{{0, 0.06f},
               {-0.35f, 0.48f},
               {0, 0.94f},
               {0.35f, 0.48f},
               {0, 0.06f},
               {-0.4f, -0.45f},
               {0, -0.95f},
               {0.4f, -0.45f},
               {0, 0.06f}}};
    default:
      return {{{0.36f, 0.5f},
               {0.02f, 0.15f},
               {-0.36f, 0.42f},
               {-0.2f, 0.86f},
               {0.2f, 0.9f},
               {0.37f, 0.5f},
               {0.3f, -0.3f},
               {0.08f, -0.95f}}};
  }
}

/// A smooth line through the points (uniform Catmull-Rom spline), as many short segments.
Stroke smooth(const Stroke& points) {
  constexpr int kParts = 6;
  Stroke line;
  const auto n = static_cast<int>(points.size());
  const auto at = [&](int i) { return points[static_cast<size_t>(std::clamp(i, 0, n - 1))]; };
  for (int i = 0; i + 1 < n; ++i) {
    const Point a = at(i - 1), b = at(i), c = at(i + 1), d = at(i + 2);
    for (int k = 0; k < kParts; ++k) {
      const float t = static_cast<float>(k) / kParts;
      const auto blend = [t](float p, float q, float r, float s) {
        return 0.5f * (2 * q + (r - p) * t + (2 * p - 5 * q + 4 * r - s) * t * t + (3 * q - p - 3 * r + s) * t * t * t);
      };
      line.push_back({blend(a.x, b.x, c.x, d.x), blend(a.y, b.y, c.y, d.y)});
    }
  }
  line.push_back(points.back());
  return line;
}

float distance_to_segment(Point p, Point a, Point b) {
  const float dx = b.x - a.x, dy = b.y - a.y, length = dx * dx + dy * dy;
  const float t = length > 0 ? std::clamp(((p.x - a.x) * dx + (p.y - a.y) * dy) / length, 0.0f, 1.0f) : 0.0f;
  return std::hypot(p.x - a.x - t * dx, p.y - a.y - t * dy);
}

}  // namespace

std::vector<uint8_t> draw_digit(int digit, int side, uint64_t seed, uint64_t index) {
  Random random(mix(mix(seed, 0x64696769 + static_cast<uint64_t>(digit)), index));
  std::vector<Stroke> strokes = strokes_of(digit, random);
  const float slant = random.uniform(-0.1f, 0.35f), turn = random.uniform(-0.2f, 0.2f),
              height = random.uniform(0.55f, 0.72f), width = height * random.uniform(0.7f, 1.15f);
  const float cx = random.uniform(-0.12f, 0.12f), cy = random.uniform(-0.12f, 0.12f),
              shake = random.uniform(0.02f, 0.07f);
  const float pen = random.uniform(0.05f, 0.12f), softness = random.uniform(0.03f, 0.08f),
              ink = random.uniform(0.75f, 1.0f), ground = random.uniform(0.0f, 0.1f),
              noise = random.uniform(0.0f, 0.05f);
  for (Stroke& stroke : strokes) {
    for (Point& p : stroke) {
      const float x = (p.x + shake * random.normal()) * width + slant * p.y * height,
                  y = (p.y + shake * random.normal()) * height;
      p = {cx + x * std::cos(turn) - y * std::sin(turn), cy + x * std::sin(turn) + y * std::cos(turn)};
    }
    stroke = smooth(stroke);
  }
  std::vector<uint8_t> pixels(static_cast<size_t>(side) * static_cast<size_t>(side) * 3);
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      const Point p{2 * (static_cast<float>(x) + 0.5f) / static_cast<float>(side) - 1,
                    1 - 2 * (static_cast<float>(y) + 0.5f) / static_cast<float>(side)};
      float nearest = 4;
      for (const Stroke& stroke : strokes)
        for (size_t i = 0; i + 1 < stroke.size(); ++i)
          nearest = std::min(nearest, distance_to_segment(p, stroke[i], stroke[i + 1]));
      const float cover = std::clamp(0.5f + (pen - nearest) / (2 * softness), 0.0f, 1.0f);
      const float value = ground + (ink - ground) * cover + noise * random.normal();
      std::fill_n(pixels.begin() + (static_cast<int64_t>(y) * side + x) * 3, 3,
                  static_cast<uint8_t>(std::clamp(value * 255, 0.0f, 255.0f)));
    }
  }
  return pixels;
}

}  // namespace graft
