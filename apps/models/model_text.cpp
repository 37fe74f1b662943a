#include "apps/models/model_text.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "importer/writer.h"

namespace graft::app {
namespace {

std::string dot_string(const std::string& text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c == '\n' ? ' ' : c;
  }
  return result + "\"";
}

std::string described(const Value& value) { return std::string(name_of(value.dtype)) + " " + value.shape.str(); }

std::map<std::string, const Node*> by_name(const Graph& graph) {
  std::map<std::string, const Node*> nodes;
  for (const Node& node : graph.nodes) nodes[node.name] = &node;
  return nodes;
}

std::map<std::string, const Value*> weights(const Graph& graph) {
  std::map<std::string, const Value*> list;
  for (const Node& node : graph.nodes)
    for (ValueId id : node.inputs)
      if (id != kNoValue && graph.value(id).constant) list[graph.value(id).name] = &graph.value(id);
  return list;
}

/// Calls one(name) for keys of one map alone, both(name, a, b) for those of both.
template <typename Map, typename One, typename Both>
void match(const Map& a, const Map& b, const One& one, const Both& both) {
  std::set<std::string> names;
  for (const auto& [name, value] : a) names.insert(name);
  for (const auto& [name, value] : b) names.insert(name);
  for (const std::string& name : names) {
    const auto in_a = a.find(name), in_b = b.find(name);
    if (in_a == a.end() || in_b == b.end())
      one(name, in_a != a.end());
    else
      both(name, in_a->second, in_b->second);
  }
}

class Comparison {
 public:
  Comparison(const OnnxModel& a, const OnnxModel& b) : a_(a), b_(b) {}

  std::vector<std::string> run() {
    ends("input", a_.graph.inputs, b_.graph.inputs);
    ends("output", a_.graph.outputs, b_.graph.outputs);
    nodes();
    constants();
    if (a_.metadata.labels != b_.metadata.labels) {
      lines_.push_back("labels: " + std::to_string(a_.metadata.labels.size()) + " and " +
                       std::to_string(b_.metadata.labels.size()) +
                       (a_.metadata.labels.size() == b_.metadata.labels.size() ? ", of other names" : ""));
    }
    return std::move(lines_);
  }

 private:
  void only(const std::string& what, bool in_a) {
    lines_.push_back(what + ": only in the " + (in_a ? "first" : "second"));
  }

  void ends(const std::string& what, const std::vector<ValueId>& a, const std::vector<ValueId>& b) {
    if (a.size() != b.size())
      lines_.push_back(what + "s: " + std::to_string(a.size()) + " and " + std::to_string(b.size()));
    for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
      const Value &x = a_.graph.value(a[i]), &y = b_.graph.value(b[i]);
      if (x.name != y.name || described(x) != described(y))
        lines_.push_back(what + " " + std::to_string(i) + ": \"" + x.name + "\" " + described(x) + " and \"" + y.name +
                         "\" " + described(y));
    }
  }

  void nodes() {
    match(
        by_name(a_.graph), by_name(b_.graph),
        [&](const std::string& name, bool in_a) { only("node \"" + name + "\"", in_a); },
        [&](const std::string& name, const Node* x, const Node* y) {
          const std::string place = "node \"" + name + "\": ";
          if (x->op->type() != y->op->type()) {
            lines_.push_back(place + std::string(x->op->type()) + " and " + std::string(y->op->type()));
            return;
          }
          const std::string p = attributes_text(a_.graph, *x), q = attributes_text(b_.graph, *y);
          if (p != q) lines_.push_back(place + p + " and " + q);
          const std::string u = described(a_.graph.value(x->outputs[0])), v = described(b_.graph.value(y->outputs[0]));
          if (u != v) lines_.push_back(place + "makes " + u + " and " + v);
        });
  }

  void constants() {
    match(
        weights(a_.graph), weights(b_.graph),
        [&](const std::string& name, bool in_a) { only("weight \"" + name + "\"", in_a); },
        [&](const std::string& name, const Value* x, const Value* y) {
          const std::string place = "weight \"" + name + "\": ";
          if (described(*x) != described(*y)) {
            lines_.push_back(place + described(*x) + " and " + described(*y));
            return;
          }
          const Tensor p = cast(*x->constant, DType::f64), q = cast(*y->constant, DType::f64);
          double largest = 0;
          size_t count = 0;
          for (size_t i = 0; i < p.data<double>().size(); ++i) {
            const double difference = std::fabs(p.data<double>()[i] - q.data<double>()[i]);
            count += difference != 0;
            largest = std::max(largest, difference);
          }
          if (count == 0) return;
          char text[96];
          std::snprintf(text, sizeof text, "%zu of %lld numbers differ, by %.3g at most", count,
                        static_cast<long long>(x->shape.elements()), largest);
          lines_.push_back(place + text);
        });
  }

  const OnnxModel &a_, &b_;
  std::vector<std::string> lines_;
};

}  // namespace

std::string graphviz(const OnnxModel& model) {
  const Graph& graph = model.graph;
  std::string out =
      "digraph model {\n  rankdir=TB;\n  node [shape=box, fontname=\"Helvetica\", fontsize=10];\n  edge "
      "[fontname=\"Helvetica\", fontsize=8];\n";
  std::map<ValueId, std::string> source;
  for (ValueId id : graph.inputs) {
    source[id] = "input" + std::to_string(id);
    out += "  " + source[id] +
           " [shape=ellipse, label=" + dot_string(graph.value(id).name + " " + graph.value(id).shape.str()) + "];\n";
  }
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    const std::string self = "node" + std::to_string(i);
    std::string label = std::string(node.op->type()) + "\\n" + node.name;
    for (ValueId id : node.inputs)
      if (id != kNoValue && graph.value(id).constant)
        label += "\\n" + graph.value(id).name + " " + graph.value(id).shape.str();
    // The line breaks are Graphviz's own escapes.
    std::string text = dot_string(label);
    for (size_t at = text.find("\\\\n"); at != std::string::npos; at = text.find("\\\\n", at))
      text.replace(at, 3, "\\n");
    out += "  " + self + " [label=" + text + "];\n";
    for (ValueId id : node.inputs) {
      const auto from = source.find(id);
      if (from != source.end())
        out += "  " + from->second + " -> " + self + " [label=" + dot_string(graph.value(id).shape.str()) + "];\n";
    }
    for (ValueId id : node.outputs) source[id] = self;
  }
  for (ValueId id : graph.outputs) {
    const std::string self = "output" + std::to_string(id);
    out += "  " + self +
           " [shape=ellipse, label=" + dot_string(graph.value(id).name + " " + graph.value(id).shape.str()) + "];\n  " +
           source[id] + " -> " + self + ";\n";
  }
  return out + "}\n";
}

std::vector<std::string> differences(const OnnxModel& a, const OnnxModel& b) {
  const OnnxModel p = without_loops(a), q = without_loops(b);  // a loop's body is compared as what it becomes
  return Comparison(p, q).run();
}

}  // namespace graft::app
