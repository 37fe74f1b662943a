#include "apps/library/picture_runner.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "apps/library/device.h"
#include "apps/library/feature_folder.h"
#include "apps/library/head_split.h"
#include "apps/library/pipelines.h"
#include "runtime/core/error.h"
#include "runtime/core/parallel.h"
#include "runtime/passes/float_input.h"
#include "runtime/passes/output_rows.h"

namespace graft {
namespace {

constexpr size_t kDefaultBatch = 32;

Image copied(const PictureView& view) {
  Image image(view.width, view.height);
  std::copy_n(view.pixels, image.pixels.size(), image.pixels.data());
  return image;
}

}  // namespace

void choose_output(OnnxModel& model, const std::string& output) {
  Graph& graph = model.graph;
  if (!output.empty()) {
    const ValueId id = graph.find(output);
    const auto by_node =
        std::find_if(graph.nodes.begin(), graph.nodes.end(), [&](const Node& n) { return n.name == output; });
    const auto is_input = [&] { return std::find(graph.inputs.begin(), graph.inputs.end(), id) != graph.inputs.end(); };
    const auto is_made = [&] { return graph.producers()[static_cast<size_t>(id)] >= 0; };
    if (id != kNoValue && (is_input() || is_made()))
      graph.outputs = {id};
    else if (by_node != graph.nodes.end())
      graph.outputs = {by_node->outputs[0]};
    else
      throw Error(place_of(model) + ": has no layer \"" + output + "\"",
                  "graft inspect " + place_of(model) + " lists them", ErrorCode::not_found);
  }
  if (graph.outputs.empty()) throw Error(place_of(model) + ": has no output", {}, ErrorCode::unsupported);
  graph.outputs.erase(graph.outputs.begin() + 1, graph.outputs.end());
}

PictureRunner::PictureRunner(OnnxModel model, const RunSettings& settings, const std::string& output, ValueId features)
    : compute_(settings.compute),
      preprocessing_(settings.preprocessing
                         ? *settings.preprocessing
                         : preprocessing_for(Model(std::make_shared<OnnxModel>(model)), PreprocessingSettings{})),
      pipeline_(evaluation_pipeline(preprocessing_, settings.views)),
      largest_batch_(compute_.batch > 0 ? static_cast<size_t>(compute_.batch) : kDefaultBatch) {
  if (compute_.batch < 0) throw Error("must not be negative").about("batch");
  if (compute_.threads < 0) throw Error("must not be negative").about("threads");
  notes_ = model.notes;
  choose_output(model, output);
  if (features != kNoValue) model.graph.outputs.push_back(features);
  take_floats(model.graph);
  give_outputs_rows(model.graph);
  if (!compute_.feature_folder.empty()) {
    if (settings.views.empty() || settings.views == "center")
      look_on_disk(model.graph, features);
    else
      notes_.push_back("features are not looked for on disk: those are of the usual view alone");
  }
  if (settings.pictures > 0 && !reader_) {
    const auto in_use = exclusive_use(backend_for(compute_));
    several_.emplace(make_plan(model, rows_for(settings.pictures)));
  } else {
    backend_for(compute_);  // says now what is wrong with the settings
    model_.emplace(std::move(model));
  }
}

/// Where the network below its head has rows with keys, they are read instead of pictures as far as they are there.
void PictureRunner::look_on_disk(const Graph& graph, ValueId features) {
  const Backend& backend = backend_for(compute_);
  const auto in_use = exclusive_use(backend);
  OpenDims dims{1, preprocessing_.crop_height, preprocessing_.crop_width};
  std::optional<HeadSplit> split = split_head(graph, dims, backend);
  const char* const elsewhere = "features are not looked for on disk: this network's head does not read them alone";
  if (features != kNoValue && (!split || split->trunk.outputs[0] != features)) return notes_.push_back(elsewhere);
  files_ = feature_files(compute_, backend);
  reader_.emplace(split ? std::move(split->trunk) : graph, preprocessing_, pipeline_, largest_batch_, compute_, backend,
                  *files_);
  if (!reader_->works()) {
    notes_.push_back(files_->trouble().empty()
                         ? "features are not looked for on disk: what is read has no row of its own for each picture"
                         : not_kept(*files_));
    return reader_.reset();
  }
  outputs_.assign(1, Output{reader_->width()});
  if (!split) return;
  dims.batch = static_cast<int64_t>(largest_batch_);
  head_.emplace(split->head, dims, backend, compute_.threads);
  outputs_[0].width = head_->width(0);
  if (features != kNoValue) outputs_.push_back({reader_->width()});
}

size_t PictureRunner::run_from_disk(const std::string& phase, const std::vector<LoadRequest>& requests, const Row& row,
                                    const Failed& failed, Listener* listener) {
  tell_notes(listener);
  const size_t width = reader_->width();
  std::vector<float> rows(head_ ? head_->rows() * width : 0);
  std::vector<size_t> waiting;  // pictures whose rows the head is to read
  const auto run_head = [&] {
    if (waiting.empty()) return;
    head_->forward(rows.data());
    outputs_[0].rows.resize(head_->rows() * outputs_[0].width);
    copy_to_plain(head_->view(0), outputs_[0].rows.data());
    for (size_t i = 0; i < waiting.size(); ++i)
      row(waiting[i], {outputs_[0].rows.data() + i * outputs_[0].width, outputs_[0].width},
          outputs_.size() > 1 ? std::span<const float>(rows.data() + i * width, width) : std::span<const float>());
    waiting.clear();
  };
  size_t skipped = 0;
  reader_->run(
      requests,
      [&](size_t i, std::span<const float> values) {
        if (!head_) {
          row(i, values, {});
        } else {
          std::copy(values.begin(), values.end(), rows.begin() + static_cast<std::ptrdiff_t>(waiting.size() * width));
          waiting.push_back(i);
          if (waiting.size() == head_->rows()) run_head();
        }
        if (listener) listener->progress(phase, static_cast<int64_t>(i + 1), static_cast<int64_t>(requests.size()));
      },
      [&](size_t i, const std::string& reason) {
        run_head();  // rows are handed out in order
        ++skipped;
        if (listener) listener->skipped(reason);
        if (failed) failed(i, reason);
      });
  run_head();
  tell_slowness(reader_->one_by_one(), listener);
  if (listener) tell_feature_files(*files_, *listener);
  return skipped;
}

RowPlan PictureRunner::make_plan(const OnnxModel& model, size_t rows) {
  RowPlan plan = with_place(
      [&] { return place_of(model); },
      [&] {
        return RowPlan(model.graph, {static_cast<int64_t>(rows), preprocessing_.crop_height, preprocessing_.crop_width},
                       backend_for(compute_), compute_.threads);
      });
  outputs_.clear();
  for (size_t i = 0; i < plan.output_count(); ++i) {
    if (plan.dtype(i) != DType::f32)
      throw Error("the output holds " + std::string(name_of(plan.dtype(i))) + ", not float32", {},
                  ErrorCode::unsupported);
    outputs_.push_back({plan.width(i)});
  }
  return plan;
}

RowPlan& PictureRunner::plan_for(size_t pictures) {
  if (!model_) return *several_;
  const size_t rows = rows_for(pictures);
  if (rows == 1) {
    if (!single_) single_.emplace(make_plan(*model_, 1));
    return *single_;
  }
  if (!several_ || several_->rows() < rows) {
    several_.reset();  // its memory goes before the larger one's is taken
    several_.emplace(make_plan(*model_, rows));
  }
  return *several_;
}

size_t PictureRunner::rows_for(size_t pictures) const {
  const size_t views = pipeline_.views();
  return views * std::max<size_t>(1, std::min(pictures, largest_batch_ / views));
}

void PictureRunner::read(RowPlan& plan) {
  for (size_t i = 0; i < outputs_.size(); ++i) {
    outputs_[i].rows.resize(plan.rows() * outputs_[i].width);
    copy_to_plain(plan.view(i), outputs_[i].rows.data());
  }
}

/// The mean of the views of the picture at this place in the batch.
void PictureRunner::hand_out(const Row& row, size_t index, size_t place) {
  const size_t views = pipeline_.views();
  const auto mean = [&](Output& output) -> std::span<const float> {
    float* const rows = output.rows.data() + place * views * output.width;
    for (size_t i = 0; views > 1 && i < output.width; ++i) {
      double sum = 0;
      for (size_t view = 0; view < views; ++view) sum += static_cast<double>(rows[view * output.width + i]);
      rows[i] = static_cast<float>(sum / static_cast<double>(views));
    }
    return {rows, output.width};
  };
  row(index, mean(outputs_[0]), outputs_.size() > 1 ? mean(outputs_[1]) : std::span<const float>());
}

void PictureRunner::begin(RowPlan& plan, Listener* listener) {
  tell_notes(listener);
  tell_slowness(plan.one_by_one(), listener);
}

void PictureRunner::tell_notes(Listener* listener) {
  for (const std::string& note : std::exchange(notes_, {}))
    if (listener) listener->note(note);
}

void PictureRunner::tell_slowness(bool one_by_one, Listener* listener) {
  if (slowness_told_ || !listener || !one_by_one) return;
  slowness_told_ = true;
  listener->note("the model is fixed to one picture at a time: pictures run one by one, which takes longer");
}

size_t PictureRunner::run(const std::string& phase, const std::vector<std::string>& paths, const Row& row,
                          const Failed& failed, Listener* listener) {
  std::vector<LoadRequest> requests;
  for (const std::string& path : paths) requests.push_back({path, 0});
  return run(phase, std::move(requests), row, failed, listener);
}

size_t PictureRunner::run(const std::string& phase, std::span<const EncodedPictureView> pictures, const Row& row,
                          const Failed& failed, Listener* listener) {
  std::vector<LoadRequest> requests;
  for (const EncodedPictureView& picture : pictures) requests.push_back({picture.name, 0, picture.bytes});
  return run(phase, std::move(requests), row, failed, listener);
}

size_t PictureRunner::run(const std::string& phase, std::vector<LoadRequest> requests, const Row& row,
                          const Failed& failed, Listener* listener) {
  if (requests.empty()) return 0;
  const auto in_use = exclusive_use(backend_for(compute_));
  if (reader_) return run_from_disk(phase, requests, row, failed, listener);
  const size_t pictures = requests.size();
  RowPlan& plan = plan_for(pictures);
  begin(plan, listener);
  Loader loader(pipeline_, std::move(requests), plan.rows() / pipeline_.views(), compute_.threads);
  size_t at = 0, skipped = 0;
  while (const Loader::Batch* batch = loader.next()) {
    plan.forward(batch->pixels.data());
    read(plan);
    for (size_t i = 0; i < batch->count; ++i) {
      if (batch->errors[i].empty()) {
        hand_out(row, at + i, i);
        continue;
      }
      ++skipped;
      if (listener) listener->skipped(batch->errors[i]);
      if (failed) failed(at + i, batch->errors[i]);
    }
    at += batch->count;
    if (listener) listener->progress(phase, static_cast<int64_t>(at), static_cast<int64_t>(pictures));
  }
  return skipped;
}

std::vector<float> PictureRunner::prepare(const EncodedPictureView& picture) const {
  const auto place = [&] { return picture.name.empty() ? std::string("the picture") : picture.name; };
  const auto floats = static_cast<size_t>(pipeline_.height() * pipeline_.width() * pipeline_.channels());
  std::vector<float> values(pipeline_.views() * floats);
  with_place(place, [&] {
    if (pipeline_.views() == 1)  // no more of it than the crop needs is decoded
      return pipeline_.normalise(
          pipeline_.transform(WarpedImage(EncodedPicture(picture.bytes, pipeline_.decoding())), 0), values.data());
    const auto decoded = std::make_shared<const Image>(decode_image(picture.bytes, pipeline_.decoding()));
    for (size_t view = 0; view < pipeline_.views(); ++view)
      pipeline_.normalise(pipeline_.transform(WarpedImage(decoded), 0, view), values.data() + view * floats);
  });
  return values;
}

void PictureRunner::run_prepared(const std::vector<std::span<const float>>& pictures, const Row& row) {
  if (pictures.empty()) return;
  const auto in_use = exclusive_use(backend_for(compute_));
  RowPlan& plan = plan_for(pictures.size());
  const size_t views = pipeline_.views(), at_once = plan.rows() / views;
  const auto floats = views * static_cast<size_t>(pipeline_.height() * pipeline_.width() * pipeline_.channels());
  for (const std::span<const float> picture : pictures)
    if (picture.size() != floats) throw Error("a picture is not prepared for this model");
  std::vector<float> input(at_once * floats);
  for (size_t at = 0; at < pictures.size(); at += at_once) {
    const size_t count = std::min(at_once, pictures.size() - at);
    for (size_t i = 0; i < count; ++i)
      std::copy(pictures[at + i].begin(), pictures[at + i].end(), input.data() + i * floats);
    plan.forward(input.data());
    read(plan);
    for (size_t i = 0; i < count; ++i) hand_out(row, at + i, i);
  }
}

void PictureRunner::run(const std::string& phase, std::span<const PictureView> pictures, const Row& row,
                        Listener* listener) {
  if (pictures.empty()) return;
  for (size_t i = 0; i < pictures.size(); ++i)
    if (!pictures[i].pixels || pictures[i].height < 1 || pictures[i].width < 1)
      throw Error("picture " + std::to_string(i) + " has no pixels");
  const Backend& backend = backend_for(compute_);
  const auto in_use = exclusive_use(backend);
  RowPlan& plan = plan_for(pictures.size());
  begin(plan, listener);
  backend.use_threads(compute_.threads);  // what follows decodes before the plan runs
  const auto floats = static_cast<size_t>(pipeline_.height() * pipeline_.width() * pipeline_.channels());
  const size_t views = pipeline_.views(), at_once = plan.rows() / views;
  std::vector<float> input(plan.rows() * floats);
  for (size_t at = 0; at < pictures.size(); at += at_once) {
    const size_t count = std::min(at_once, pictures.size() - at);
    parallel_for(static_cast<int64_t>(count * views), 1, [&](int64_t first, int64_t last) {
      for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i)
        pipeline_.normalise(pipeline_.transform(copied(pictures[at + i / views]), 0, i % views),
                            input.data() + i * floats);
    });
    std::fill(input.begin() + static_cast<int64_t>(count * views * floats), input.end(), 0.0f);
    plan.forward(input.data());
    read(plan);
    for (size_t i = 0; i < count; ++i) hand_out(row, at + i, i);
    if (listener) listener->progress(phase, static_cast<int64_t>(at + count), static_cast<int64_t>(pictures.size()));
  }
}

}  // namespace graft
