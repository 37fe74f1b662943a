#include <functional>
#include <map>
#include <set>

#include "runtime/ops/batch_norm.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/dropout.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/lrn.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/normalise.h"
#include "runtime/ops/pixel_rows.h"
#include "runtime/ops/pool.h"
#include "runtime/ops/prelu.h"
#include "runtime/ops/rearrange.h"
#include "runtime/ops/reduce.h"
#include "runtime/ops/reshape.h"
#include "runtime/ops/resize.h"
#include "runtime/ops/unary.h"
#include "runtime/passes/passes.h"

namespace graft {
namespace {

/// Which of an operator's inputs and outputs are halves; the others stay as they are.
struct Halves {
  std::function<bool(size_t input, size_t inputs)> input;
  std::function<bool(size_t output)> output;
};

bool always(size_t, size_t) { return true; }
bool first_only(size_t output) { return output == 0; }
bool every(size_t) { return true; }

/// Batch norms keep their parameters and statistics in float: they are few, and differences of them matter.
Halves of_norm(size_t first_parameter, size_t last_parameter, std::function<bool(size_t)> output) {
  return {[=](size_t i, size_t) { return i < first_parameter || i > last_parameter; }, std::move(output)};
}

template <typename... Ops>
bool is_any(const Operator& op) {
  return (... || (dynamic_cast<const Ops*>(&op) != nullptr));
}

/// Empty functions for an operator that computes in float.
Halves halves_of(const Operator& op) {
  if (is_any<Convolution>(op)) return {always, first_only};
  if (const auto* data = dynamic_cast<const ConvolutionBackwardData*>(&op)) {
    const bool norm = data->norm.has_value();
    return {[norm](size_t i, size_t n) { return !norm || i + 2 < n; },
            first_only};  // the last two are a norm's mean and variance
  }
  if (is_any<BatchNorm>(op)) return of_norm(1, 4, every);
  if (is_any<BatchNormTraining>(op)) return of_norm(1, 2, first_only);
  if (is_any<BatchNormGradient>(op)) return of_norm(2, 5, [](size_t o) { return o == 0 || o == 3; });
  if (is_any<BatchNormInputGradient>(op)) return of_norm(2, 6, every);
  if (is_any<Normalise>(op)) return of_norm(1, 2, first_only);
  if (is_any<NormaliseGradient>(op)) return of_norm(2, 2, first_only);
  if (is_any<ConvolutionBackwardWeights, Gemm, MatMul, Unary, UnaryGradient, Binary, PRelu, MaxPool, MaxPoolGradient,
             AveragePool, AveragePoolGradient, Reduce, BroadcastTo, SumTo, Dropout, Concat, SplitSlice, Tile,
             TileGradient, DepthSpace, PixelsToRows, RowsToPixels, Gather, GatherGradient, Resize, ResizeGradient,
             SliceGradient, Transpose, Reshape, ReshapeTo, Flatten, Squeeze, Unsqueeze, Lrn, LrnGradient>(op)) {
    return {always, every};
  }
  return {};
}

class Lowering {
 public:
  Lowering(Graph& graph, DType half) : graph_(graph), half_(half) {}

  void run() {
    std::vector<Node> old = std::move(graph_.nodes);
    graph_.nodes.clear();
    const size_t backward = graph_.backward_begin;
    for (size_t i = 0; i < old.size(); ++i) {
      if (i == backward) {
        widen_outputs();
        graph_.backward_begin = graph_.nodes.size();
      }
      lower(std::move(old[i]));
    }
    widen_outputs();
    if (backward != SIZE_MAX && backward >= old.size()) graph_.backward_begin = graph_.nodes.size();
  }

 private:
  /// What leaves the graph is float. Of the outputs, those that are halves by now: a pass casts its own.
  void widen_outputs() {
    for (ValueId& id : graph_.outputs)
      if (graph_.value(id).dtype == half_) id = as(id, DType::f32);
  }

  void lower(Node node) {
    const Halves halves = halves_of(*node.op);
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      ValueId& id = node.inputs[i];
      if (id == kNoValue) continue;
      const DType dtype = graph_.value(id).dtype;
      if (dtype != DType::f32 && dtype != half_) continue;
      const bool wanted = halves.input && halves.input(i, node.inputs.size());
      id = as(id, wanted ? half_ : DType::f32);
    }
    for (size_t o = 0; o < node.outputs.size(); ++o) {
      Value& v = graph_.value(node.outputs[o]);
      if (v.dtype == DType::f32 && halves.output && halves.output(o)) v.dtype = half_;
    }
    if (node.op->output_is_weight_like()) weight_like_.insert(node.outputs.begin(), node.outputs.end());
    graph_.nodes.push_back(std::move(node));
  }

  /// The value in this type: itself, a converted constant, or what a Cast makes of it, once.
  ValueId as(ValueId id, DType dtype) {
    if (graph_.value(id).dtype == dtype) return id;
    const auto [at, is_new] = made_.try_emplace({id, dtype}, kNoValue);
    if (!is_new) return at->second;
    const std::string name = graph_.unused_name(graph_.value(id).name + ":" + name_of(dtype));
    const Value& v = graph_.value(id);
    ValueId made = kNoValue;
    if (v.constant && !v.trainable) {
      made = graph_.add_constant(name, cast(*v.constant, dtype));
    } else {
      auto op = std::make_shared<Cast>();
      op->to = dtype;
      op->weight_like = v.constant || weight_like_.contains(id);
      made = graph_.add(name, op, {id});
    }
    return made_[{id, dtype}] = made;
  }

  Graph& graph_;
  DType half_;
  std::map<std::pair<ValueId, DType>, ValueId> made_;
  std::set<ValueId> weight_like_;
};

}  // namespace

void lower_precision(Graph& graph, DType half) { Lowering(graph, half).run(); }

}  // namespace graft
