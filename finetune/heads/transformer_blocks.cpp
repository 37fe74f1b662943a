#include "finetune/heads/transformer_blocks.h"

#include <algorithm>
#include <optional>

#include "runtime/core/users.h"
#include "runtime/ops/attention.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/convolution.h"

namespace graft {
namespace {

/// x + f(x).
struct Residual {
  size_t join;                 // the node that adds
  ValueId skip;                // x
  std::vector<size_t> branch;  // the nodes of f
  bool has_attention;
};

class BlockFinder {
 public:
  explicit BlockFinder(const Graph& graph)
      : graph_(graph), producer_(graph.producers()), follows_input_(values_following_inputs(graph)) {}

  std::vector<int> find() const {
    std::vector<int> block(graph_.nodes.size(), -1);
    int blocks = 0;
    ValueId current_output = kNoValue;  // of a block that may take in more
    for (const Residual& residual : residuals()) {
      std::vector<size_t> nodes = residual.branch;
      if (residual.has_attention) {
        ++blocks;
      } else {
        if (current_output == kNoValue) continue;
        const auto between = nodes_between(current_output, residual.skip);
        if (!between || has_full_convolution(residual.branch)) {
          current_output = kNoValue;
          continue;
        }
        nodes.insert(nodes.end(), between->begin(), between->end());
      }
      for (size_t n : nodes) block[n] = blocks - 1;
      block[residual.join] = blocks - 1;
      // The feed-forward branch, or whatever mixes channels, is the last one.
      const bool is_last = !residual.has_attention && mixes_channels(residual.branch);
      current_output = is_last ? kNoValue : graph_.nodes[residual.join].outputs[0];
    }
    add_what_is_made_of_weights(block);
    return block;
  }

 private:
  /// Without those inside the branch of another, and without those around whole blocks.
  std::vector<Residual> residuals() const {
    std::vector<Residual> found;
    std::vector<bool> in_branch(graph_.nodes.size(), false), in_attention(graph_.nodes.size(), false);
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      const Node& node = graph_.nodes[n];
      const auto* binary = dynamic_cast<const Binary*>(node.op.get());
      if (!binary || binary->kind != Binary::Kind::add) continue;
      for (const auto& [from, skip] : {std::pair{node.inputs[0], node.inputs[1]}, {node.inputs[1], node.inputs[0]}}) {
        auto branch = nodes_above(from, skip);
        if (!branch || branch->empty()) continue;
        const bool is_around_blocks =
            std::any_of(branch->begin(), branch->end(), [&](size_t inner) { return in_attention[inner]; });
        if (is_around_blocks) break;
        const bool has_attention = products_of_activations(*branch) >= 2;
        for (size_t inner : *branch) in_branch[inner] = true;
        if (has_attention) {
          for (size_t inner : *branch) in_attention[inner] = true;
          in_attention[n] = true;
        }
        found.push_back({n, skip, std::move(*branch), has_attention});
        break;
      }
    }
    std::erase_if(found, [&](const Residual& r) { return !r.has_attention && in_branch[r.join]; });
    return found;
  }

  /// Whether the value is made from the network's input, not from its extents alone (integers).
  bool follows(ValueId id) const {
    return id != kNoValue && follows_input_[static_cast<size_t>(id)] && graph_.value(id).dtype == DType::f32;
  }

  /// Attention has two, queries by keys and what comes of them by values; pooling by weights has one.
  int products_of_activations(const std::vector<size_t>& branch) const {
    int products = 0;
    for (size_t n : branch) {
      const Node& node = graph_.nodes[n];
      const std::string_view type = node.op->type();
      if (dynamic_cast<const Attention*>(node.op.get())) products += 2;
      if ((type == "MatMul" || type == "Einsum") && node.inputs.size() == 2 && follows(node.inputs[0]) &&
          follows(node.inputs[1]))
        ++products;
    }
    return products;
  }

  /// Over pixels and all channels at once: of convolutional networks' blocks.
  bool has_full_convolution(const std::vector<size_t>& branch) const {
    return std::any_of(branch.begin(), branch.end(), [&](size_t n) {
      const auto* op = dynamic_cast<const Convolution*>(graph_.nodes[n].op.get());
      if (!op) return false;
      const Shape& weight = graph_.value(graph_.nodes[n].inputs[1]).shape;
      return op->groups == 1 && weight.rank() == 4 && weight[2] * weight[3] > 1;
    });
  }

  bool mixes_channels(const std::vector<size_t>& branch) const {
    return std::any_of(branch.begin(), branch.end(), [&](size_t n) {
      const Operator* op = graph_.nodes[n].op.get();
      const auto* convolution = dynamic_cast<const Convolution*>(op);
      return convolution ? convolution->groups == 1 : op->type() == "Gemm" || op->type() == "MatMul";
    });
  }

  /// Nodes that read weights alone (tables of places that are looked up) belong to the block that reads them.
  void add_what_is_made_of_weights(std::vector<int>& block) const {
    const auto readers = graph_.consumers();
    for (size_t n = graph_.nodes.size(); n-- > 0;) {
      const ValueId output = graph_.nodes[n].outputs[0];
      if (block[n] >= 0 || follows(output)) continue;
      const auto& all = readers[static_cast<size_t>(output)];
      if (all.empty()) continue;
      const int first = block[static_cast<size_t>(all[0])];
      if (std::all_of(all.begin(), all.end(), [&](int reader) { return block[static_cast<size_t>(reader)] == first; }))
        block[n] = first;
    }
  }

  /// The nodes that make `from` out of `start`; nothing where it depends on the network's input otherwise, too.
  std::optional<std::vector<size_t>> nodes_above(ValueId from, ValueId start) const {
    if (!follows(from) || !follows(start)) return std::nullopt;
    const int first = producer_[static_cast<size_t>(start)];
    std::vector<size_t> nodes;
    std::vector<ValueId> pending{from};
    bool reached = false;
    while (!pending.empty()) {
      const ValueId id = pending.back();
      pending.pop_back();
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
      pending.insert(pending.end(), graph_.nodes[n].inputs.begin(), graph_.nodes[n].inputs.end());
    }
    if (!reached) return std::nullopt;
    return nodes;
  }

  /// The nodes of the path from `start` to `end` if it holds no layer (norms and views alone) and at most kLongest
  /// nodes.
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
