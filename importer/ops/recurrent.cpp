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
  const std::vector<std::string> usual = op.kind == Recurrent::Kind::lstm
                                             ? std::vector<std::string>{"Sigmoid", "Tanh", "Tanh"}
                                         : op.kind == Recurrent::Kind::gru ? std::vector<std::string>{"Sigmoid", "Tanh"}
                                                                           : std::vector<std::string>{"Tanh"};
  const auto* activations = node.attribute("activations");
  for (int i = 0; activations && i < activations->strings_size(); ++i)
    if (activations->strings(i) != usual[static_cast<size_t>(i) % usual.size()])
      throw Error("activation " + activations->strings(i) + " is not supported in place of " +
                  usual[static_cast<size_t>(i) % usual.size()]);
}

/// The state after the last step of each direction, of the states of all steps.
std::string last_state(Spelling& spell, const std::string& all, Recurrent::Direction direction) {
  const Spelling::Attributes first{attribute("axis", int64_t{0})};
  const auto at = [&](const char* suffix, int64_t step) {
    return spell.add("Gather", suffix,
                     {all, spell.constant(std::string(suffix) + "_step", Tensor::of<int64_t>({}, {step}))}, first);
  };
  if (direction == Recurrent::Direction::forward) return at("last", -1);
  if (direction == Recurrent::Direction::reverse) return at("first", 0);
  const std::string forward =
                        spell.add("Gather", "forward", {at("last", -1), spell.integers("direction_0", {0})}, first),
                    reverse =
                        spell.add("Gather", "reverse", {at("first", 0), spell.integers("direction_1", {1})}, first);
  return spell.add("Concat", "both", {forward, reverse}, first);
}

template <Recurrent::Kind kind>
void read(NodeReader& node) {
  auto op = std::make_shared<Recurrent>();
  op->kind = kind;
  op->direction = direction_of(node);
  op->hidden = node.integer("hidden_size", 0);
  op->linear_before_reset = kind == Recurrent::Kind::gru && node.integer("linear_before_reset", 0) != 0;
  require_usual_form(node, *op);
  // Layout 1 has the batch first, in the sequence, the states and the results.
  const bool batch_first = node.integer("layout", 0) != 0;
  Spelling spell(node);
  const auto swapped = [&](const char* suffix, const std::string& name) {
    return spell.add("Transpose", suffix, {name}, {attribute("perm", std::vector<int64_t>{1, 0, 2})});
  };
  std::vector<ValueId> inputs;
  for (size_t i : std::array<size_t, 6>{0, 1, 2, 3, 5, 6}) {
    const bool moves = batch_first && (i == 0 || i > 3) && node.has_input(i);
    inputs.push_back(!node.has_input(i) ? kNoValue
                     : moves ? node.scope().find(swapped(("input" + std::to_string(i)).c_str(), node.input_name(i)))
                             : node.input(i));
  }
  while (inputs.size() > 3 && inputs.back() == kNoValue) inputs.pop_back();
  // The states of all steps are there even where only the last is asked for.
  const bool named = node.output_count() > 0 && !node.output_name(0).empty();
  const std::string all = named && !batch_first ? node.output_name(0) : node.name() + ":states";
  if (named && !batch_first)
    node.emit(op, inputs);
  else
    node.scope().define(all, node.emit_helper("states", op, inputs));
  if (named && batch_first) spell.give("Transpose", {all}, {attribute("perm", std::vector<int64_t>{2, 0, 1, 3})});
  const auto give = [&](const std::string& state, size_t output) {
    if (batch_first)
      spell.give("Transpose", {state}, {attribute("perm", std::vector<int64_t>{1, 0, 2})}, output);
    else
      spell.give("Identity", {state}, {}, output);
  };
  if (node.output_count() > 1 && node.output_is_read(1)) give(last_state(spell, all, op->direction), 1);
  if (node.output_count() > 2 && node.output_is_read(2)) {
    if (kind != Recurrent::Kind::lstm) throw Error("has a third output, which only an LSTM has", "the file is damaged");
    auto cell = std::make_shared<Recurrent>(*op);
    cell->last_cell = true;
    const std::string name = node.name() + ":cell";
    node.scope().define(name, node.emit_helper("cell", cell, inputs));
    give(name, 2);
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
