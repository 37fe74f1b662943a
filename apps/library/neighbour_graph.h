#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace graft {

/// A hierarchical navigable small world graph over rows of unit length (hnswlib). Rows are added in order by one
/// thread, so that the same rows make the same graph.
class NeighbourGraph {
 public:
  NeighbourGraph(size_t width, size_t rows);
  /// What bytes() gave. Throws Error (corrupt_file) for anything else: everything that a search follows is checked.
  NeighbourGraph(std::span<const uint8_t> bytes, size_t width, size_t rows);
  ~NeighbourGraph();

  void add(const float* row);
  std::vector<uint8_t> bytes() const;
  /// Rows and their inner products with `row`, the largest first. Of up to 20,000 rows the nearest; of more, nearly
  /// always. Calls must not overlap.
  std::vector<std::pair<size_t, float>> nearest(const float* row, size_t count) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace graft
