#include "importer/loop.h"

#include <algorithm>

#include "runtime/core/error.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/reshape.h"

namespace graft {
namespace {

constexpr size_t kMostNodes = 100000;
constexpr size_t kMostValues = 4 * kMostNodes;      // an iteration without nodes still has a number
constexpr size_t kMostLookedAt = 100 * kMostNodes;  // nodes that conditions are computed among

const onnx::GraphProto& body_of(const onnx::NodeProto& loop) {
  for (const auto& attribute : loop.attribute())
    if (attribute.name() == "body" && attribute.has_g()) return attribute.g();
  throw Error("has no body", "the file is damaged");
}

/// True when the body's condition is the one that came in.
bool passes_condition_on(const onnx::GraphProto& body) {
  std::string name = body.output(0).name();
  for (int i = body.node_size(); i-- > 0;) {  // in topological order: one walk back finds the whole chain
    const auto& node = body.node(i);
    if (node.output_size() != 1 || node.output(0) != name) continue;
    if (node.op_type() != "Identity" || node.input_size() != 1) return false;
    name = node.input(0);
  }
  return name == body.input(1).name();
}

class Unrolling {
 public:
  Unrolling(const onnx::NodeProto& loop, NameScope& scope, const SubgraphReader& reader)
      : loop_(loop),
        body_(body_of(loop)),
        name_(loop.name().empty() && loop.output_size() > 0 ? loop.output(0) : loop.name()),
        reader_(reader),
        scope_(scope),
        constants_(scope.opset(), &scope),
        first_node_(reader.graph.nodes.size()),
        first_value_(reader.graph.value_count()) {
    carried_ = loop.input_size() - 2;
    scanned_ = body_.output_size() - 1 - carried_;
    if (carried_ < 0 || scanned_ < 0 || body_.input_size() != 2 + carried_ || loop.output_size() > carried_ + scanned_)
      throw Error("has other inputs or outputs than its body", "the file is damaged");
  }

  void run() {
    for (int i = 0; i < carried_; ++i) state_.push_back(value(scope_, loop_.input(2 + i)));
    scans_.resize(static_cast<size_t>(scanned_));
    read_what_stays();
    const int64_t trips = trip_count();
    bool goes_on = truth(loop_.input(1), true);
    const bool may_end = !passes_condition_on(body_);
    for (int64_t trip = 0; goes_on && trip < trips; ++trip) {
      const ValueId condition = iterate(trip);
      require_budget();
      if (may_end) goes_on = computed(condition);
    }
    give_results();
  }

 private:
  using Nodes = google::protobuf::RepeatedPtrField<onnx::NodeProto>;

  static ValueId value(const NameScope& scope, const std::string& name) {
    const ValueId id = scope.find(name);
    if (id == kNoValue) throw Error("reads \"" + name + "\", which nothing makes", "the file is damaged");
    return id;
  }

  /// The one number of a value that does not depend on the data.
  int64_t number(ValueId id, const char* what) const {
    const auto content = reader_.known(id);
    if (!content || content->elements() != 1)
      throw Error(std::string("its ") + what + " depends on the data, which graft does not run");
    return cast(*content, DType::i64).data<int64_t>()[0];
  }
  int64_t trip_count() const {
    return loop_.input(0).empty() ? INT64_MAX : number(value(scope_, loop_.input(0)), "trip count");
  }
  bool truth(const std::string& name, bool otherwise) const {
    return name.empty() ? otherwise : number(value(scope_, name), "condition") != 0;
  }

  /// Initialisers and constants are the same for all iterations.
  void read_what_stays() {
    for (const auto& output : body_.output()) constants_.read_names.insert(output.name());
    reader_.read_initialisers(body_, constants_);
    Nodes constant;
    for (onnx::NodeProto node : body_.node()) {
      if (node.name().empty() && node.output_size() > 0) node.set_name(node.output(0));
      *(node.op_type() == "Constant" ? constant : nodes_).Add() = std::move(node);
    }
    reader_.read_nodes(constant, constants_);
  }

  /// Returns the condition under which another iteration follows.
  ValueId iterate(int64_t trip) {
    NameScope scope(scope_.opset(), &constants_);
    scope.read_names = constants_.read_names;
    const std::string iteration = "/" + std::to_string(trip);
    Graph& graph = reader_.graph;
    const bool as_row = body_.input(0).type().tensor_type().shape().dim_size() == 1;
    scope.define(body_.input(0).name(),
                 graph.add_constant(name_ + iteration, Tensor::of<int64_t>(as_row ? Shape{1} : Shape{}, {trip})));
    if (condition_ == kNoValue) condition_ = graph.add_constant(name_ + "/true", Tensor::of<bool>({}, {true}));
    scope.define(body_.input(1).name(), condition_);
    for (int i = 0; i < carried_; ++i) scope.define(body_.input(2 + i).name(), state_[static_cast<size_t>(i)]);
    Nodes nodes = nodes_;
    for (auto& node : nodes) node.set_name(name_ + iteration + "/" + node.name());
    reader_.read_nodes(nodes, scope);
    for (int i = 0; i < carried_; ++i) state_[static_cast<size_t>(i)] = value(scope, body_.output(1 + i).name());
    for (int i = 0; i < scanned_; ++i)
      scans_[static_cast<size_t>(i)].push_back(value(scope, body_.output(1 + carried_ + i).name()));
    return value(scope, body_.output(0).name());
  }

  void require_budget() const {
    if (reader_.graph.nodes.size() - first_node_ > kMostNodes ||
        reader_.graph.value_count() - first_value_ > kMostValues)
      throw Error("makes more than " + std::to_string(kMostNodes) + " nodes when it is unrolled",
                  "the file is damaged, or the loop is endless");
  }

  bool computed(ValueId condition) {
    if (!reader_.graph.value(condition).constant) looked_at_ += reader_.graph.nodes.size();
    if (looked_at_ > kMostLookedAt)
      throw Error("computes its condition too often", "export it with a trip count alone");
    return number(condition, "condition") != 0;
  }

  void give_results() {
    for (int i = 0; i < loop_.output_size(); ++i) {
      const std::string& output = loop_.output(i);
      if (output.empty()) continue;
      const ValueId result = i < carried_
                                 ? named_output(std::make_shared<Identity>(), {state_[static_cast<size_t>(i)]}, output)
                                 : stacked(scans_[static_cast<size_t>(i - carried_)], output);
      scope_.define(output, result);
    }
  }

  ValueId named_output(OperatorPtr op, std::vector<ValueId> inputs, const std::string& output) {
    reader_.graph.append_node(name_ + ":" + output, std::move(op), std::move(inputs), {output});
    return reader_.graph.nodes.back().outputs[0];
  }

  /// The results of all iterations along a new first dimension.
  ValueId stacked(const std::vector<ValueId>& parts, const std::string& output) {
    if (parts.empty()) throw Error("never runs, so that \"" + output + "\" has no shape");
    auto row = std::make_shared<Unsqueeze>();
    row->axes = {0};
    if (parts.size() == 1) return named_output(row, {parts[0]}, output);
    std::vector<ValueId> rows;
    for (ValueId part : parts) rows.push_back(named_output(row, {part}, output + ":row"));
    auto op = std::make_shared<Concat>();
    op->axis = 0;
    return named_output(op, rows, output);
  }

  const onnx::NodeProto& loop_;
  const onnx::GraphProto& body_;
  std::string name_;
  const SubgraphReader& reader_;
  NameScope& scope_;     // around the loop
  NameScope constants_;  // the body's, which no iteration changes
  Nodes nodes_;          // of the body, but for constants
  size_t first_node_, first_value_, looked_at_ = 0;
  int carried_ = 0, scanned_ = 0;
  ValueId condition_ = kNoValue;
  std::vector<ValueId> state_;
  std::vector<std::vector<ValueId>> scans_;
};

}  // namespace

void unroll_loop(const onnx::NodeProto& loop, NameScope& scope, const SubgraphReader& reader) {
  if (loop.input_size() < 2) throw Error("needs a trip count and a condition", "the file is damaged");
  Unrolling(loop, scope, reader).run();
}

}  // namespace graft
