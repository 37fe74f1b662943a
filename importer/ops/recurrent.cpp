#include "runtime/ops/recurrent.h"

#include <array>

#include "importer/op_table.h"
#include "importer/spelling.h"

namespace graft {
namespace {

Recurrent::Direction direction_of(NodeReader& node) {
  const std::string name = node.text("direction", "forward");
  if (name == "forward") return Recurrent::Direction::forward;
  if (name == "reverse") return Recurrent::Direction::reverse;
  if (name == "bidirectional") return Recurrent::Direction::both;
  throw Error("direction \"" + name + "\" is unknown");
}

/// Everything that would compute otherwise than Recurrent does.
void require_usual_form(NodeReader& node, const Recurrent& op) {
  if (node.has_input(4)) throw Error("sequences of different lengths are not supported");
  if (node.has_input(7)) throw Error("peepholes are not supported");
  if (node.has("clip")) throw Error("clipped gates are not supported");
  if (node.integer("input_forget", 0) != 0) throw Error("coupled input and forget gates are not supported");
  if (node.integer("layout", 0) != 0) throw Error("layout 1 is not supported");
  const std::vector<std::string> usual = op.kind == Recurrent::Kind::lstm  ? std::vector<std::string>{"Sigmoid", "Tanh", "Tanh"}
                                         : op.kind == Recurrent::Kind::gru ? std::vector<std::string>{"Sigmoid", "Tanh"}
                                                                           : std::vector<std::string>{"Tanh"};
  const auto* activations = node.attribute("activations");
  for (int i = 0; activations && i < activations->strings_size(); ++i)
    if (activations->strings(i) != usual[static_cast<size_t>(i) % usual.size()])
      throw Error("activation " + activations->strings(i) + " is not supported in place of " +
                  usual[static_cast<size_t>(i) % usual.size()]);
}

template <Recurrent::Kind kind>
void read(NodeReader& node) {
  auto op = std::make_shared<Recurrent>();
  op->kind = kind;
  op->direction = direction_of(node);
  op->hidden = node.integer("hidden_size", 0);
  op->linear_before_reset = kind == Recurrent::Kind::gru && node.integer("linear_before_reset", 0) != 0;
  require_usual_form(node, *op);
  std::vector<ValueId> inputs;
  for (size_t i : std::array<size_t, 6>{0, 1, 2, 3, 5, 6}) inputs.push_back(node.has_input(i) ? node.input(i) : kNoValue);
  while (inputs.back() == kNoValue) inputs.pop_back();
  // The states of all steps are there even where only the last is asked for.
  const bool named = node.output_count() > 0 && !node.output_name(0).empty();
  const std::string all = named ? node.output_name(0) : node.name() + ":states";
  if (named)
    node.emit(op, inputs);
  else
    node.scope().define(all, node.emit_helper("states", op, inputs));
  if (node.output_count() > 1 && node.output_is_read(1)) {
    Spelling spell(node);
    const auto at = [&](const char* suffix, int64_t step) {
      return spell.constant(suffix, Tensor::of<int64_t>({}, {step}));
    };
    const auto axis = [](int64_t i) { return Spelling::Attributes{attribute("axis", i)}; };
    if (op->direction != Recurrent::Direction::both) {
      spell.give("Gather", {all, at("last", op->direction == Recurrent::Direction::forward ? -1 : 0)}, axis(0), 1);
    } else {
      const std::string forward = spell.add("Gather", "of_last", {all, at("last", -1)}, axis(0)),
                        reverse = spell.add("Gather", "of_first", {all, at("first", 0)}, axis(0));
      const std::string zero = spell.integers("direction_0", {0}), one = spell.integers("direction_1", {1});
      spell.give("Concat",
                 {spell.add("Gather", "forward", {forward, zero}, axis(0)),
                  spell.add("Gather", "reverse", {reverse, one}, axis(0))},
                 axis(0), 1);
    }
  }
  if (node.output_count() > 2 && node.output_is_read(2)) {
    auto cell = std::make_shared<Recurrent>(*op);
    cell->last_cell = true;
    node.emit_output(2, cell, inputs);
  }
}

void write(const Recurrent& op, NodeWriter& node) {
  constexpr const char* kDirections[] = {"forward", "reverse", "bidirectional"};
  const auto& inputs = node.node().inputs;
  onnx::NodeProto& proto = node.begin(std::string(op.type()), 0);
  proto.clear_output();
  for (size_t i = 0; i < 3; ++i) proto.add_input(node.name_of(inputs[i]));
  proto.add_input(inputs.size() > 3 ? node.name_of(inputs[3]) : "");
  proto.add_input("");
  for (size_t i = 4; i < inputs.size(); ++i) proto.add_input(node.name_of(inputs[i]));
  for (int i = 0; i < (op.last_cell ? 2 : 0); ++i) proto.add_output("");
  proto.add_output(node.name_of(node.node().outputs[0]));
  node.set("hidden_size", op.hidden);
  node.set("direction", kDirections[static_cast<size_t>(op.direction)]);
  if (op.linear_before_reset) node.set("linear_before_reset", int64_t{1});
}

}  // namespace

void map_recurrent(OpTable& table) {
  table.read("LSTM", read<Recurrent::Kind::lstm>);
  table.read("GRU", read<Recurrent::Kind::gru>);
  table.read("RNN", read<Recurrent::Kind::rnn>);
  table.write<Recurrent>(write);
}

}  // namespace graft
