#include "importer/loop.h"

#include <deque>
#include <map>

#include "runtime/core/error.h"
#include "runtime/ops/loop.h"
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

class LoopInFile {
 public:
  LoopInFile(const onnx::NodeProto& loop, NameScope& scope, BodyReader& reader)
      : loop_(loop),
        body_(body_of(loop)),
        name_(loop.name().empty() && loop.output_size() > 0 ? loop.output(0) : loop.name()),
        reader_(reader),
        graph_(reader.graph()),
        scope_(scope),
        constants_(scope.opset(), &scope),
        first_node_(graph_.nodes.size()),
        first_value_(graph_.value_count()) {
    carried_ = loop.input_size() - 2;
    scanned_ = body_.output_size() - 1 - carried_;
    if (carried_ < 0 || scanned_ < 0 || body_.input_size() != 2 + carried_ || loop.output_size() > carried_ + scanned_)
      throw Error("has other inputs or outputs than its body", "the file is damaged");
    may_end_ = !passes_condition_on(body_);
  }

  void read() {
    for (int i = 0; i < carried_; ++i) state_.push_back(value(scope_, loop_.input(2 + i)));
    read_what_stays();
    if (is_open())
      keep();
    else
      unroll();
  }

 private:
  using Nodes = google::protobuf::RepeatedPtrField<onnx::NodeProto>;

  static ValueId value(const NameScope& scope, const std::string& name) {
    const ValueId id = scope.find(name);
    if (id == kNoValue && scope.find_sequence(name))
      throw Error("reads \"" + name + "\", a sequence of tensors", {}, ErrorCode::unsupported);
    if (id == kNoValue) throw Error("reads \"" + name + "\", which nothing makes", "the file is damaged");
    return id;
  }

  /// The one number of a value that does not depend on the data.
  int64_t number(ValueId id, const char* what) const {
    const auto content = reader_.known(id);
    if (!content || content->elements() != 1)
      throw Error(std::string("its ") + what + " depends on the data, which graft does not run", {},
                  ErrorCode::unsupported);
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
    reader_.read_subgraph(constant, constants_);
  }

  /// Whether extents that are still open decide how often the body runs.
  bool is_open() const {
    for (const int input : {0, 1})
      if (!loop_.input(input).empty() && reader_.is_open(value(scope_, loop_.input(input)))) return true;
    return may_end_ && condition_may_follow_input();
  }

  /// Follows names from what comes from an input to the condition that the body makes.
  bool condition_may_follow_input() const {
    std::map<std::string, std::vector<const onnx::NodeProto*>> readers;
    std::deque<std::string> open;
    std::set<std::string> reached;
    const auto reach = [&](const std::string& name) {
      if (!name.empty() && reached.insert(name).second) open.push_back(name);
    };
    std::multimap<std::string, std::string> next;  // what one iteration makes becomes what the next one gets
    for (int i = 0; i < carried_; ++i) {
      next.emplace(body_.output(1 + i).name(), body_.input(2 + i).name());
      if (reader_.follows_input(state_[static_cast<size_t>(i)])) reach(body_.input(2 + i).name());
    }
    std::set<std::string> made;
    for (const auto& input : body_.input()) made.insert(input.name());
    for (const auto& node : nodes_) made.insert(node.output().begin(), node.output().end());
    const auto reach_from_around = [&](const std::string& name) {
      const ValueId around = made.contains(name) ? kNoValue : constants_.find(name);
      if (around != kNoValue && reader_.follows_input(around)) reach(name);
    };
    for (const auto& node : nodes_)
      for (const std::string& name : reader_.names_read_by(node)) {
        readers[name].push_back(&node);
        reach_from_around(name);
      }
    for (const auto& output : body_.output()) reach_from_around(output.name());
    for (; !open.empty(); open.pop_front()) {
      for (const onnx::NodeProto* node : readers[open.front()])
        for (const std::string& output : node->output()) reach(output);
      const auto [first, last] = next.equal_range(open.front());
      for (auto it = first; it != last; ++it) reach(it->second);
    }
    return reached.contains(body_.output(0).name());
  }

  /// Reads the body once, as the graph of a node.
  void keep() {
    const auto as_row = body_.input(0).type().tensor_type().shape().dim_size() == 1;
    std::vector<ValueId> given{reader_.add_body_input(name_ + ":iteration", DType::i64, as_row ? Shape{1} : Shape{}),
                               reader_.add_body_input(name_ + ":condition", DType::boolean, {})};
    for (int i = 0; i < carried_; ++i)
      given.push_back(reader_.add_body_input(name_ + ":" + body_.input(2 + i).name(), DType::f32, {}));
    NameScope scope(scope_.opset(), &constants_);
    scope.read_names = constants_.read_names;
    for (int i = 0; i < body_.input_size(); ++i) scope.define(body_.input(i).name(), given[static_cast<size_t>(i)]);
    const std::vector<Node> nodes = reader_.read_body(nodes_, given, scope);

    auto op = std::make_shared<Loop>();
    op->carried = static_cast<size_t>(carried_);
    op->may_end = may_end_;
    std::vector<ValueId> inputs;
    for (const int input : {0, 1})
      inputs.push_back(loop_.input(input).empty() ? kNoValue : value(scope_, loop_.input(input)));
    inputs.insert(inputs.end(), state_.begin(), state_.end());
    // The body's values, under ids of its own; what it does not make itself it reads from around it.
    std::map<ValueId, ValueId> ids{{kNoValue, kNoValue}};
    const auto add_input = [&](ValueId id) {
      const Value& from = graph_.value(id);
      return ids[id] = op->body.add_input(from.name, from.dtype, from.shape);
    };
    const auto of = [&](ValueId id) {
      if (const auto it = ids.find(id); it != ids.end()) return it->second;
      inputs.push_back(id);
      return add_input(id);
    };
    for (ValueId id : given) add_input(id);
    for (const Node& node : nodes) {
      std::vector<ValueId> read;
      for (ValueId id : node.inputs) read.push_back(of(id));
      std::vector<std::string> names;
      for (ValueId id : node.outputs) names.push_back(graph_.value(id).name);
      op->body.append_node(node.name, node.op, std::move(read), names);
      for (size_t i = 0; i < node.outputs.size(); ++i) ids[node.outputs[i]] = op->body.nodes.back().outputs[i];
    }
    for (const auto& output : body_.output()) op->body.outputs.push_back(of(value(scope, output.name())));

    std::vector<std::string> outputs;
    for (int i = 0; i < carried_ + scanned_; ++i) {
      const bool is_named = i < loop_.output_size() && !loop_.output(i).empty();
      outputs.push_back(is_named ? loop_.output(i) : name_ + ":" + std::to_string(i));
    }
    graph_.append_node(name_, std::move(op), std::move(inputs), outputs);
    const std::vector<ValueId> made = graph_.nodes.back().outputs;
    for (int i = 0; i < loop_.output_size(); ++i)
      if (!loop_.output(i).empty()) scope_.define(loop_.output(i), made[static_cast<size_t>(i)]);
  }

  void unroll() {
    scans_.resize(static_cast<size_t>(scanned_));
    const int64_t trips = trip_count();
    bool goes_on = truth(loop_.input(1), true);
    for (int64_t trip = 0; goes_on && trip < trips; ++trip) {
      const ValueId condition = iterate(trip);
      require_budget();
      if (may_end_) goes_on = computed(condition);
    }
    give_results();
  }

  /// Returns the condition under which another iteration follows.
  ValueId iterate(int64_t trip) {
    NameScope scope(scope_.opset(), &constants_);
    scope.read_names = constants_.read_names;
    const std::string iteration = "/" + std::to_string(trip);
    const bool as_row = body_.input(0).type().tensor_type().shape().dim_size() == 1;
    scope.define(body_.input(0).name(),
                 graph_.add_constant(name_ + iteration, Tensor::of<int64_t>(as_row ? Shape{1} : Shape{}, {trip})));
    if (condition_ == kNoValue) condition_ = graph_.add_constant(name_ + "/true", Tensor::of<bool>({}, {true}));
    scope.define(body_.input(1).name(), condition_);
    for (int i = 0; i < carried_; ++i) scope.define(body_.input(2 + i).name(), state_[static_cast<size_t>(i)]);
    Nodes nodes = nodes_;
    for (auto& node : nodes) node.set_name(name_ + iteration + "/" + node.name());
    reader_.read_subgraph(nodes, scope);
    for (int i = 0; i < carried_; ++i) state_[static_cast<size_t>(i)] = value(scope, body_.output(1 + i).name());
    for (int i = 0; i < scanned_; ++i)
      scans_[static_cast<size_t>(i)].push_back(value(scope, body_.output(1 + carried_ + i).name()));
    return value(scope, body_.output(0).name());
  }

  void require_budget() const {
    if (graph_.nodes.size() - first_node_ > kMostNodes || graph_.value_count() - first_value_ > kMostValues)
      throw Error("makes more than " + std::to_string(kMostNodes) + " nodes when it is unrolled",
                  "the file is damaged, or the loop is endless");
  }

  bool computed(ValueId condition) {
    if (!graph_.value(condition).constant) looked_at_ += graph_.nodes.size();
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
    graph_.append_node(name_ + ":" + output, std::move(op), std::move(inputs), {output});
    return graph_.nodes.back().outputs[0];
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
  BodyReader& reader_;
  Graph& graph_;
  NameScope& scope_;      // around the loop
  NameScope constants_;   // the body's, which no iteration changes
  Nodes nodes_;           // of the body, but for constants
  bool may_end_ = false;  // by the body's condition
  size_t first_node_, first_value_, looked_at_ = 0;
  int carried_ = 0, scanned_ = 0;
  ValueId condition_ = kNoValue;
  std::vector<ValueId> state_;
  std::vector<std::vector<ValueId>> scans_;
};

}  // namespace

void read_loop(const onnx::NodeProto& loop, NameScope& scope, BodyReader& reader) {
  if (loop.input_size() < 2) throw Error("needs a trip count and a condition", "the file is damaged");
  LoopInFile(loop, scope, reader).read();
}

}  // namespace graft
