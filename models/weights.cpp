#include "models/weights.h"

#include <algorithm>
#include <set>

#include "runtime/core/error.h"

namespace graft {
namespace {

/// Counts of batches and tables of places, which are no weights here.
bool is_bookkeeping(const std::string& name) {
  return name.ends_with("num_batches_tracked") || name.ends_with("relative_position_index") ||
         name.ends_with("attn_mask");
}

/// Whether a dense layer's weights [out, in] are those of a convolution of 1×1, or the other way round.
bool same_but_for_trailing_ones(const Shape& a, const Shape& b) {
  const size_t common = std::min(a.rank(), b.rank());
  const auto is_one = [](int64_t extent) { return extent == 1; };
  return std::equal(a.begin(), a.begin() + common, b.begin()) && std::all_of(a.begin() + common, a.end(), is_one) &&
         std::all_of(b.begin() + common, b.end(), is_one);
}

}  // namespace

FilledWeights fill_weights(Graph& graph, const std::map<std::string, Tensor>& weights,
                           const std::function<std::string(const std::string&)>& name_of) {
  std::set<std::string> head;  // the last layer's
  if (!graph.nodes.empty())
    for (size_t i = graph.nodes.size(); i-- > 0 && head.empty();)
      for (ValueId id : graph.nodes[i].inputs)
        if (id != kNoValue && graph.value(id).constant && graph.value(id).shape.rank() > 0)
          head.insert(graph.value(id).name);
  FilledWeights result;
  std::set<std::string> known;
  for (size_t i = 0; i < graph.value_count(); ++i) {
    Value& value = graph.value(static_cast<ValueId>(i));
    if (!value.constant || value.dtype != DType::f32 || value.shape.rank() == 0) continue;
    const std::string name = name_of(value.name);
    const auto given = weights.find(name);
    if (given == weights.end()) {
      result.missing.push_back(name);
      continue;
    }
    known.insert(name);
    if (given->second.dtype() != DType::f32 && given->second.dtype() != DType::f64)
      throw Error(name + ": holds " + std::string(graft::name_of(given->second.dtype())) + ", not floats", {},
                  ErrorCode::corrupt_file);
    if (!same_but_for_trailing_ones(given->second.shape(), value.shape)) {
      std::string says = name + ": " + given->second.shape().str() + ", not " + value.shape.str();
      if (!head.contains(value.name))
        throw Error(says, "are these the weights of this architecture?", ErrorCode::corrupt_file);
      result.other_shapes.push_back(std::move(says));
      continue;
    }
    Tensor weight = cast(given->second, DType::f32);
    weight.reshape(value.shape);
    *value.constant = std::move(weight);
    ++result.taken;
  }
  for (const auto& [name, tensor] : weights)
    if (!known.contains(name) && !is_bookkeeping(name)) result.unused.push_back(name);
  if (result.taken > 0 && result.missing.size() > result.taken)
    throw Error("has " + std::to_string(result.taken) + " of this architecture's tensors, and lacks " +
                    result.missing[0] + " and " + std::to_string(result.missing.size() - 1) + " more",
                "are these the weights of another one?", ErrorCode::corrupt_file);
  if (result.taken == 0)
    throw Error("none of the weights has the name of one of this architecture's",
                "docs/architectures.md lists those that are filled by torchvision's or timm's names",
                ErrorCode::corrupt_file);
  return result;
}

}  // namespace graft
