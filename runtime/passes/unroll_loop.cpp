#include "runtime/passes/unroll_loop.h"

#include <utility>

#include "runtime/core/error.h"
#include "runtime/core/random.h"
#include "runtime/ops/dropout.h"
#include "runtime/ops/loop.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/reshape.h"

namespace graft {
namespace {

constexpr int64_t kMostIterations = 100000;

class LoopCopies {
 public:
  LoopCopies(const Node& node, const UnrolledGraph& to)
      : node_(node),
        loop_(dynamic_cast<const Loop&>(*node.op)),
        to_(to),
        ids_(loop_.body.value_count(), kNoValue),
        stacks_(loop_.stacked()) {
    for (size_t i = 0; i < loop_.carried; ++i) state_.push_back(node.inputs[2 + i]);
    for (size_t i = 2 + loop_.carried; i < node.inputs.size(); ++i) copy_of(loop_.body.inputs[i]) = node.inputs[i];
  }

  void append() {
    const int64_t trips = number_or(node_.inputs[0], "trip count", INT64_MAX);
    bool goes_on = number_or(node_.inputs[1], "condition", 1) != 0;
    if (goes_on && !loop_.may_end && trips > kMostIterations)
      throw Error("runs " + std::to_string(trips) + " times, more than the " + std::to_string(kMostIterations) +
                      " that graft unrolls",
                  "the file is damaged, or the loop is endless", ErrorCode::unsupported);
    for (int64_t trip = 0; goes_on && trip < trips; ++trip) {
      append_copy(trip);
      for (size_t i = 0; i < stacks_.size(); ++i) stacks_[i].push_back(result(1 + loop_.carried + i));
      if (loop_.may_end) goes_on = number(result(0), "condition") != 0;
    }
    for (size_t i = 0; i < loop_.carried; ++i) append_output(i, std::make_shared<Identity>(), {state_[i]});
    for (size_t i = 0; i < stacks_.size(); ++i) append_stack(i);
  }

 private:
  ValueId& copy_of(ValueId id) { return ids_[static_cast<size_t>(id)]; }
  /// The newest copy's value for an output of the body.
  ValueId result(size_t output) { return copy_of(loop_.body.outputs[output]); }

  /// The one number of a value that does not depend on the data.
  int64_t number(ValueId id, const char* what) const {
    const Tensor* const content = to_.content(id);
    if (!content || content->elements() != 1)
      throw Error(std::string("its ") + what + " depends on the data, which graft does not run", {},
                  ErrorCode::unsupported);
    return cast(*content, DType::i64).data<int64_t>()[0];
  }
  int64_t number_or(ValueId id, const char* what, int64_t otherwise) const {
    return id == kNoValue ? otherwise : number(id, what);
  }

  void append_copy(int64_t trip) {
    to_.begin_iteration();
    Graph& graph = to_.graph;
    const std::string iteration = node_.name + "/" + std::to_string(trip);
    const ValueId counter = loop_.body.inputs[0];
    copy_of(counter) = graph.add_constant(iteration, Tensor::of<int64_t>(loop_.body.value(counter).shape, {trip}));
    if (true_ == kNoValue) true_ = graph.add_constant(node_.name + "/true", Tensor::of<bool>({}, {true}));
    copy_of(loop_.body.inputs[1]) = true_;
    for (size_t i = 0; i < loop_.carried; ++i) copy_of(loop_.body.inputs[2 + i]) = state_[i];
    for (const Node& part : loop_.body.nodes) {
      std::vector<ValueId> inputs;
      for (ValueId id : part.inputs) inputs.push_back(id == kNoValue ? kNoValue : copy_of(id));
      std::vector<std::string> names;
      for (ValueId id : part.outputs) names.push_back(iteration + "/" + loop_.body.value(id).name);
      append_node(iteration + "/" + part.name, of_iteration(part.op, trip), std::move(inputs), names);
      for (size_t i = 0; i < part.outputs.size(); ++i) copy_of(part.outputs[i]) = made_[i];
    }
    for (size_t i = 0; i < loop_.carried; ++i) state_[i] = result(1 + i);
  }

  /// The operator, which draws other random numbers in each iteration.
  static OperatorPtr of_iteration(const OperatorPtr& op, int64_t trip) {
    const auto* dropout = dynamic_cast<const Dropout*>(op.get());
    if (!dropout) return op;
    auto copy = std::make_shared<Dropout>(*dropout);
    copy->stream = static_cast<uint32_t>(mix(dropout->stream, static_cast<uint64_t>(trip)));
    return copy;
  }

  /// Leaves the new values in made_.
  void append_node(std::string name, OperatorPtr op, std::vector<ValueId> inputs,
                   const std::vector<std::string>& names) {
    to_.graph.append_node(std::move(name), std::move(op), std::move(inputs), names);
    const Node made = std::move(to_.graph.nodes.back());
    to_.graph.nodes.pop_back();
    made_ = made.outputs;
    to_.append(made);
  }

  void append_output(size_t output, OperatorPtr op, std::vector<ValueId> inputs) {
    to_.append({node_.name + ":" + std::to_string(output), std::move(op), std::move(inputs), {node_.outputs[output]}});
  }

  /// What all iterations made of one value, along a new first dimension.
  void append_stack(size_t stack) {
    const size_t output = loop_.carried + stack;
    if (stacks_[stack].empty()) return append_empty_stack(output);
    auto row = std::make_shared<Unsqueeze>();
    row->axes = {0};
    std::vector<ValueId> rows;
    const std::string name = node_.name + ":" + std::to_string(output) + "/row";
    for (ValueId part : stacks_[stack]) {
      append_node(name, row, {part}, {name});
      rows.push_back(made_[0]);
    }
    auto concat = std::make_shared<Concat>();
    concat->axis = 0;
    append_output(output, concat, rows);
  }

  /// Of a loop that never runs: no rows, of the type that the body would make.
  void append_empty_stack(size_t output) {
    if (!typed_) append_copy(0);
    typed_ = true;
    const ValueId row = result(1 + output);
    to_.content(row);  // throws where the body does not fit
    std::vector<int64_t> extents{0};
    for (int64_t d : to_.graph.value(row).shape) extents.push_back(d);
    Value& value = to_.graph.value(node_.outputs[output]);
    value.dtype = to_.graph.value(row).dtype;
    value.shape = Shape(extents);
    value.constant = std::make_shared<Tensor>(value.dtype, value.shape);
  }

  const Node& node_;
  const Loop& loop_;
  const UnrolledGraph& to_;
  std::vector<ValueId> ids_;  // for each value of the body that of its newest copy
  std::vector<ValueId> state_, made_;
  std::vector<std::vector<ValueId>> stacks_;
  ValueId true_ = kNoValue;
  bool typed_ = false;  // a copy was appended for its types alone
};

}  // namespace

void unroll_loop(const Node& node, const UnrolledGraph& to) { LoopCopies(node, to).append(); }

}  // namespace graft
