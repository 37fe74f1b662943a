#include "importer/picture_form.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "importer/embed_preprocessing.h"
#include "importer/metadata.h"
#include "runtime/core/error.h"
#include "runtime/core/users.h"
#include "runtime/ops/batch_norm.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/resize.h"
#include "runtime/ops/selection.h"
#include "runtime/passes/float_input.h"

namespace graft {
namespace {

constexpr const char* kTransposition = "input:channels_last";
const std::vector<int64_t> kToLast{0, 2, 3, 1}, kToFirst{0, 3, 1, 2};

bool is_colours(int64_t extent) { return extent == 1 || extent == 3 || extent == 4; }

/// The nodes from a graph's input on, each of which alone reads what the one before makes.
class Front {
 public:
  explicit Front(const Graph& graph) : graph_(graph), users_(graph) {}
  const Node* first() const { return reader(graph_.inputs[0]); }
  const Node* after(const Node& node) const { return reader(node.outputs[0]); }

 private:
  const Node* reader(ValueId id) const {
    const int index = users_.only_reader(id);
    return index < 0 ? nullptr : &graph_.nodes[static_cast<size_t>(index)];
  }
  const Graph& graph_;
  Users users_;
};

bool transposes_to_first(const Node& node) {
  const auto* transpose = dynamic_cast<const Transpose*>(node.op.get());
  return transpose && transpose->permutation == kToFirst;
}

/// Whether pictures of a graph stand N×H×W×C: their last extent says so, or a transposition behind what works element
/// by element.
bool stands_channels_last(const Graph& graph) {
  const Value& input = graph.value(graph.inputs[0]);
  if (input.shape.rank() != 4) return false;
  const int64_t first = input.shape[1], last = input.shape[3];
  if (is_colours(last) && !is_colours(first)) return true;
  if (is_colours(first) && !is_colours(last)) return false;
  const Front front(graph);
  for (const Node* node = front.first(); node; node = front.after(*node)) {
    if (transposes_to_first(*node)) return true;
    if (!node->op->is_element_wise() && !dynamic_cast<const Cast*>(node->op.get())) return false;
  }
  return false;
}

void put_channels_first(Graph& graph) {
  const ValueId input = graph.inputs[0];
  const Value value = graph.value(input);
  const Shape& x = value.shape;
  const ValueId pictures =
      graph.add_input(graph.unused_name(value.name + ":channels_first"), value.dtype, {x[0], x[3], x[1], x[2]});
  graph.inputs.pop_back();
  graph.inputs[0] = pictures;
  auto transpose = std::make_shared<Transpose>();
  transpose->permutation = kToLast;
  graph.nodes.insert(graph.nodes.begin(), Node{kTransposition, std::move(transpose), {pictures}, {input}});
}

/// What the classes, or the best few of them, were taken from; kNoValue where the value is neither.
ValueId scores_behind(const Graph& graph, const std::vector<int>& producer, ValueId id) {
  for (;;) {
    const int n = producer[static_cast<size_t>(id)];
    if (n < 0) return kNoValue;
    const Node& node = graph.nodes[static_cast<size_t>(n)];
    const Operator& op = *node.op;
    const auto* best = dynamic_cast<const TopK*>(&op);
    const auto* extreme = dynamic_cast<const ArgExtreme*>(&op);
    if ((best && !best->largest) || (extreme && !extreme->largest))
      throw Error("output \"" + graph.value(id).name + "\" is of the smallest numbers, not of scores",
                  "graft infer runs this one on arrays", ErrorCode::unsupported);
    if (best || extreme) return node.inputs[0];
    const bool passes = op.is_reshape() || dynamic_cast<const Cast*>(&op) || dynamic_cast<const Gather*>(&op) ||
                        dynamic_cast<const Slice*>(&op) ||
                        dynamic_cast<const Transpose*>(&op);  // the best of those found
    if (!passes) return kNoValue;
    const bool looks_up =
        dynamic_cast<const Gather*>(&op) && graph.value(node.inputs[0]).constant;  // a class's own number
    id = node.inputs[looks_up ? 1 : 0];
  }
}

/// Puts the scores first among the outputs; the note that says so, or nothing.
std::string put_scores_first(Graph& graph) {
  if (graph.outputs.empty()) return "";
  const auto producer = graph.producers();
  const ValueId first = graph.outputs[0];
  const ValueId behind = scores_behind(graph, producer, first);
  if (behind == kNoValue) return "";
  std::vector<ValueId> outputs;
  for (ValueId id : graph.outputs)
    if (graph.value(id).dtype == DType::f32 && scores_behind(graph, producer, id) == kNoValue) outputs.push_back(id);
  if (std::find(outputs.begin(), outputs.end(), behind) == outputs.end()) outputs.insert(outputs.begin(), behind);
  const auto own = std::find(outputs.begin(), outputs.end(), behind);
  std::rotate(outputs.begin(), own, own + 1);
  graph.outputs = outputs;
  return "output \"" + graph.value(first).name + "\" is worked out of scores: \"" + graph.value(outputs[0]).name +
         "\" is taken in its place";
}

size_t take_running_statistics(Graph& graph) {
  size_t count = 0;
  for (Node& node : graph.nodes) {
    const auto* norm = dynamic_cast<const BatchNorm*>(node.op.get());
    if (!norm || !norm->in_training) continue;
    auto fixed = std::make_shared<BatchNorm>(*norm);
    fixed->in_training = false;
    node.op = std::move(fixed);
    ++count;
  }
  return count;
}

/// a·x + b, channel by channel or for all.
struct Affine {
  std::array<double, 3> a{1, 1, 1}, b{0, 0, 0};
};

/// The numbers of a constant of one element, or of three along any dimension.
std::optional<std::array<double, 3>> per_channel(const Value& value) {
  if (!value.constant || value.shape.elements() < 1) return std::nullopt;
  const Tensor numbers = cast(*value.constant, DType::f32);
  const auto at = numbers.data<float>();
  if (at.size() == 1) return std::array<double, 3>{at[0], at[0], at[0]};
  if (at.size() == 3) return std::array<double, 3>{at[0], at[1], at[2]};
  return std::nullopt;
}

/// What the nodes at the graph's front make of a picture's numbers; nothing where they leave them alone.
std::optional<Affine> affine_front(const Graph& graph) {
  Affine front;
  bool changes = false;
  ValueId at = graph.inputs[0];
  const Front nodes(graph);
  for (const Node* node = nodes.first(); node; at = node->outputs[0], node = nodes.after(*node)) {
    const Operator& op = *node->op;
    if (dynamic_cast<const Cast*>(&op) || dynamic_cast<const Transpose*>(&op) || dynamic_cast<const Resize*>(&op) ||
        op.is_reshape())
      continue;
    // Colours in another order: pictures are still given as red, green, blue.
    if (dynamic_cast<const Gather*>(&op) && node->inputs[0] == at &&
        graph.value(node->outputs[0]).shape == graph.value(at).shape)
      continue;
    if (const auto* norm = dynamic_cast<const BatchNorm*>(&op); norm && node->inputs[0] == at) {
      const auto scale = per_channel(graph.value(node->inputs[1])), bias = per_channel(graph.value(node->inputs[2])),
                 mean = per_channel(graph.value(node->inputs[3])), variance = per_channel(graph.value(node->inputs[4]));
      if (!scale || !bias || !mean || !variance) break;
      for (size_t i = 0; i < 3; ++i) {
        const double a = (*scale)[i] / std::sqrt((*variance)[i] + static_cast<double>(norm->epsilon));
        front.b[i] = (front.b[i] - (*mean)[i]) * a + (*bias)[i];
        front.a[i] *= a;
      }
      changes = true;
      continue;
    }
    const auto* binary = dynamic_cast<const Binary*>(&op);
    if (!binary || binary->activation.kind != Activation::Kind::none) break;
    const size_t own = node->inputs[0] == at ? 0 : 1;
    const auto c = per_channel(graph.value(node->inputs[1 - own]));
    if (!c) break;
    bool known = true;
    for (size_t i = 0; i < 3; ++i) {
      const double k = (*c)[i];
      double &a = front.a[i], &b = front.b[i];
      if (binary->kind == Binary::Kind::mul) {
        a *= k, b *= k;
      } else if (binary->kind == Binary::Kind::div && own == 0 && k != 0) {
        a /= k, b /= k;
      } else if (binary->kind == Binary::Kind::add) {
        b += k;
      } else if (binary->kind == Binary::Kind::sub && own == 0) {
        b -= k;
      } else {
        known = false;
      }
    }
    if (!known) break;
    changes = true;
  }
  return changes ? std::optional(front) : std::nullopt;
}

/// The preprocessing under which the front makes numbers of the usual size (up to about ±3) of a picture: "raw" where
/// it takes 0 to 255, "unit" where it takes 0 to 1, nothing where neither is sure.
const char* wanted_by(const Affine& front) {
  const double a = std::abs(front.a[0]);
  if (a > 1e-4 && a < 0.1) return "raw";  // 1/255, 1/127.5, 1/58
  if (std::all_of(front.a.begin(), front.a.end(), [](double v) { return v == 1; }) &&
      std::all_of(front.b.begin(), front.b.end(), [](double v) { return v < -30; }))
    return "raw";                                           // means of 0 to 255 alone
  if (a >= 1.5 && a < 10 && front.b[0] < 0) return "unit";  // 1/0.225, 2
  return nullptr;
}

/// The size that a Resize at the graph's front makes of every picture.
std::optional<PictureSize> resized_inside(const Graph& graph) {
  const Front front(graph);
  for (const Node* node = front.first(); node; node = front.after(*node)) {
    if (dynamic_cast<const Resize*>(node->op.get())) {
      const Shape& y = graph.value(node->outputs[0]).shape;
      if (y.rank() != 4) return std::nullopt;
      return is_colours(y[3]) && !is_colours(y[1]) ? PictureSize{y[1], y[2]} : PictureSize{y[2], y[3]};
    }
    const bool moves = dynamic_cast<const Transpose*>(node->op.get()) || dynamic_cast<const Cast*>(node->op.get());
    if (!moves && !node->op->is_element_wise()) return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

void take_picture_form(OnnxModel& model) {
  Graph& graph = model.graph;
  if (graph.inputs.empty()) return;
  with_place([&] { return model.path; }, [&] { take_out_preprocessing(model); });
  if (std::string note = put_scores_first(graph); !note.empty()) model.notes.push_back(std::move(note));
  if (const size_t norms = take_running_statistics(graph))
    model.notes.push_back(std::to_string(norms) +
                          " batch norms were exported in training mode; they take their running "
                          "statistics, so that no picture's answer depends on the others");
  if (model.metadata.other.contains(kEmbeddedPreprocessing)) return;
  if (const Value& input = graph.value(graph.inputs[0]); input.shape.rank() == 4) {
    if (const auto inside = resized_inside(graph)) {
      const bool last = stands_channels_last(graph);
      if (input.shape[last ? 1 : 2] == kOpenDim && input.shape[last ? 2 : 3] == kOpenDim) model.usual_size = *inside;
    }
    if (stands_channels_last(graph)) put_channels_first(graph);
  }
  const auto front = affine_front(graph);
  const char* wanted = front ? wanted_by(*front) : nullptr;
  if (takes_whole_numbers(graph)) wanted = "raw";
  const Shape& x = graph.value(graph.inputs[0]).shape;
  if (!wanted || model.metadata.preprocessing || x.rank() != 4 || (x[1] != 1 && x[1] != 3)) return;
  const auto side = [](int64_t known, int64_t usual) { return known > 0 ? known : usual; };
  model.metadata.preprocessing =
      named_preprocessing(wanted, {x[1], side(x[2], model.usual_size.height), side(x[3], model.usual_size.width)});
  model.preprocesses_inside = front.has_value();
}

Graph with_own_input(const Graph& graph) {
  Graph own = graph;
  while (!own.inputs.empty() && !own.nodes.empty()) {
    const Node front = own.nodes.front();
    const auto* transpose = dynamic_cast<const Transpose*>(front.op.get());
    const bool moved = front.name == kTransposition && transpose && transpose->permutation == kToLast &&
                       own.value(own.inputs[0]).shape.rank() == 4;
    const bool cast = front.name == kInputCast && dynamic_cast<const Cast*>(front.op.get());
    if ((!moved && !cast) || front.inputs != std::vector<ValueId>{own.inputs[0]} ||
        Users(own).only_reader(own.inputs[0]) != 0)
      break;
    const Shape x = own.value(own.inputs[0]).shape;
    own.value(front.outputs[0]).shape = moved ? Shape{x[0], x[2], x[3], x[1]} : x;
    own.inputs[0] = front.outputs[0];
    own.nodes.erase(own.nodes.begin());
  }
  return own;
}

}  // namespace graft
