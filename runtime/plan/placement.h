#pragma once

#include <map>
#include <vector>

#include "runtime/core/backend.h"
#include "runtime/core/graph.h"

namespace graft {

/// Where the values of a graph lie: their strides, which of them share memory, and for how long each piece of memory is
/// needed.
class Placement {
 public:
  /// Memory shared by a value and its reshaped or in-place successors.
  struct Storage {
    enum class Kind { arena, constant, bound } kind = Kind::arena;
    size_t bytes = 0;
    int first = 0, last = 0;      // nodes between which it is needed
    bool pinned = false;          // inputs and outputs: never overwritten by a later kernel
    const void* fixed = nullptr;  // constants, and bound inputs
    size_t offset = 0;            // in the arena, once it is laid out
  };

  /// `graph` and `backend` outlive this object. All shapes of the graph that count are closed.
  Placement(const Graph& graph, const Backend& backend);

  const Strides& strides(ValueId id) const { return strides_[static_cast<size_t>(id)]; }
  /// False for a value that no node touches.
  bool is_placed(ValueId id) const { return storage_of_[static_cast<size_t>(id)] != kNoStorage; }
  Storage& storage(ValueId id) { return storages_[static_cast<size_t>(storage_of_[static_cast<size_t>(id)])]; }
  /// Whether a node only calls its input by another shape, so that no kernel is needed.
  bool is_alias(const Node& node) const;
  /// The input whose memory a node's first output takes over, or -1.
  int in_place_input(size_t node) const { return in_place_[node]; }
  /// For outputs that are taken early (Graph::early_releases), the node after which they are.
  const std::map<ValueId, int>& released_after() const { return taken_after_; }
  /// Gives every storage its place in an arena; returns the bytes of all.
  size_t lay_out();

 private:
  using Readers = std::vector<std::vector<int>>;
  static constexpr int kNoStorage = -1;

  void choose_strides();
  void schedule_early_releases(const Readers& readers);
  void share_memory(const Readers& readers);
  size_t bytes_of(ValueId id) const;
  int new_storage(const Storage& storage);
  int overwritten_input(const Node& node, int index, size_t output, const Readers& readers);

  const Graph& graph_;
  const Backend& backend_;
  std::vector<Strides> strides_;  // per value
  std::vector<int> storage_of_;   // per value
  std::vector<Storage> storages_;
  std::vector<int> in_place_;  // per node
  std::map<ValueId, int> taken_after_;
};

}  // namespace graft
