#include "graft/explain.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "apps/library/confidence.h"
#include "apps/library/device.h"
#include "apps/library/map_layer.h"
#include "apps/library/pipelines.h"
#include "apps/library/scores.h"
#include "augment/decode.h"
#include "importer/model.h"
#include "runtime/core/api_boundary.h"
#include "runtime/core/error.h"
#include "runtime/ops/binary.h"
#include "runtime/passes/float_input.h"
#include "runtime/passes/output_rows.h"
#include "runtime/plan/plan.h"

namespace graft {
namespace {

/// To 0…1, as pytorch-grad-cam scales maps.
void stretch(std::vector<float>& map) {
  const auto [least, most] = std::minmax_element(map.begin(), map.end());
  const float low = *least, range = *most - low;
  for (float& v : map) v = (v - low) / (1e-7f + range);
}

/// Bilinear, between the middles of pixels; beyond the outer ones their value goes on.
std::vector<float> enlarged(const std::vector<float>& map, int64_t from_height, int64_t from_width, int64_t height,
                            int64_t width) {
  struct Place {
    size_t low, high;
    float part;
  };
  const auto places = [](int64_t from, int64_t to) {
    std::vector<Place> all;
    for (int64_t i = 0; i < to; ++i) {
      const double at =
          std::max(0.0, (static_cast<double>(i) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5);
      const int64_t low = std::min(static_cast<int64_t>(at), from - 1);
      all.push_back({static_cast<size_t>(low), static_cast<size_t>(std::min(low + 1, from - 1)),
                     static_cast<float>(at - static_cast<double>(low))});
    }
    return all;
  };
  const std::vector<Place> rows = places(from_height, height), columns = places(from_width, width);
  std::vector<float> large;
  for (const Place& row : rows)
    for (const Place& column : columns) {
      const auto at = [&](size_t y, size_t x) { return map[y * static_cast<size_t>(from_width) + x]; };
      const float upper = at(row.low, column.low) + column.part * (at(row.low, column.high) - at(row.low, column.low)),
                  lower =
                      at(row.high, column.low) + column.part * (at(row.high, column.high) - at(row.high, column.low));
      large.push_back(upper + row.part * (lower - upper));
    }
  return large;
}

std::vector<float> plain_copy(const View& view) {
  std::vector<float> numbers(static_cast<size_t>(view.shape.elements()));
  copy_to_plain(view, numbers.data());
  return numbers;
}

/// The model's graph for one picture, ending in its scores.
Graph scores_of_one_picture(const OnnxModel& model, const Preprocessing& preprocessing, const Backend& backend) {
  Graph graph = model.graph;
  if (graph.outputs.empty()) throw Error(place_of(model) + ": has no output", {}, ErrorCode::unsupported);
  const std::string scores = scores_before_softmax(graph);
  graph.outputs = {scores.empty() ? graph.outputs[0] : graph.find(scores)};
  take_floats(graph);
  give_outputs_rows(graph);
  retype(graph, {1, preprocessing.crop_height, preprocessing.crop_width}, backend);
  remove_identities(graph, /*keep_dropout=*/false);
  remove_dead_code(graph);
  return graph;
}

/// Scores and the map of one picture after the other.
class Method {
 public:
  virtual ~Method() = default;
  virtual std::vector<float> scores(const float* pixels) = 0;
  /// height × width of places, of the picture that scores() was called for.
  virtual std::vector<float> map(int target) = 0;
  int64_t height = 0, width = 0;  // places
  std::string layer;
};

/// Σ over channels of activation × mean gradient of the class's score, what is above 0 of it.
class GradCam final : public Method {
 public:
  GradCam(Graph graph, const std::string& name, const OpenDims& dims, const Backend& backend, int threads) {
    map_ = find_map_layer(graph, name);
    height = map_.height;
    width = map_.width;
    layer = graph.value(map_.value).name;
    // The gradient of a zero that is added is that of the activations themselves.
    const auto producers = graph.producers();
    const int made = producers[static_cast<size_t>(map_.value)];
    if (made < 0) throw Error("\"" + name + "\" is an input", "name a layer behind it").about("layer");
    const ValueId zero =
        graph.add_constant(graph.unused_name("explain.zero"), Tensor(DType::f32, graph.value(map_.value).shape));
    std::fill_n(graph.value(zero).constant->data<float>().begin(), graph.value(zero).constant->elements(), 0.0f);
    graph.value(zero).trainable = true;
    const std::string sum_name = graph.unused_name("explain.activations");
    const std::vector<Node> behind(graph.nodes.begin() + made + 1, graph.nodes.end());
    graph.nodes.erase(graph.nodes.begin() + made + 1, graph.nodes.end());
    const ValueId moved = graph.add(sum_name, make_binary(Binary::Kind::add), {map_.value, zero});
    for (Node node : behind) {
      std::replace(node.inputs.begin(), node.inputs.end(), map_.value, moved);
      graph.nodes.push_back(std::move(node));
    }
    std::replace(graph.outputs.begin(), graph.outputs.end(), map_.value, moved);
    const FrozenSplit split = split_frozen(graph);
    for (size_t i = 0; i < split.trunk.outputs.size(); ++i)
      if (split.trunk.value(split.trunk.outputs[i]).name == layer) activations_ = i;
    for (const Node& node : split.rest.nodes)
      if (node.op->type() == "QuantizeLinear")
        throw Error("a quantised model has no gradients", "explain the float model that it was made of",
                    ErrorCode::unsupported);
    trunk_.emplace(compile_inference(split.trunk, dims, backend, threads));
    rest_.emplace(compile_training(split.rest, dims, backend, threads));
  }

  std::vector<float> scores(const float* pixels) override {
    trunk_->bind_input(0, pixels);
    trunk_->forward();
    for (size_t i = 0; i < trunk_->output_count(); ++i)
      copy_from_plain(plain_copy(trunk_->output(i)).data(), rest_->plan.input(i));
    rest_->plan.forward();
    return plain_copy(rest_->plan.output(0));
  }

  std::vector<float> map(int target) override {
    const View seed = rest_->plan.input(rest_->first_seed);
    std::vector<float> slopes(static_cast<size_t>(seed.shape.elements()), 0.0f);
    slopes[static_cast<size_t>(target)] = 1;
    copy_from_plain(slopes.data(), seed);
    rest_->plan.backward();
    const std::vector<float> gradient = plain_copy(rest_->plan.output(rest_->gradients.at(0).second)),
                             activation = plain_copy(trunk_->output(activations_));
    const auto places = static_cast<size_t>(height * width), channels = static_cast<size_t>(map_.channels);
    const size_t first = static_cast<size_t>(map_.first_token) * channels;
    const auto at = [&](size_t place, size_t channel) {
      return map_.form == MapLayer::Form::planes ? channel * places + place : first + place * channels + channel;
    };
    std::vector<double> sums(places, 0);
    for (size_t c = 0; c < channels; ++c) {
      double weight = 0;
      for (size_t p = 0; p < places; ++p) weight += static_cast<double>(gradient[at(p, c)]);
      weight /= static_cast<double>(places);
      for (size_t p = 0; p < places; ++p) sums[p] += weight * static_cast<double>(activation[at(p, c)]);
    }
    std::vector<float> map;
    for (const double sum : sums) map.push_back(static_cast<float>(std::max(sum, 0.0)));
    return map;
  }

 private:
  MapLayer map_;
  size_t activations_ = 0;  // output of the trunk
  std::optional<Plan> trunk_;
  std::optional<TrainingPlan> rest_;
};

/// The product over all blocks of half the attention, the mean of its heads, and half the identity: how much of each
/// place reaches the token that is classified, or all of them where none is.
class AttentionRollout final : public Method {
 public:
  AttentionRollout(Graph graph, const std::vector<ValueId>& attentions, const OpenDims& dims, const Backend& backend,
                   int threads) {
    tokens_ = static_cast<size_t>(graph.value(attentions[0]).shape[3]);
    before_ = static_cast<size_t>(tokens_before_square(static_cast<int64_t>(tokens_)));
    height = width = std::llround(std::sqrt(static_cast<double>(tokens_ - before_)));
    layer = std::to_string(attentions.size()) + " attentions";
    graph.outputs.insert(graph.outputs.end(), attentions.begin(), attentions.end());
    plan_.emplace(compile_inference(graph, dims, backend, threads));
  }

  std::vector<float> scores(const float* pixels) override {
    plan_->bind_input(0, pixels);
    plan_->forward();
    return plain_copy(plan_->output(0));
  }

  std::vector<float> map(int) override {
    // The class token's row of the product, or the sum of all rows, from the last block to the first.
    std::vector<double> reached(tokens_, before_ > 0 ? 0 : 1), next(tokens_);
    if (before_ > 0) reached[0] = 1;
    for (size_t o = plan_->output_count(); o-- > 1;) {
      const std::vector<float> heads = plain_copy(plan_->output(o));
      const size_t count = heads.size() / (tokens_ * tokens_);
      for (size_t j = 0; j < tokens_; ++j) next[j] = reached[j] / 2;
      for (size_t h = 0; h < count; ++h)
        for (size_t i = 0; i < tokens_; ++i) {
          const double share = reached[i] / (2 * static_cast<double>(count));
          const float* row = heads.data() + (h * tokens_ + i) * tokens_;
          for (size_t j = 0; j < tokens_; ++j) next[j] += share * static_cast<double>(row[j]);
        }
      std::swap(reached, next);
    }
    std::vector<float> map;
    for (size_t j = before_; j < tokens_; ++j) map.push_back(static_cast<float>(reached[j]));
    return map;
  }

 private:
  size_t tokens_ = 0, before_ = 0;
  std::optional<Plan> plan_;
};

}  // namespace

struct Explainer::Impl {
  Impl(const Model& model, const ExplainSettings& settings, const RunSettings& run)
      : task(model.task()),
        labels(model.labels()),
        target(settings.target),
        threads(run.compute.threads),
        preprocessing(run.preprocessing ? *run.preprocessing : preprocessing_for(model, PreprocessingSettings{})),
        pipeline(evaluation_pipeline(preprocessing)),
        backend(backend_for(run.compute)) {
    const OnnxModel& contents = model.contents();
    temperature = temperature_of(contents);
    done = scores_before_softmax(contents.graph).empty() && ends_in_probabilities(contents.graph);
    const auto in_use = exclusive_use(backend);
    const OpenDims dims{1, preprocessing.crop_height, preprocessing.crop_width};
    const Graph graph = scores_of_one_picture(contents, preprocessing, backend);
    const std::vector<ValueId> all = attentions(graph);
    const bool can_roll = !all.empty() && settings.layer.empty();
    if (settings.method != "auto" && settings.method != "grad-cam" && settings.method != "attention-rollout")
      throw Error("\"" + settings.method + "\" is no method", "use auto, grad-cam or attention-rollout",
                  ErrorCode::not_found)
          .about("method");
    if (settings.method == "attention-rollout" && !can_roll)
      throw Error("the network does not attend to all tokens of the picture in every block",
                  settings.layer.empty() ? "use grad-cam" : "leave the layer out", ErrorCode::unsupported)
          .about("method");
    name = settings.method == "auto" ? (can_roll ? "attention-rollout" : "grad-cam") : settings.method;
    with_place([&] { return place_of(contents); },
               [&] {
                 if (name == "attention-rollout")
                   method = std::make_unique<AttentionRollout>(graph, all, dims, backend, threads);
                 else
                   method = std::make_unique<GradCam>(graph, settings.layer, dims, backend, threads);
               });
  }

  /// `decoded` gives the picture, or throws Error.
  template <typename Decoded>
  Explanation explain(const Decoded& decoded, int wanted) {
    Explanation e;
    Image crop;
    try {
      crop = upright(pipeline.transform(decoded(), 0));
    } catch (const Error& error) {
      e.error = error.what();
      return e;
    }
    e.height = crop.height;
    e.width = crop.width;
    std::vector<float> input(static_cast<size_t>(pipeline.height() * pipeline.width() * pipeline.channels()));
    pipeline.normalise(crop, input.data());
    std::vector<float> scores = method->scores(input.data());
    e.index = wanted >= 0 ? wanted : static_cast<int>(std::max_element(scores.begin(), scores.end()) - scores.begin());
    if (static_cast<size_t>(e.index) >= scores.size())
      throw Error("the model has " + std::to_string(scores.size()) + " outputs, none with the number " +
                  std::to_string(e.index))
          .about("class");
    e.label = output_label(labels, e.index);
    std::vector<float> map = method->map(e.index);
    stretch(map);
    e.map = enlarged(map, method->height, method->width, e.height, e.width);
    stretch(e.map);
    to_probabilities(scores, task, done, temperature);
    e.score = scores[static_cast<size_t>(e.index)];
    e.pixels = std::move(crop.pixels);
    return e;
  }

  Task task;
  std::vector<std::string> labels;
  int target, threads;
  bool done = false;  // the output holds probabilities
  double temperature = 1;
  Preprocessing preprocessing;
  Pipeline pipeline;
  const Backend& backend;
  std::string name;
  std::unique_ptr<Method> method;
};

Explainer::Explainer(const Model& model, const ExplainSettings& explain, const RunSettings& settings)
    : impl_(at_api_boundary([&] { return std::make_unique<Impl>(model, explain, settings); })) {}
Explainer::~Explainer() = default;
Explainer::Explainer(Explainer&&) noexcept = default;
Explainer& Explainer::operator=(Explainer&&) noexcept = default;

const std::string& Explainer::method() const { return impl_->name; }
const std::string& Explainer::layer() const { return impl_->method->layer; }

std::vector<Explanation> Explainer::explain(const std::vector<std::string>& paths, Listener* listener) {
  return at_api_boundary([&] {
    const auto in_use = exclusive_use(impl_->backend);
    std::vector<Explanation> all;
    for (size_t i = 0; i < paths.size(); ++i) {
      all.push_back(impl_->explain([&] { return decode_image(paths[i], impl_->pipeline.decoding()); }, impl_->target));
      if (listener && !all.back().error.empty()) listener->skipped(all.back().error);
      if (listener) listener->progress("explain", static_cast<int64_t>(i + 1), static_cast<int64_t>(paths.size()));
    }
    return all;
  });
}

Explanation Explainer::explain(const EncodedPictureView& picture, std::optional<int> target) {
  return at_api_boundary([&] {
    const auto in_use = exclusive_use(impl_->backend);
    const auto decoded = [&] {
      return with_place([&] { return picture.name.empty() ? std::string("the picture") : picture.name; },
                        [&] { return decode_image(picture.bytes, impl_->pipeline.decoding()); });
    };
    return impl_->explain(decoded, target.value_or(impl_->target));
  });
}

}  // namespace graft
