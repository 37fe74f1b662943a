#include "finetune/heads/head_builder.h"

#include <sstream>

#include "runtime/core/error.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/dropout.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/pool.h"
#include "runtime/ops/reduce.h"
#include "runtime/ops/reshape.h"
#include "runtime/ops/unary.h"

namespace graft {

Initialiser read_initialiser(const std::string& text) {
  if (text == "he") return {Initialiser::Kind::he_fan_in, 0};
  if (text == "xavier") return {Initialiser::Kind::xavier, 0};
  Initialiser gaussian{Initialiser::Kind::gaussian, 0};
  std::istringstream sigma(text.starts_with("gaussian:") ? text.substr(9) : "");
  if (sigma >> gaussian.sigma && sigma.eof() && gaussian.sigma > 0) return gaussian;
  throw Error("\"" + text + "\" is unknown", "use gaussian:0.01, he or xavier").about("head-init");
}

HeadBuilder::HeadBuilder(Graph& graph, std::string name, int64_t classes, uint64_t seed,
                         std::vector<std::string>& parameters)
    : graph_(graph),
      name_(std::move(name)),
      classes_(classes),
      random_(mix(seed, 0x68656164)),
      parameters_(parameters) {}

ValueId HeadBuilder::dropout(ValueId x, const HeadDropout& options) {
  if (options.part <= 0) return x;
  auto dropout = std::make_shared<Dropout>();
  dropout->ratio = options.part;
  dropout->vanilla = options.vanilla;
  dropout->stream = 0x68656164;
  return graph_.add("head_dropout", dropout, {x});
}

std::pair<ValueId, ValueId> HeadBuilder::weights(const std::string& name, Shape shape, const Initialiser& initialiser) {
  const int64_t outputs = shape[0];
  const ValueId weight = graph_.add_constant(name + ".weight", drawn_weights(std::move(shape), initialiser, random_));
  const ValueId bias = graph_.add_constant(name + ".bias", Tensor::zeros(DType::f32, {outputs}));
  parameters_.push_back(graph_.value(weight).name);
  parameters_.push_back(graph_.value(bias).name);
  return {weight, bias};
}

ValueId HeadBuilder::dense(const std::string& suffix, ValueId x, int64_t outputs, const Initialiser& initialiser) {
  const std::string name = name_ + suffix;
  const auto [weight, bias] = weights(name, {outputs, graph_.value(x).shape[1]}, initialiser);
  auto gemm = std::make_shared<Gemm>();
  gemm->transpose_b = Transpose2d::yes;
  return graph_.add(name, gemm, {x, weight, bias});
}

ValueId HeadBuilder::relu(ValueId x) { return graph_.add(name_ + ".relu", make_unary(Unary::Kind::relu), {x}); }

ValueId HeadBuilder::score_maps(ValueId maps, const Initialiser& initialiser) {
  const auto [weight, bias] = weights(name_, {classes_, graph_.value(maps).shape[1], 1, 1}, initialiser);
  return graph_.add(name_, std::make_shared<Convolution>(), {maps, weight, bias});
}

ValueId HeadBuilder::average(ValueId maps) {
  auto pool = std::make_shared<Reduce>();
  pool->global_pool = true;
  return graph_.add(name_ + ".scores", std::make_shared<Flatten>(), {graph_.add(name_ + ".average", pool, {maps})});
}

ValueId HeadBuilder::maps_of(ValueId features) const {
  const auto producer = graph_.producers();
  for (ValueId at = features;;) {
    const int index = producer[static_cast<size_t>(at)];
    if (index < 0) break;
    const Node& node = graph_.nodes[static_cast<size_t>(index)];
    const ValueId from = node.inputs[0];
    const auto* reduce = dynamic_cast<const Reduce*>(node.op.get());
    if (reduce && reduce->kind == Reduce::Kind::mean && graph_.value(from).shape.rank() == 4) return from;
    if (!node.op->is_reshape()) break;
    at = from;
  }
  throw Error("a head of 1×1 convolutions needs maps whose average are the features, and this model has none",
              "use linear or mlp:H")
      .about("head");
}

}  // namespace graft
