#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace graft {

/// Points in the plane by cells of cells: what is far away is summed cell by cell. [Barnes & Hut 1986]
class QuadTree {
 public:
  /// `places`: points × 2, finite. Does not keep them.
  explicit QuadTree(std::span<const double> places);

  /// Of one point: Σ w and Σ w²·(own place - other place) over all others, w = 1 / (1 + distance²). A cell whose width
  /// is less than `angle` times its distance counts as so many points at its mean. [van der Maaten 2014, §4]
  struct Sums {
    double weights = 0, x = 0, y = 0;
  };
  Sums sums(size_t point, double angle) const;

 private:
  struct Cell {
    double x = 0, y = 0;  // mean of its points
    double width = 0;
    uint32_t begin = 0, end = 0;  // its points, in order_
    uint32_t skip = 0;            // the next cell that is not within it
    bool leaf = false;
  };
  void add(uint32_t begin, uint32_t end, double left, double top, double width, int depth);

  std::vector<double> places_;   // points × 2, in the order of their cells
  std::vector<uint32_t> order_;  // point by place in that order
  std::vector<uint32_t> place_of_;
  std::vector<Cell> cells_;  // each before those within it
};

}  // namespace graft
