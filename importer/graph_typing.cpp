// What the reader learns of a graph whose sizes are open: contents of values that follow from extents, the sizes that
// fit, types.
#include <algorithm>
#include <cstring>
#include <optional>
#include <set>

#include "importer/graph_reader.h"
#include "importer/open_batch.h"
#include "runtime/core/error.h"
#include "runtime/cpu/cpu_backend.h"

namespace graft {
namespace {

// One value of a picture's pass: 1 GiB of float32. Published networks stay a hundred times below.
constexpr int64_t kLargestValueElements = int64_t{1} << 28;
// A node of a loop's body is copied, named, typed and, where it counts, computed.
constexpr size_t kStepsOfACopy = 4;

/// Sizes of pictures, those that networks are made for first. Where none of these fits, an exporter has let a size open
/// that the network does not: it may be any.
struct UsualSizes {
  std::vector<PictureSize> sizes;
  size_t common = 0;  // how many of them, at the front, networks are made for
};
const UsualSizes& usual_sizes() {
  static const UsualSizes all = [] {
    UsualSizes usual;
    std::set<std::pair<int64_t, int64_t>> there;
    const auto add = [&](int64_t height, int64_t width) {
      if (there.insert({height, width}).second) usual.sizes.push_back({height, width});
    };
    for (const int64_t side : {224, 299, 256, 384, 320, 448, 512, 640, 1024, 192, 160, 128, 96, 64, 48, 32, 28, 16, 8})
      add(side, side);
    for (const auto& [height, width] : {std::pair<int64_t, int64_t>{256, 128},
                                        {384, 128},
                                        {128, 64},
                                        {240, 320},
                                        {480, 640},
                                        {360, 640},
                                        {720, 1280},
                                        {32, 100},
                                        {32, 128},
                                        {48, 320},
                                        {64, 256},
                                        {24, 94}}) {
      add(height, width);
      add(width, height);
    }
    usual.common = usual.sizes.size();
    for (int64_t side = 1; side <= 1024; ++side) add(side, side);
    // Rectangles, of the multiples that strides halve without a rest.
    for (const auto& [step, most] : {std::pair<int64_t, int64_t>{32, 1024}, {16, 512}, {8, 256}, {4, 128}})
      for (int64_t height = step; height <= most; height += step)
        for (int64_t width = step; width <= most; width += step) add(height, width);
    return usual;
  }();
  return all;
}

}  // namespace

void GraphReader::count_producers() {
  producer_.resize(graph_.value_count(), -1);
  follows_input_.resize(graph_.value_count(), false);
  for (ValueId id : graph_.inputs) follows_input_[static_cast<size_t>(id)] = true;
  for (; producers_counted_ < graph_.nodes.size(); ++producers_counted_) {
    const Node& node = graph_.nodes[producers_counted_];
    const bool follows = std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
      return id != kNoValue && follows_input_[static_cast<size_t>(id)];
    });
    for (ValueId made : node.outputs) {
      producer_[static_cast<size_t>(made)] = static_cast<int>(producers_counted_);
      follows_input_[static_cast<size_t>(made)] = follows;
    }
  }
}

bool GraphReader::follows_input(ValueId id) {
  count_producers();
  return follows_input_[static_cast<size_t>(id)];
}

GraphReader::Cone GraphReader::cone_of(ValueId id, bool use_known) {
  count_producers();
  const auto is_known = [&](ValueId v) { return use_known && known_.contains(v); };
  // The nodes that the value follows from, down to what is known already.
  std::set<int> nodes;
  std::vector<ValueId> open{id};
  while (!open.empty()) {
    const ValueId v = open.back();
    open.pop_back();
    const int n = v == kNoValue || is_known(v) ? -1 : producer_[static_cast<size_t>(v)];
    if (n < 0 || !nodes.insert(n).second) continue;
    for (ValueId input : graph_.nodes[static_cast<size_t>(n)].inputs) open.push_back(input);
  }
  Cone cone;
  Graph& graph = cone.graph;
  auto& of = cone.ids;
  of[kNoValue] = kNoValue;
  const auto leaf = [&](ValueId v) {
    if (of.contains(v)) return;
    const Value& value = graph_.value(v);
    if (is_known(v))
      of[v] = graph.add_constant(value.name, known_.at(v)->clone());
    else
      of[v] = value.constant ? graph.add_constant(value.name, value.constant)
                             : graph.add_input(value.name, value.dtype, value.shape);
  };
  for (int n : nodes) {
    const Node& node = graph_.nodes[static_cast<size_t>(n)];
    std::vector<ValueId> inputs;
    for (ValueId v : node.inputs) {
      leaf(v);
      inputs.push_back(of.at(v));
    }
    std::vector<std::string> names;
    for (ValueId v : node.outputs) names.push_back(graph_.value(v).name);
    graph.append_node(node.name, node.op, inputs, names);
    for (size_t i = 0; i < node.outputs.size(); ++i) of[node.outputs[i]] = graph.nodes.back().outputs[i];
  }
  leaf(id);
  graph.outputs = {of.at(id)};
  return cone;
}

std::shared_ptr<const Tensor> GraphReader::known(ValueId id) {
  if (graph_.value(id).constant) return graph_.value(id).constant;
  if (const auto it = known_.find(id); it != known_.end()) return it->second;
  const Cone cone = cone_of(id, true);
  const Graph closed = closed_for_a_picture(cone.graph);
  for (const auto& [from, to] : cone.ids)
    if (from != kNoValue && closed.value(to).constant) known_[from] = closed.value(to).constant;
  return closed.value(cone.ids.at(id)).constant;
}

bool GraphReader::is_open(ValueId id) {
  if (!follows_input(id)) return false;
  if (kept_bodies_ > 0) return true;
  const auto [known, is_new] = is_open_.try_emplace(id, true);
  if (is_new) known->second = !is_same_for_all_batches(id);
  return known->second;
}

bool GraphReader::is_same_for_all_batches(ValueId id) {
  Cone cone = cone_of(id, false);
  count_typed(cone.graph.nodes.size());
  for (ValueId input : cone.graph.inputs) {
    Shape shape = cone.graph.value(input).shape;
    if (shape.empty()) continue;
    shape[0] = 1;
    if (shape.is_open()) return false;
    cone.graph.value(input).shape[0] = kOpenDim;
  }
  const auto content = known(id);
  if (!content) return false;
  const auto differs_at = [&](int64_t batch) {
    const auto closed = typed_at(cone.graph, {batch, size_.height, size_.width});
    if (!closed) return true;
    const auto other = closed->value(cone.ids.at(id)).constant;
    return !other || other->dtype() != content->dtype() || other->shape() != content->shape() ||
           std::memcmp(other->raw(), content->raw(), content->bytes()) != 0;
  };
  const auto batches = {1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 64, 1024};
  return std::none_of(batches.begin(), batches.end(), differs_at);
}

void GraphReader::count_typed(size_t nodes) {
  if ((nodes_typed_ += nodes) > kMostNodesTypedInAll)
    throw Error("needs more than " + std::to_string(kMostNodesTypedInAll) +
                    " steps to find its sizes, its conditions and the counts of its loops",
                "export it with fixed sizes; it may be damaged, or made to exhaust time");
}

std::optional<Graph> GraphReader::typed_at(const Graph& graph, const OpenDims& dims, std::optional<Error>* why) {
  count_typed(graph.nodes.size());
  ControlFlowTrace trace;
  std::optional<Graph> typed;
  try {
    typed = specialise(graph, dims, cpu_backend(), &trace);
  } catch (const Error& error) {
    if (why && !*why) *why = error;
  }
  count_typed(kStepsOfACopy * trace.unrolled);
  return typed;
}

std::optional<OpenDims> GraphReader::given_extents() const {
  if (!given_) return std::nullopt;
  OpenDims dims = given_(graph_);
  dims.batch = std::max<int64_t>(fixed_batch_, 1);
  const auto is_possible = [](int64_t extent) { return extent >= 1 && extent <= kLargestInputExtent; };
  if (!is_possible(dims.height) || !is_possible(dims.width)) return std::nullopt;
  for (ValueId id : graph_.inputs) {
    const auto known = dims.shapes.find(graph_.value(id).name);
    if (known == dims.shapes.end()) continue;
    Shape& shape = known->second;
    const Shape& declared = graph_.value(id).shape;
    if (shape.size() != declared.size()) return std::nullopt;
    for (size_t i = 0; i < shape.size(); ++i) {  // only what is open is given
      if (declared[i] != kOpenDim) shape[i] = declared[i];
      if (declared[i] == kOpenDim && i == 0) shape[i] = dims.batch;
      if (declared[i] == kOpenDim && !is_possible(shape[i])) return std::nullopt;
    }
  }
  return dims;
}

Graph GraphReader::closed_for_a_picture(const Graph& graph, size_t most_sizes, size_t most_nodes) {
  const int64_t batch = std::max<int64_t>(fixed_batch_, 1);
  const bool is_open = std::any_of(graph.inputs.begin(), graph.inputs.end(),
                                   [&](ValueId id) { return graph.value(id).shape.is_open(); });
  std::optional<Error> why;
  const auto closed_for = [&](const OpenDims& dims) {
    std::optional<Graph> closed = typed_at(graph, dims, &why);
    if (closed) size_ = {dims.height, dims.width};
    return closed;
  };
  if (auto closed = closed_for({batch, size_.height, size_.width})) return std::move(*closed);
  if (!is_open) throw *why;
  if (const auto dims = given_extents()) {
    why.reset();  // this size's reason is the one to tell
    if (auto closed = closed_for(*dims)) return std::move(*closed);
  }
  size_t sizes = 0, typed = 0;
  for (const PictureSize& size : usual_sizes().sizes) {
    if (sizes++ == most_sizes || (typed += graph.nodes.size()) > most_nodes) break;
    if (auto closed = closed_for({batch, size.height, size.width})) return std::move(*closed);
  }
  throw *why;
}

/// Numbers of channels are never open in truth: weights say how many there are.
void GraphReader::choose_channels() {
  for (ValueId id : graph_.inputs) {
    Shape& shape = graph_.value(id).shape;
    if (shape.size() != 4 || shape[1] != kOpenDim || shape[3] != kOpenDim) continue;
    std::vector<int64_t> numbers{3, 1, 4, 2};
    if (const auto dims = given_extents()) {
      const auto known = dims->shapes.find(graph_.value(id).name);
      if (known != dims->shapes.end() && known->second.size() == 4) numbers = {known->second[1]};
    }
    const auto fits = [&](size_t most_sizes, size_t most_nodes) {
      return std::any_of(numbers.begin(), numbers.end(), [&](int64_t channels) {
        shape[1] = channels;
        try {
          closed_for_a_picture(graph_, most_sizes, most_nodes);
          return true;
        } catch (const Error&) {
          shape[1] = kOpenDim;
          return false;
        }
      });
    };
    if (!fits(usual_sizes().common, kMostNodesTyped / 8)) fits(SIZE_MAX, kMostNodesTyped / 4);
  }
}

/// Types every value for one picture, which also proves that the graph can be run; then lets the batch open, where
/// the file fixed it.
void GraphReader::free_batch() {
  choose_channels();
  const Graph typed = closed_for_a_picture(graph_);
  for (size_t i = 0; i < typed.value_count(); ++i) {  // those of composites, which stand for several nodes, too
    const Value& value = typed.value(static_cast<ValueId>(i));
    if (value.constant) continue;
    int64_t count = 1;
    for (int64_t d : value.shape)
      if (__builtin_mul_overflow(count, d, &count) || count > kLargestValueElements) {
        throw Error("value \"" + value.name + "\" would be " + value.shape.str(),
                    "the file is damaged, or not an image network");
      }
  }
  take_types(typed);
  type_other_branches();
  if (fixed_batch_ <= 0) return;
  if (auto open = open_batch(graph_, typed, fixed_batch_, size_)) {
    graph_ = std::move(*open);
    batch_opened_ = true;
  }
}

void GraphReader::take_types(const Graph& typed) {
  const auto producer = graph_.producers();
  for (size_t i = 0; i < graph_.value_count(); ++i) {
    const auto id = static_cast<ValueId>(i);
    Value& value = graph_.value(id);
    if (producer[i] < 0 || value.dtype != DType::f32 || !value.shape.empty()) continue;
    value.dtype = typed.value(id).dtype;
    value.shape = typed.value(id).shape;
  }
}

/// What only an untaken branch holds may fit no picture of the usual size; at another one it has a type.
void GraphReader::type_other_branches() {
  if (!has_control_flow(graph_)) return;
  const int64_t batch = std::max<int64_t>(fixed_batch_, 1);
  for (const OpenDims& dims :
       {OpenDims{batch + 1, size_.height, size_.width}, OpenDims{batch, 2 * size_.height, 2 * size_.width},
        OpenDims{batch, size_.height / 2, size_.width / 2}}) {
    if (const auto typed = typed_at(graph_, dims)) take_types(*typed);
  }
}

}  // namespace graft
