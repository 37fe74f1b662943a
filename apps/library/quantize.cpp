#include "graft/quantize.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <numeric>

#include "apps/library/calibration.h"
#include "apps/library/device.h"
#include "apps/library/pipelines.h"
#include "apps/library/score_output.h"
#include "apps/library/scores.h"
#include "augment/loader.h"
#include "importer/model.h"
#include "runtime/core/api_boundary.h"
#include "runtime/core/parallel.h"
#include "runtime/core/random.h"
#include "runtime/passes/float_input.h"
#include "runtime/passes/insert_quantisation.h"
#include "runtime/passes/passes.h"
#include "runtime/plan/row_plan.h"

namespace graft {
namespace {

constexpr size_t kCalibrationBatch = 4;  // all activations are kept at once
constexpr size_t kMeasureBatch = 32;
constexpr size_t kMostCounted = 1 << 18;  // numbers of a value and a batch that its distribution is made of

/// Pictures as the network reads them.
struct Prepared {
  std::vector<std::vector<float>> inputs;
  std::vector<int> labels;  // of the model's outputs; -1: none
};

/// Runs a graph over prepared pictures: read(first picture, count, plan) after each batch.
template <typename Read>
void run_batches(const Graph& graph, const Prepared& pictures, size_t batch, const Preprocessing& size,
                 const Backend& backend, int threads, const Read& read) {
  if (pictures.inputs.empty()) return;
  batch = std::min(batch, pictures.inputs.size());
  RowPlan plan(graph, {static_cast<int64_t>(batch), size.crop_height, size.crop_width}, backend, threads);
  const size_t floats = pictures.inputs[0].size();
  std::vector<float> input(batch * floats);
  for (size_t at = 0; at < pictures.inputs.size(); at += batch) {
    const size_t count = std::min(batch, pictures.inputs.size() - at);
    for (size_t i = 0; i < count; ++i)
      std::ranges::copy(pictures.inputs[at + i], input.begin() + static_cast<int64_t>(i * floats));
    plan.forward(input.data());
    read(at, count, plan);
  }
}

class Quantization {
 public:
  Quantization(const Model& model, const QuantizeSettings& settings, const RunSettings& run, Listener* listener)
      : settings_(settings),
        method_(calibration_method(settings.calibration)),
        contents_(model.contents()),
        preprocessing_(run.preprocessing ? *run.preprocessing : preprocessing_for(model)),
        backend_(backend_for({run.compute.device, "fp32", run.compute.threads, run.compute.batch})),
        threads_(run.compute.threads),
        listener_(listener) {
    if (!(settings.percentile > 0 && settings.percentile <= 100))
      throw Error("must be more than 0 and at most 100").about("percentile", std::to_string(settings.percentile));
    if (!(settings.max_drop >= 0)) throw Error("must not be negative").about("max-drop");
    if (run.compute.precision != "auto" && run.compute.precision != "fp32")
      throw Error("quantising computes in float32 and 8-bit integers", "leave " + mention("dtype") + " out")
          .about("dtype", run.compute.precision);
    if (settings.pictures < 2) throw Error("must be 2 or more").about("pictures");
    contents_.metadata.preprocessing = preprocessing_;  // what it was calibrated with is what it is to be given
    Graph& graph = contents_.graph;
    take_floats(graph);
    remove_identities(graph, /*keep_dropout=*/false);
    canonicalise_dense(graph);
    fold_batch_norm(graph);
    remove_dead_code(graph);
    layers_ = quantisable_layers(graph);
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
      const std::string_view type = graph.nodes[i].op->type();
      if (type == "DequantizeLinear")
        throw Error("the model is quantised already", "take the float model it was made of", ErrorCode::unsupported);
      const bool multiplies = type == "Conv" || type == "Gemm" || type == "ConvTranspose" ||
                              (type == "MatMul" && graph.value(graph.nodes[i].inputs[1]).constant);
      if (multiplies && std::ranges::find(layers_, i) == layers_.end()) unsupported_.push_back(graph.nodes[i].name);
    }
    if (layers_.empty())
      throw Error("the model has no convolution or dense layer that could be quantised", {}, ErrorCode::unsupported);
    outputs_ = graph.outputs.size();
  }

  QuantizedModel run(const std::vector<LabelledFile>& files, const std::vector<std::string>& classes, Model model) {
    QuantizedModel result{std::move(model)};
    const auto in_use = exclusive_use(backend_);
    load(files, classes, result);
    calibrate();
    float_scores_ = scores_of(contents_.graph, measured_);
    if (!std::ranges::all_of(float_scores_, [](float score) { return std::isfinite(score); }))
      throw Error("the model answers with NaN or infinity on these pictures",
                  "check its preprocessing and weights: nothing is lost that is not there", ErrorCode::bad_data);
    tell_what_is_counted();
    std::vector<size_t> kept;
    Figures figures = measure(without(kept));
    if (loses_too_much(figures)) kept = choose_kept(figures);
    for (const size_t layer : kept) result.kept.push_back(contents_.graph.nodes[layer].name);
    if (kept.size() == layers_.size())
      throw Error("no layer can be in 8 bits without losing more than " + mention("max-drop") + " allows",
                  "give more pictures, another " + mention("calibration") + ", or a larger " + mention("max-drop"),
                  ErrorCode::bad_data);
    result.layers = layers_.size() + unsupported_.size();
    result.quantized = layers_.size() - kept.size();
    result.unsupported = unsupported_;
    result.calibrated = calibration_.inputs.size();
    result.measured = measured_.inputs.size();
    result.accuracy_before = figures.accuracy_before;
    result.accuracy_after = figures.accuracy_after;
    result.agreement = figures.agreement;
    result.relative_error = figures.relative_error;
    OnnxModel made = contents_;
    made.graph = quantised(without(kept));
    restore_output_order(made);
    result.model = Model(std::make_shared<OnnxModel>(std::move(made)));
    return result;
  }

 private:
  struct Figures {
    std::optional<double> accuracy_before, accuracy_after, agreement;
    double relative_error = 0;
    // Pictures that were right (without labels: whose answer changed), and those that became right.
    size_t lost = 0, gained = 0;
  };

  void load(const std::vector<LabelledFile>& files, const std::vector<std::string>& classes, QuantizedModel& result) {
    std::vector<size_t> order(files.size());
    std::iota(order.begin(), order.end(), size_t{0});
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[Random(mix(settings_.seed, i)).below(i)]);
    order.resize(std::min(order.size(), settings_.pictures));
    std::vector<LoadRequest> requests;
    for (const size_t i : order) requests.push_back({files[i].path, 0});
    const Pipeline pipeline = evaluation_pipeline(preprocessing_, "");
    const auto floats = static_cast<size_t>(pipeline.height() * pipeline.width() * pipeline.channels());
    const std::vector<std::string>& names = contents_.metadata.labels;
    Loader loader(pipeline, std::move(requests), kMeasureBatch, threads_);
    size_t at = 0;
    while (const Loader::Batch* batch = loader.next()) {
      for (size_t i = 0; i < batch->count; ++i, ++at) {
        if (!batch->errors[i].empty()) {
          result.skipped.push_back(batch->errors[i]);
          if (listener_) listener_->skipped(batch->errors[i]);
          continue;
        }
        Prepared& part = calibration_.inputs.size() <= measured_.inputs.size() ? calibration_ : measured_;
        const float* const pixels = batch->pixels.data() + i * floats;
        part.inputs.emplace_back(pixels, pixels + floats);
        part.labels.push_back(label_of(files[order[at]], classes, names));
      }
      if (listener_) listener_->progress("pictures", static_cast<int64_t>(at), static_cast<int64_t>(order.size()));
    }
    if (measured_.inputs.empty())
      throw Error("two pictures at the least must be readable: one calibrates, one measures", {}, ErrorCode::bad_data);
  }

  static int label_of(const LabelledFile& file, const std::vector<std::string>& classes,
                      const std::vector<std::string>& names) {
    if (file.label < 0 || static_cast<size_t>(file.label) >= classes.size()) return -1;
    const auto found = std::ranges::find(names, classes[static_cast<size_t>(file.label)]);
    return found == names.end() ? -1 : static_cast<int>(found - names.begin());
  }

  /// Ranges of everything that may be quantised, and channel means of what layers read.
  void calibrate() {
    const std::vector<QuantisedValue> values = values_to_quantise(contents_.graph, layers_);
    Graph watched = contents_.graph;
    for (const QuantisedValue& v : values) watched.outputs.push_back(v.value);
    std::vector<ValueRange> ranges(values.size());
    std::vector<std::vector<double>> sums(values.size());
    std::vector<double> per_channel(values.size());
    const auto over_values = [&](const std::string& phase, const auto& look) {
      // Values need not have a row for each picture (tokens of all pictures are one matrix), so whole batches are
      // looked at: a last one that is not full holds pictures of the one before, too.
      const size_t pictures = calibration_.inputs.size(), floats = calibration_.inputs[0].size();
      const bool one_by_one = contents_.declared_batch == 1 && !contents_.batch_opened;
      const size_t batch = one_by_one ? 1 : std::min(kCalibrationBatch, pictures);
      Plan plan = compile_inference(
          watched, {static_cast<int64_t>(batch), preprocessing_.crop_height, preprocessing_.crop_width}, backend_,
          threads_);
      std::vector<float> input(batch * floats);
      for (size_t at = 0; at < pictures; at += batch) {
        for (size_t i = 0; i < std::min(batch, pictures - at); ++i)
          std::ranges::copy(calibration_.inputs[at + i], input.begin() + static_cast<int64_t>(i * floats));
        plan.bind_input(0, input.data());
        plan.forward();
        parallel_for(static_cast<int64_t>(values.size()), 1, [&](int64_t first, int64_t last) {
          std::vector<float> numbers;
          for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) {
            const View view = plan.output(outputs_ + i);
            numbers.resize(static_cast<size_t>(view.shape.elements()));
            copy_to_plain(view, numbers.data());
            look(i, std::span<const float>(numbers), view.shape);
          }
        });
        if (listener_)
          listener_->progress(phase, static_cast<int64_t>(std::min(at + batch, pictures)),
                              static_cast<int64_t>(pictures));
      }
    };
    over_values("ranges of activations", [&](size_t i, std::span<const float> numbers, const Shape& shape) {
      ranges[i].widen(numbers);
      const auto channels = static_cast<size_t>(shape.size() > 1 ? shape[1] : 1);
      sums[i].resize(channels);
      const size_t pixels = static_cast<size_t>(shape.elements() / shape[0]) / channels;
      for (size_t run = 0; run < numbers.size() / pixels; ++run) {
        const auto plane = numbers.subspan(run * pixels, pixels);
        sums[i][run % channels] += std::accumulate(plane.begin(), plane.end(), 0.0);
      }
      per_channel[i] += static_cast<double>(numbers.size() / channels);
    });
    std::map<size_t, ValueRange> of_group;
    for (size_t i = 0; i < values.size(); ++i) of_group[values[i].group].widen(ranges[i]);
    for (size_t i = 0; i < values.size(); ++i) ranges[i] = of_group[values[i].group];
    std::vector<ValueRange> counted = ranges;
    if (method_ != CalibrationMethod::min_max)
      over_values("distribution of activations", [&](size_t i, std::span<const float> numbers, const Shape&) {
        const size_t step = std::max<size_t>(1, numbers.size() / kMostCounted);
        std::vector<float> some;
        for (size_t n = 0; n < numbers.size(); n += step) some.push_back(numbers[n]);
        counted[i].count(some);
      });
    std::map<size_t, ValueRange::Range> chosen;
    for (size_t i = 0; i < values.size(); ++i) {
      const ValueRange::Range range = counted[i].chosen(method_, settings_.percentile);
      auto [at, is_new] = chosen.try_emplace(values[i].group, range);
      if (!is_new) {
        at->second.low = std::min(at->second.low, range.low);
        at->second.high = std::max(at->second.high, range.high);
      }
    }
    for (size_t i = 0; i < values.size(); ++i) {
      const ValueRange::Range& range = chosen[values[i].group];
      steps_[values[i].value] = steps_between(range.low, range.high);
      std::vector<float>& mean = means_[values[i].value];
      for (const double sum : sums[i]) mean.push_back(static_cast<float>(sum / per_channel[i]));
    }
  }

  void tell_what_is_counted() const {
    if (!listener_) return;
    const size_t labelled =
        static_cast<size_t>(std::ranges::count_if(measured_.labels, [](int label) { return label >= 0; }));
    if (!answers_with_classes())
      listener_->note(
          "the model does not answer with one class a picture: how much may be lost cannot be counted, and no "
          "layer is kept in float32; the difference of the outputs is told");
    else if (labelled > 0 && labelled < measured_.labels.size())
      listener_->note(std::to_string(measured_.labels.size() - labelled) + " of " +
                      std::to_string(measured_.labels.size()) +
                      " measured pictures have no class of the model's: answers are compared instead of accuracy");
    constexpr size_t kFew = 30;
    if (measured_.inputs.size() < kFew)
      listener_->note("only " + std::to_string(measured_.inputs.size()) +
                      " pictures measure what is lost, which is little to judge by");
  }

  std::vector<size_t> without(const std::vector<size_t>& kept) const {
    std::vector<size_t> layers;
    for (const size_t layer : layers_)
      if (std::ranges::find(kept, layer) == kept.end()) layers.push_back(layer);
    return layers;
  }

  Graph quantised(const std::vector<size_t>& layers) const {
    Graph graph = contents_.graph;
    std::map<ValueId, Steps> steps;
    for (const QuantisedValue& v : values_to_quantise(graph, layers)) steps[v.value] = steps_.at(v.value);
    insert_quantisation(graph, layers, steps,
                        settings_.bias_correction ? means_ : std::map<ValueId, std::vector<float>>());
    return graph;
  }

  std::vector<float> scores_of(const Graph& graph, const Prepared& pictures) const {
    std::vector<float> scores;
    run_batches(graph, pictures, kMeasureBatch, preprocessing_, backend_, threads_,
                [&](size_t, size_t count, RowPlan& plan) {
                  const View view = plan.view(0);
                  std::vector<float> rows(static_cast<size_t>(view.shape.elements()));
                  copy_to_plain(view, rows.data());
                  scores.insert(scores.end(), rows.begin(), rows.begin() + static_cast<int64_t>(count * plan.width(0)));
                });
    return scores;
  }

  Figures measure(const std::vector<size_t>& layers) const {
    const std::vector<float> scores = scores_of(quantised(layers), measured_);
    Figures figures;
    double difference = 0, size = 0;
    for (size_t i = 0; i < scores.size(); ++i) {
      const auto a = static_cast<double>(float_scores_[i]), b = static_cast<double>(scores[i]);
      difference += (a - b) * (a - b);
      size += a * a;
    }
    figures.relative_error = size > 0 ? std::sqrt(difference / size) : 0;
    const size_t pictures = measured_.inputs.size(), width = scores.size() / pictures;
    if (!answers_with_classes() || width < 2) return figures;
    size_t same = 0, labelled = 0, right_before = 0, right_after = 0, lost = 0, gained = 0;
    for (size_t p = 0; p < pictures; ++p) {
      const auto best = [&](const std::vector<float>& of) {
        const auto first = of.begin() + static_cast<int64_t>(p * width);
        return std::max_element(first, first + static_cast<int64_t>(width)) - first;
      };
      const auto before = best(float_scores_), after = best(scores);
      same += before == after ? 1 : 0;
      const int label = measured_.labels[p];
      if (label < 0) continue;
      ++labelled;
      right_before += before == label ? 1 : 0;
      right_after += after == label ? 1 : 0;
      lost += before == label && after != label ? 1 : 0;
      gained += before != label && after == label ? 1 : 0;
    }
    figures.agreement = static_cast<double>(same) / static_cast<double>(pictures);
    figures.lost = pictures - same;
    if (labelled == pictures) {
      figures.lost = lost;
      figures.gained = gained;
      figures.accuracy_before = static_cast<double>(right_before) / static_cast<double>(pictures);
      figures.accuracy_after = static_cast<double>(right_after) / static_cast<double>(pictures);
    }
    return figures;
  }

  bool answers_with_classes() const { return contents_.metadata.task.empty() && !seems_to_end_in_features(contents_); }

  /// Whether more is lost than may be, and more than chance would have it: one picture of a hundred is a point, and no
  /// evidence. McNemar's exact test on the pictures that changed sides, one-sided, with half of the probability of what
  /// was seen itself ("mid-p": Fagerland et al. 2013).
  bool loses_too_much(const Figures& figures) const {
    constexpr double kChance = 0.1;
    const size_t changed = figures.lost + figures.gained;
    const double points = 100 * (static_cast<double>(figures.lost) - static_cast<double>(figures.gained)) /
                          static_cast<double>(measured_.inputs.size());
    if (points <= settings_.max_drop) return false;
    double probability = 0;
    for (size_t lost = figures.lost; lost <= changed; ++lost) {
      const double log_choices = std::lgamma(static_cast<double>(changed) + 1) -
                                 std::lgamma(static_cast<double>(lost) + 1) -
                                 std::lgamma(static_cast<double>(changed - lost) + 1);
      probability +=
          (lost == figures.lost ? 0.5 : 1.0) * std::exp(log_choices - static_cast<double>(changed) * std::log(2.0));
    }
    return probability < kChance;
  }

  /// Layers without which no more is lost than may be, those first whose rounding alone changes the outputs most; how
  /// many is found by halving. `figures` become those of the choice.
  std::vector<size_t> choose_kept(Figures& figures) {
    std::vector<std::pair<double, size_t>> cost;
    for (size_t i = 0; i < layers_.size(); ++i) {
      cost.emplace_back(-measure({layers_[i]}).relative_error, layers_[i]);
      if (listener_)
        listener_->progress("what each layer costs", static_cast<int64_t>(i + 1), static_cast<int64_t>(layers_.size()));
    }
    std::ranges::sort(cost);
    const auto first = [&](size_t count) {
      std::vector<size_t> kept;
      for (size_t i = 0; i < count; ++i) kept.push_back(cost[i].second);
      return kept;
    };
    size_t too_few = 0, enough = cost.size();
    figures = measure({});
    while (enough - too_few > 1) {
      const size_t middle = (too_few + enough) / 2;
      const Figures tried = measure(without(first(middle)));
      if (loses_too_much(tried)) {
        too_few = middle;
      } else {
        enough = middle;
        figures = tried;
      }
    }
    return first(enough);
  }

  QuantizeSettings settings_;
  CalibrationMethod method_;
  OnnxModel contents_;
  Preprocessing preprocessing_;
  const Backend& backend_;
  int threads_;
  Listener* listener_;
  std::vector<size_t> layers_;
  std::vector<std::string> unsupported_;
  size_t outputs_ = 1;
  Prepared calibration_, measured_;
  std::map<ValueId, Steps> steps_;
  std::map<ValueId, std::vector<float>> means_;
  std::vector<float> float_scores_;
};

}  // namespace

QuantizedModel quantize(const Model& model, const std::vector<LabelledFile>& files,
                        const std::vector<std::string>& classes, const QuantizeSettings& settings,
                        const RunSettings& run, Listener* listener) {
  return at_api_boundary([&] { return Quantization(model, settings, run, listener).run(files, classes, model); });
}

}  // namespace graft
