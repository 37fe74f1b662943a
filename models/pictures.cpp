#include "models/pictures.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "models/digits.h"
#include "runtime/core/error.h"
#include "runtime/core/random.h"

namespace graft {
namespace {

constexpr float kPi = std::numbers::pi_v<float>;
using Colour = std::array<float, 3>;

struct Point {
  float x, y;
};

// Each figure is a test whether a point of the square [-1, 1]² lies inside.
bool polygon(Point p, int corners) {
  const float angle = std::atan2(p.x, p.y), sector = 2 * kPi / static_cast<float>(corners);
  const float folded = angle - sector * std::round(angle / sector);
  return std::hypot(p.x, p.y) * std::cos(folded) < 0.9f * std::cos(kPi / static_cast<float>(corners));
}

bool star(Point p, int rays, float depth) {
  const float angle = std::atan2(p.x, p.y), sector = 2 * kPi / static_cast<float>(rays);
  const float folded = std::fabs(angle - sector * std::round(angle / sector)) / (sector / 2);
  return std::hypot(p.x, p.y) < 0.95f * (1 - depth * folded);
}

bool inside_figure(int figure, Point p) {
  const float r = std::hypot(p.x, p.y), ax = std::fabs(p.x), ay = std::fabs(p.y);
  switch (figure) {
    // the figures of the pretraining set
    case 0:
      return r < 0.85f;  // disc
    case 1:
      return std::max(ax, ay) < 0.7f;  // square
    case 2:
      return polygon(p, 3);  // triangle
    case 3:
      return star(p, 5, 0.58f);  // star
    case 4:
      return (ax < 0.25f && ay < 0.85f) || (ay < 0.25f && ax < 0.85f);  // cross
    case 5:
      return r < 0.88f && r > 0.5f;  // ring
    case 6:
      return r < 0.88f && std::hypot(p.x - 0.4f, p.y) > 0.7f;  // crescent
    case 7:
      return ax < 0.85f && ay < 0.32f;  // bar
    case 8:
      return (p.y < 0.1f && p.y > -0.85f && ax < 0.22f) || (p.y >= 0.1f && p.y < 0.85f && ax < 0.85f - p.y);  // arrow
    case 9:
      return polygon(p, 6);  // hexagon
    // the figures of the demo, never seen in pretraining
    case 10:
      return std::pow(p.x * p.x + p.y * p.y - 0.45f, 3.0f) < 1.2f * p.x * p.x * p.y * p.y * p.y;  // heart
    case 11:
      return star(p, 8, 0.45f);  // sun
    case 12:
      return (std::fabs(ay - 0.45f) < 0.2f || (ax < 0.2f && ay < 0.65f)) && ax < 0.75f;  // H-beam
    case 13:
      return std::fabs(p.y - 0.45f * std::sin(p.x * 4)) < 0.25f && ax < 0.9f;  // wave
    case 14:
      return std::hypot(ax - 0.45f, p.y) < 0.4f;  // pair of discs
    case 15:
      return r < 0.85f && p.y > -0.1f;  // half disc
    default:
      return false;
  }
}

/// 0 or 1: which of the filling's two colours a point takes.
int texture_at(int texture, Point p, float scale) {
  const auto cell = [&](float v) { return static_cast<int>(std::floor(v * scale)) & 1; };
  switch (texture) {
    case 0:
      return 0;  // plain
    case 1:
      return cell(p.x);  // stripes
    case 2:
      return cell(p.x) ^ cell(p.y);  // checks
    default:
      return std::hypot(std::remainder(p.x * scale, 1.0f), std::remainder(p.y * scale, 1.0f)) < 0.3f;  // dots
  }
}

const char* const kFigures[] = {"disc",  "square",  "triangle", "star", "cross", "ring", "crescent", "bar",
                                "arrow", "hexagon", "heart",    "sun",  "beam",  "wave", "pair",     "halfdisc"};
const char* const kTextures[] = {"plain", "striped", "checked", "dotted"};

Colour random_colour(Random& random) { return {random.uniform(), random.uniform(), random.uniform()}; }

float distance(const Colour& a, const Colour& b) {
  return std::fabs(a[0] - b[0]) + std::fabs(a[1] - b[1]) + std::fabs(a[2] - b[2]);
}

/// A colour that can be told from `other`.
Colour contrasting_colour(Random& random, const Colour& other) {
  Colour c = random_colour(random);
  for (int i = 0; i < 20 && distance(c, other) < 0.8f; ++i) c = random_colour(random);
  return c;
}

}  // namespace

std::vector<PictureClass> picture_classes(const std::string& set) {
  std::vector<PictureClass> classes;
  if (set == "pretrain") {
    for (int f = 0; f < 10; ++f)
      for (int t = 0; t < 3; ++t) classes.push_back({std::string(kTextures[t]) + "-" + kFigures[f], f, t});
  } else if (set == "demo") {
    for (int f = 10; f < 16; ++f) classes.push_back({kFigures[f], f, -1});
  } else if (set == "digits") {
    for (int d = 0; d < 10; ++d) classes.push_back({std::to_string(d), kFirstDigit + d, 0});
  } else {
    throw Error("unknown picture set \"" + set + "\"", "use pretrain, demo or digits");
  }
  return classes;
}

std::vector<uint8_t> draw_picture(const PictureClass& kind, int side, uint64_t seed, uint64_t index) {
  if (kind.figure >= kFirstDigit) return draw_digit(kind.figure - kFirstDigit, side, seed, index);
  Random random(mix(mix(seed, static_cast<uint64_t>(kind.figure * 8 + kind.texture + 1)), index));
  const Colour ground = random_colour(random), ground_end = random_colour(random);
  const Colour fill = contrasting_colour(random, ground), second = contrasting_colour(random, fill);
  const int texture = kind.texture >= 0 ? kind.texture : static_cast<int>(random.below(4));
  const float angle = random.uniform(-kPi / 5, kPi / 5), size = random.uniform(0.45f, 0.8f),
              stretch = random.uniform(0.8f, 1.25f);
  const float cx = random.uniform(-0.25f, 0.25f), cy = random.uniform(-0.25f, 0.25f), scale = random.uniform(3, 5);
  const float shade_angle = random.uniform(0, 2 * kPi), ground_angle = random.uniform(0, 2 * kPi),
              shade = random.uniform(0, 0.45f), noise = random.uniform(0.01f, 0.08f);
  const float light = random.uniform(0.7f, 1.2f);
  const int clutter = static_cast<int>(random.below(4));
  std::array<std::array<float, 3>, 4> blobs{};
  for (auto& b : blobs) b = {random.uniform(-1, 1), random.uniform(-1, 1), random.uniform(0.05f, 0.18f)};
  const Colour blob_colour = random_colour(random);

  std::vector<uint8_t> pixels(static_cast<size_t>(side * side * 3));
  constexpr int kSamples = 2;  // a side, for soft edges
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      Colour sum{};
      for (int s = 0; s < kSamples * kSamples; ++s) {
        const float u = 2 * (static_cast<float>(x) + (static_cast<float>(s % kSamples) + 0.5f) / kSamples) /
                            static_cast<float>(side) -
                        1;
        const float v = 1 - 2 * (static_cast<float>(y) + (static_cast<float>(s / kSamples) + 0.5f) / kSamples) /
                                static_cast<float>(side);
        const float blend =
            std::clamp(0.5f + 0.5f * (u * std::cos(ground_angle) + v * std::sin(ground_angle)), 0.0f, 1.0f) * 0.6f;
        Colour c{};
        for (size_t k = 0; k < 3; ++k) c[k] = ground[k] * (1 - blend) + ground_end[k] * blend;
        for (int b = 0; b < clutter; ++b)
          if (std::hypot(u - blobs[static_cast<size_t>(b)][0], v - blobs[static_cast<size_t>(b)][1]) <
              blobs[static_cast<size_t>(b)][2])
            c = blob_colour;
        const float dx = (u - cx) / size, dy = (v - cy) / size;
        const Point p{(dx * std::cos(angle) + dy * std::sin(angle)) * stretch,
                      (-dx * std::sin(angle) + dy * std::cos(angle)) / stretch};
        if (inside_figure(kind.figure, p)) c = texture_at(texture, p, scale) ? second : fill;
        const float lit = light * (1 - shade * (0.5f + 0.5f * (u * std::cos(shade_angle) + v * std::sin(shade_angle))));
        for (size_t k = 0; k < 3; ++k) sum[k] += c[k] * lit / (kSamples * kSamples);
      }
      for (size_t k = 0; k < 3; ++k) {
        const float value = sum[k] + noise * random.normal();
        pixels[static_cast<size_t>(y * side + x) * 3 + k] = static_cast<uint8_t>(std::clamp(value * 255, 0.0f, 255.0f));
      }
    }
  }
  return pixels;
}

}  // namespace graft
