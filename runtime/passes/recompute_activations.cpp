#include <algorithm>
#include <map>

#include "runtime/passes/passes.h"

namespace graft {
namespace {

/// What a pass over a differentiated graph needs to know of its forward half.
struct Forward {
  explicit Forward(const Graph& graph)
      : end(std::min(graph.backward_begin, graph.nodes.size())),
        producer(graph.producers()),
        last_use(graph.value_count(), -1),
        read_backward(graph.value_count(), false) {
    for (size_t n = 0; n < graph.nodes.size(); ++n)
      for (ValueId id : graph.nodes[n].inputs) {
        if (id == kNoValue) continue;
        if (n < end)
          last_use[static_cast<size_t>(id)] = static_cast<int>(n);
        else if (made_forward(id))
          read_backward[static_cast<size_t>(id)] = true;
      }
    for (ValueId id : graph.outputs)
      last_use[static_cast<size_t>(id)] = static_cast<int>(graph.nodes.size());  // kept anyway
  }
  bool made_forward(ValueId id) const {
    return producer[static_cast<size_t>(id)] >= 0 && static_cast<size_t>(producer[static_cast<size_t>(id)]) < end;
  }

  size_t end;
  std::vector<int> producer, last_use;  // of each value; the last node of the forward half that reads it
  std::vector<bool> read_backward;
};

int64_t bytes_of(const Graph& graph, ValueId id) {
  return graph.value(id).shape.elements() * static_cast<int64_t>(size_of(graph.value(id).dtype));
}

/// The nodes of one segment again, as far as the backward pass needs their values.
class Segment {
 public:
  Segment(Graph& graph, const Forward& forward, size_t first, size_t last)
      : graph_(graph), forward_(forward), first_(first), last_(last) {}

  /// Made in this segment, read backward, and not kept for a later one.
  bool makes_again(ValueId id) const {
    const auto i = static_cast<size_t>(id);
    return forward_.read_backward[i] && inside(id) && !kept(id);
  }
  bool inside(ValueId id) const {
    const int n = forward_.producer[static_cast<size_t>(id)];
    return n >= static_cast<int>(first_) && n < static_cast<int>(last_);
  }
  bool kept(ValueId id) const { return forward_.last_use[static_cast<size_t>(id)] >= static_cast<int>(last_); }

  /// Appends the copies to `nodes`, and to `copies` what stands for each value.
  void append(std::vector<Node>& nodes, std::map<ValueId, ValueId>& copies) {
    std::vector<bool> wanted(last_ - first_, false);
    for (size_t n = last_; n-- > first_;) {
      bool any = wanted[n - first_];
      for (ValueId id : graph_.nodes[n].outputs) any = any || makes_again(id);
      if (!any) continue;
      wanted[n - first_] = true;
      for (ValueId id : graph_.nodes[n].inputs)
        if (id != kNoValue && inside(id) && !kept(id))
          wanted[static_cast<size_t>(forward_.producer[static_cast<size_t>(id)]) - first_] = true;
    }
    for (size_t n = first_; n < last_; ++n)
      if (wanted[n - first_]) append_copy(graph_.nodes[n], nodes, copies);
  }

 private:
  /// Statistics are outputs of the whole graph and so still there: only what they were measured on is made again.
  void append_copy(const Node original, std::vector<Node>& nodes, std::map<ValueId, ValueId>& copies) {
    std::vector<ValueId> inputs = original.inputs;
    OperatorPtr op = original.op->recomputed_form(inputs, original.outputs);
    if (!op) op = original.op;
    for (ValueId& id : inputs)
      if (const auto copy = copies.find(id); copy != copies.end()) id = copy->second;
    const auto outputs = graph_.add_node(original.name + ":recomputed", op, inputs);
    nodes.push_back(std::move(graph_.nodes.back()));
    graph_.nodes.pop_back();
    // Of optional outputs (a layer norm's statistics) the original may have fewer.
    for (size_t o = 0; o < std::min(outputs.size(), original.outputs.size()); ++o)
      if (!kept(original.outputs[o])) copies[original.outputs[o]] = outputs[o];
  }

  Graph& graph_;
  const Forward& forward_;
  size_t first_, last_;
};

}  // namespace

void recompute_activations(Graph& graph, const std::vector<size_t>& cuts) {
  const Forward forward(graph);
  const std::vector<Node> backward(graph.nodes.begin() + static_cast<int64_t>(forward.end), graph.nodes.end());
  graph.nodes.resize(forward.end);
  std::vector<Segment> segments;
  size_t first = 0;
  for (size_t cut : cuts) {
    segments.emplace_back(graph, forward, first, cut);
    first = cut;
  }
  std::vector<bool> done(segments.size(), false);
  std::vector<Node> nodes;
  std::map<ValueId, ValueId> copies;
  for (Node node : backward) {
    for (ValueId& id : node.inputs) {
      if (id == kNoValue || static_cast<size_t>(id) >= forward.producer.size()) continue;
      for (size_t s = 0; s < segments.size(); ++s) {
        if (done[s] || !segments[s].makes_again(id)) continue;
        done[s] = true;
        segments[s].append(nodes, copies);
      }
      if (const auto copy = copies.find(id); copy != copies.end()) id = copy->second;
    }
    nodes.push_back(std::move(node));
  }
  for (Node& node : nodes) graph.nodes.push_back(std::move(node));
}

std::vector<size_t> place_cuts(const Graph& graph, size_t segments) {
  const Forward forward(graph);
  // Bytes that the backward pass reads from the nodes before each one, and how many values a cut there would have to
  // keep.
  std::vector<int64_t> before(forward.end + 1, 0);
  std::vector<int> crossing(forward.end + 1, 0);
  for (size_t n = 0; n < forward.end; ++n) {
    before[n + 1] = before[n];
    for (ValueId id : graph.nodes[n].outputs) {
      const auto i = static_cast<size_t>(id);
      if (forward.read_backward[i]) before[n + 1] += bytes_of(graph, id);
      const bool output = std::find(graph.outputs.begin(), graph.outputs.end(), id) != graph.outputs.end();
      if (output || forward.last_use[i] < 0) continue;
      for (size_t cut = n + 1; cut <= std::min(forward.end, static_cast<size_t>(forward.last_use[i])); ++cut)
        ++crossing[cut];
    }
  }
  std::vector<size_t> candidates, cuts;
  for (size_t cut = 1; cut < forward.end; ++cut)
    if (crossing[cut] == 1) candidates.push_back(cut);
  for (size_t s = 1; s < segments && !candidates.empty(); ++s) {
    const int64_t target = before[forward.end] * static_cast<int64_t>(s) / static_cast<int64_t>(segments);
    const auto distance = [&](size_t cut) { return std::abs(before[cut] - target); };
    const size_t best = *std::min_element(candidates.begin(), candidates.end(),
                                          [&](size_t a, size_t b) { return distance(a) < distance(b); });
    if (cuts.empty() || best > cuts.back()) cuts.push_back(best);
  }
  return cuts;
}

}  // namespace graft
