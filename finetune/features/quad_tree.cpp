#include "finetune/features/quad_tree.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace graft {
namespace {

constexpr uint32_t kLeaf = 4;  // points that are not parted any more
constexpr int kDeepest = 48;   // points that lie on each other cannot be

}  // namespace

QuadTree::QuadTree(std::span<const double> places)
    : places_(places.begin(), places.end()), order_(places.size() / 2), place_of_(places.size() / 2) {
  std::iota(order_.begin(), order_.end(), 0u);
  double low[2] = {HUGE_VAL, HUGE_VAL}, high[2] = {-HUGE_VAL, -HUGE_VAL};
  for (size_t i = 0; i < places.size(); ++i) {
    low[i % 2] = std::min(low[i % 2], places[i]);
    high[i % 2] = std::max(high[i % 2], places[i]);
  }
  const double width = std::max({high[0] - low[0], high[1] - low[1], std::numeric_limits<double>::min()});
  cells_.reserve(order_.size());
  if (!order_.empty()) add(0, static_cast<uint32_t>(order_.size()), low[0], low[1], width, 0);
  for (uint32_t i = 0; i < order_.size(); ++i) {
    place_of_[order_[i]] = i;
    places_[2 * i] = places[2 * order_[i]];
    places_[2 * i + 1] = places[2 * order_[i] + 1];
  }
}

/// Reads places_ by point: they are put in order when all cells are there.
void QuadTree::add(uint32_t begin, uint32_t end, double left, double top, double width, int depth) {
  const size_t at = cells_.size();
  cells_.push_back({.width = width, .begin = begin, .end = end, .leaf = end - begin <= kLeaf || depth == kDeepest});
  double x = 0, y = 0;
  for (uint32_t i = begin; i < end; ++i) {
    x += places_[2 * order_[i]];
    y += places_[2 * order_[i] + 1];
  }
  cells_[at].x = x / (end - begin);
  cells_[at].y = y / (end - begin);
  if (!cells_[at].leaf) {
    const double half = width / 2, middle_x = left + half, middle_y = top + half;
    const auto part = [&](uint32_t from, uint32_t to, size_t axis, double middle) {
      return static_cast<uint32_t>(std::partition(order_.begin() + from, order_.begin() + to,
                                                  [&](uint32_t p) { return places_[2 * p + axis] < middle; }) -
                                   order_.begin());
    };
    const uint32_t across = part(begin, end, 1, middle_y), upper = part(begin, across, 0, middle_x),
                   lower = part(across, end, 0, middle_x);
    const struct {
      uint32_t begin, end;
      double left, top;
    } quarters[] = {{begin, upper, left, top},
                    {upper, across, middle_x, top},
                    {across, lower, left, middle_y},
                    {lower, end, middle_x, middle_y}};
    for (const auto& q : quarters)
      if (q.begin < q.end) add(q.begin, q.end, q.left, q.top, half, depth + 1);
  }
  cells_[at].skip = static_cast<uint32_t>(cells_.size());
}

QuadTree::Sums QuadTree::sums(size_t point, double angle) const {
  const uint32_t own = place_of_[point];
  const double x = places_[2 * own], y = places_[2 * own + 1];
  Sums sums;
  const auto count = [&](double other_x, double other_y, double points) {
    const double dx = x - other_x, dy = y - other_y, w = 1 / (1 + dx * dx + dy * dy);
    sums.weights += points * w;
    sums.x += points * w * w * dx;
    sums.y += points * w * w * dy;
  };
  const double limit = angle * angle;
  for (uint32_t c = 0; c < cells_.size();) {
    const Cell& cell = cells_[c];
    const double dx = x - cell.x, dy = y - cell.y;
    if (cell.width * cell.width < limit * (dx * dx + dy * dy)) {
      count(cell.x, cell.y, cell.end - cell.begin);
      c = cell.skip;
    } else if (cell.leaf) {
      for (uint32_t i = cell.begin; i < cell.end; ++i)
        if (i != own) count(places_[2 * i], places_[2 * i + 1], 1);
      c = cell.skip;
    } else
      ++c;
  }
  return sums;
}

}  // namespace graft
