#include "runtime/plan/placement.h"

#include <algorithm>

#include "runtime/core/strided_copy.h"
#include "runtime/plan/memory_planner.h"

namespace graft {
namespace {

int last_use(ValueId id, const std::vector<std::vector<int>>& readers) {
  const auto& list = readers[static_cast<size_t>(id)];
  return list.empty() ? -1 : *std::max_element(list.begin(), list.end());
}

/// Which values of rank four lie as pictures do: those that an operator wants so, and inputs and outputs, whose owner
/// knows no other order; with them all that operators join them with which want their operands alike. What is left are
/// matrices of attention, windows of tokens and their like, which are row-major.
class PictureLayouts {
 public:
  PictureLayouts(const Graph& graph, const std::vector<bool>& weight_like)
      : graph_(graph), group_(graph.value_count()) {
    for (size_t i = 0; i < group_.size(); ++i) group_[i] = i;
    wanted_.assign(group_.size(), false);
    counts_.resize(group_.size());
    for (size_t i = 0; i < group_.size(); ++i) {
      const Value& v = graph.value(static_cast<ValueId>(i));
      counts_[i] = v.shape.rank() == 4 && !v.constant && !weight_like[i];
    }
    for (const ValueId id : graph.inputs) want(id);
    leave_gradients_to_parameters();
    for (const ValueId id : graph.outputs) want(id);
    for (const Node& node : graph.nodes) {
      const Operator::Layout layout = node.op->layout();
      if (layout == Operator::Layout::each_any) continue;
      size_t first = kNone;
      for (const auto* list : {&node.inputs, &node.outputs})
        for (const ValueId id : *list) {
          if (id == kNoValue || !counts_[static_cast<size_t>(id)]) continue;
          if (layout == Operator::Layout::channels_last) want(id);
          if (first == kNone) first = static_cast<size_t>(id);
          join(first, static_cast<size_t>(id));
        }
    }
  }
  bool is_channels_last(size_t id) { return counts_[id] && wanted_[root(id)]; }

 private:
  static constexpr size_t kNone = SIZE_MAX;
  /// Outputs of the backward pass that no picture operator makes are gradients of numbers that are added or multiplied,
  /// which lie as those do.
  void leave_gradients_to_parameters() {
    const auto producers = graph_.producers();
    for (const ValueId id : graph_.outputs) {
      const int index = producers[static_cast<size_t>(id)];
      if (index >= 0 && static_cast<size_t>(index) >= graph_.backward_begin &&
          graph_.nodes[static_cast<size_t>(index)].op->layout() != Operator::Layout::channels_last)
        counts_[static_cast<size_t>(id)] = false;
    }
  }
  size_t root(size_t i) {
    while (group_[i] != i) i = group_[i] = group_[group_[i]];
    return i;
  }
  void want(ValueId id) {
    if (id != kNoValue && counts_[static_cast<size_t>(id)]) wanted_[root(static_cast<size_t>(id))] = true;
  }
  void join(size_t a, size_t b) {
    a = root(a);
    b = root(b);
    wanted_[a] = wanted_[a] || wanted_[b];
    group_[b] = a;
  }

  const Graph& graph_;
  std::vector<size_t> group_;  // union-find
  std::vector<bool> wanted_;   // channels-last; of roots
  std::vector<bool> counts_;   // of rank four, and no weight
};

}  // namespace

Placement::Placement(const Graph& graph, const Backend& backend) : graph_(graph), backend_(backend) {
  const Readers readers = graph.consumers();
  choose_strides();
  schedule_early_releases(readers);
  share_memory(readers);
}

size_t Placement::bytes_of(ValueId id) const {
  const Value& v = graph_.value(id);
  return static_cast<size_t>(v.shape.elements()) * size_of(v.dtype);
}

int Placement::new_storage(const Storage& storage) {
  storages_.push_back(storage);
  return static_cast<int>(storages_.size()) - 1;
}

void Placement::choose_strides() {
  strides_.resize(graph_.value_count());
  const std::vector<bool> weight_like = weight_like_values(graph_);
  PictureLayouts layouts(graph_, weight_like);
  for (size_t i = 0; i < graph_.value_count(); ++i) {
    const Value& v = graph_.value(static_cast<ValueId>(i));
    if (v.shape.is_open()) continue;  // a value of the graph that this plan does not touch
    strides_[i] = layouts.is_channels_last(i) ? channels_last_strides(v.shape) : plain_strides(v.shape);
  }
}

void Placement::schedule_early_releases(const Readers& readers) {
  const auto producer = graph_.producers();
  for (const Graph::EarlyRelease& taken : graph_.early_releases) {
    const ValueId id = graph_.outputs[taken.output];
    int& node = taken_after_.try_emplace(id, -1).first->second;
    node = std::max({node, producer[static_cast<size_t>(id)], last_use(id, readers)});
    for (size_t i = 0; i < graph_.value_count(); ++i) {
      const auto other = static_cast<ValueId>(i);
      if (graph_.value(other).constant == graph_.value(taken.constant).constant)
        node = std::max(node, last_use(other, readers));
    }
  }
}

bool Placement::is_alias(const Node& node) const {
  if (node.inputs.empty() || node.inputs[0] == kNoValue) return false;
  const ValueId from = node.inputs[0], to = node.outputs[0];
  if (graph_.value(from).dtype != graph_.value(to).dtype) return false;
  if (node.op->is_view(graph_.type_of(from), strides(from), graph_.type_of(to), strides(to))) return true;
  return node.op->is_reshape() && is_row_major(graph_.value(from).shape, strides(from)) &&
         is_row_major(graph_.value(to).shape, strides(to));
}

int Placement::overwritten_input(const Node& node, int index, size_t output, const Readers& readers) {
  const ValueId y = node.outputs[output];
  for (int i : node.op->in_place_inputs(output)) {
    if (i >= static_cast<int>(node.inputs.size()) || !backend_.may_overwrite(*node.op, i)) continue;
    const ValueId x = node.inputs[static_cast<size_t>(i)];
    if (x == kNoValue) continue;
    const Storage& s = storage(x);
    if (s.kind != Storage::Kind::arena || s.pinned || s.last > index) continue;
    if (graph_.value(x).dtype != graph_.value(y).dtype || graph_.value(x).shape != graph_.value(y).shape ||
        strides(x) != strides(y))
      continue;
    int sharing = 0;
    for (ValueId other : node.inputs)
      sharing += other != kNoValue && storage_of_[static_cast<size_t>(other)] == storage_of_[static_cast<size_t>(x)];
    if (sharing == 1 && last_use(x, readers) == index) return i;
  }
  return -1;
}

void Placement::share_memory(const Readers& readers) {
  const int end = static_cast<int>(graph_.nodes.size());
  std::vector<bool> pinned(graph_.value_count(), false);
  for (ValueId id : graph_.inputs) pinned[static_cast<size_t>(id)] = true;
  for (ValueId id : graph_.outputs) pinned[static_cast<size_t>(id)] = true;
  storage_of_.assign(graph_.value_count(), kNoStorage);
  for (ValueId id : graph_.inputs)
    storage_of_[static_cast<size_t>(id)] = new_storage({Storage::Kind::arena, bytes_of(id), -1, end, true, nullptr, 0});
  const auto touch_constant = [&](ValueId id) {
    if (id == kNoValue || !graph_.value(id).constant || is_placed(id)) return;
    storage_of_[static_cast<size_t>(id)] =
        new_storage({Storage::Kind::constant, bytes_of(id), 0, 0, true, graph_.value(id).constant->raw(), 0});
  };
  for (ValueId id : graph_.outputs) touch_constant(id);
  in_place_.assign(graph_.nodes.size(), -1);
  for (int n = 0; n < end; ++n) {
    const Node& node = graph_.nodes[static_cast<size_t>(n)];
    for (ValueId id : node.inputs) touch_constant(id);
    const auto lives_until = [&](ValueId id) {
      if (const auto taken = taken_after_.find(id); taken != taken_after_.end()) return taken->second;
      return pinned[static_cast<size_t>(id)] ? end : std::max(n, last_use(id, readers));
    };
    const bool alias = is_alias(node);
    std::vector<int> overwritten;
    for (size_t o = 0; o < node.outputs.size(); ++o) {
      const ValueId id = node.outputs[o];
      const auto i = static_cast<size_t>(id);
      int from = alias ? 0 : overwritten_input(node, n, o, readers);
      if (std::find(overwritten.begin(), overwritten.end(), from) != overwritten.end()) from = -1;
      if (o == 0) in_place_[static_cast<size_t>(n)] = from;
      if (from < 0) {
        storage_of_[i] = new_storage({Storage::Kind::arena, bytes_of(id), n, lives_until(id), pinned[i], nullptr, 0});
        continue;
      }
      overwritten.push_back(from);
      storage_of_[i] = storage_of_[static_cast<size_t>(node.inputs[static_cast<size_t>(from)])];
      Storage& s = storage(id);
      s.last = std::max(s.last, lives_until(id));
      s.pinned = s.pinned || pinned[i];
    }
  }
}

size_t Placement::lay_out() {
  std::vector<Block> blocks;
  std::vector<size_t> owner;
  for (size_t s = 0; s < storages_.size(); ++s) {
    if (storages_[s].kind != Storage::Kind::arena) continue;
    blocks.push_back({storages_[s].bytes, storages_[s].first, storages_[s].last, 0});
    owner.push_back(s);
  }
  const size_t total = graft::lay_out(blocks);
  for (size_t i = 0; i < blocks.size(); ++i) storages_[owner[i]].offset = blocks[i].offset;
  return total;
}

}  // namespace graft
