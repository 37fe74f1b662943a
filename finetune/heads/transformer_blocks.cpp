#include "finetune/heads/transformer_blocks.h"

#include <algorithm>
#include <optional>

#include "runtime/core/users.h"
#include "runtime/ops/attention.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/gemm.h"

namespace graft {
namespace {

constexpr int kFollowingBranches = 2;

/// x + f(x).
struct Residual {
  size_t join;                 // the node that adds
  ValueId skip;                // x
  std::vector<size_t> branch;  // the nodes of f
  bool attends;
};

class BlockFinder {
 public:
  explicit BlockFinder(const Graph& graph)
      : graph_(graph), producer_(graph.producers()), follows_input_(values_following_inputs(graph)) {}

  std::vector<int> find() const {
    std::vector<int> block(graph_.nodes.size(), -1);
    int blocks = 0, following = 0;
    ValueId end = kNoValue;  // of the block that is open
    for (const Residual& residual : residuals()) {
      std::vector<size_t> nodes = residual.branch;
      if (residual.attends) {
        ++blocks;
        following = 0;
      } else {
        if (end == kNoValue) continue;
        const auto between = nodes_between(end, residual.skip);
        if (!between || following == kFollowingBranches) {
          end = kNoValue;
          continue;
        }
        nodes.insert(nodes.end(), between->begin(), between->end());
        ++following;
      }
      for (size_t n : nodes) block[n] = blocks - 1;
      block[residual.join] = blocks - 1;
      end = graph_.nodes[residual.join].outputs[0];
    }
    return block;
  }

 private:
  /// Those that hold at most one attention: what encloses whole blocks is none.
  std::vector<Residual> residuals() const {
    std::vector<Residual> found;
    std::vector<bool> in_attention(graph_.nodes.size(), false);
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      const Node& node = graph_.nodes[n];
      const auto* binary = dynamic_cast<const Binary*>(node.op.get());
      if (!binary || binary->kind != Binary::Kind::add) continue;
      for (const auto& [from, skip] : {std::pair{node.inputs[0], node.inputs[1]}, {node.inputs[1], node.inputs[0]}}) {
        auto branch = nodes_above(from, skip);
        if (!branch || branch->empty()) continue;
        const bool encloses =
            std::any_of(branch->begin(), branch->end(), [&](size_t inner) { return in_attention[inner]; });
        const bool attends =
            std::any_of(branch->begin(), branch->end(), [&](size_t inner) { return is_attention(inner); });
        if (encloses) break;
        if (attends) {
          for (size_t inner : *branch) in_attention[inner] = true;
          in_attention[n] = true;
        }
        found.push_back({n, skip, std::move(*branch), attends});
        break;
      }
    }
    return found;
  }

  bool follows(ValueId id) const { return id != kNoValue && follows_input_[static_cast<size_t>(id)]; }

  bool is_attention(size_t n) const {
    const Node& node = graph_.nodes[n];
    if (dynamic_cast<const Attention*>(node.op.get())) return true;
    return dynamic_cast<const MatMul*>(node.op.get()) && follows(node.inputs[0]) && follows(node.inputs[1]);
  }

  /// The nodes that make `from` out of `start`; nothing where it depends on the network's input otherwise, too.
  std::optional<std::vector<size_t>> nodes_above(ValueId from, ValueId start) const {
    if (!follows(from) || !follows(start)) return std::nullopt;
    const int first = producer_[static_cast<size_t>(start)];
    std::vector<size_t> nodes;
    std::vector<ValueId> open{from};
    bool reached = false;
    while (!open.empty()) {
      const ValueId id = open.back();
      open.pop_back();
      if (id == start) {
        reached = true;
        continue;
      }
      if (!follows(id)) continue;
      const int source = producer_[static_cast<size_t>(id)];
      if (source <= first) return std::nullopt;  // before `start`, or an input
      const auto n = static_cast<size_t>(source);
      if (std::find(nodes.begin(), nodes.end(), n) != nodes.end()) continue;
      nodes.push_back(n);
      open.insert(open.end(), graph_.nodes[n].inputs.begin(), graph_.nodes[n].inputs.end());
    }
    if (!reached) return std::nullopt;
    return nodes;
  }

  /// The nodes of a way without layers (norms, views) from `start` to `end`; nothing where there is none so short.
  std::optional<std::vector<size_t>> nodes_between(ValueId start, ValueId end) const {
    constexpr size_t kLongest = 16;
    std::vector<size_t> nodes;
    for (ValueId id = end; id != start;) {
      const int source = producer_[static_cast<size_t>(id)];
      if (source < 0 || nodes.size() == kLongest) return std::nullopt;
      const Node& node = graph_.nodes[static_cast<size_t>(source)];
      if (node.op->type() == "Conv" || node.op->type() == "Gemm" || node.op->type() == "MatMul") return std::nullopt;
      nodes.push_back(static_cast<size_t>(source));
      const auto follow = [&](ValueId input) { return follows(input); };
      if (std::count_if(node.inputs.begin(), node.inputs.end(), follow) != 1) return std::nullopt;
      id = *std::find_if(node.inputs.begin(), node.inputs.end(), follow);
    }
    return nodes;
  }

  const Graph& graph_;
  std::vector<int> producer_;
  std::vector<bool> follows_input_;
};

}  // namespace

std::vector<int> transformer_blocks(const Graph& graph) { return BlockFinder(graph).find(); }

}  // namespace graft
