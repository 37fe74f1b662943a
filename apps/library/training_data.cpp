#include "apps/library/training_data.h"

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "apps/library/feature_folder.h"
#include "apps/library/network_text.h"
#include "apps/library/pipelines.h"
#include "apps/library/train_settings.h"
#include "augment/colour_axes.h"
#include "importer/preprocessing_json.h"
#include "runtime/core/available_memory.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

/// Brings the values of all pictures to mean 0 and deviation 1 over the training ones.
TargetScale scale_targets(Dataset& data) {
  std::vector<std::vector<float>> targets;
  for (const LabelledFile& file : data.train) targets.push_back(file.target);
  const TargetScale scale = TargetScale::measure(targets, data.classes);
  for (auto* files : {&data.train, &data.validation})
    for (LabelledFile& file : *files) file.target = scale.scaled(file.target);
  return scale;
}

/// `text`: see pipeline_text.
Pipeline augmentation(const Dataset& dataset, const Preprocessing& preprocessing, const std::string& recipe,
                      std::string& text) {
  TransformContext context = transform_context(preprocessing);
  std::vector<std::string> paths;
  for (const LabelledFile& file : dataset.train) paths.push_back(file.path);
  std::ostringstream measured;
  context.colour_axes = [measure = colour_axes_of(std::move(paths)), &measured] {
    const ColourAxes axes = measure();
    measured.precision(9);
    for (size_t i = 0; i < 3; ++i) {
      measured << axes.values[i];
      for (const float v : axes.vectors[i]) measured << ' ' << v;
      measured << ';';
    }
    return axes;
  };
  Pipeline pipeline = make_pipeline(recipe, context, preprocessing);
  text = pipeline_text(preprocessing, recipe + '\n' + measured.str());
  return pipeline;
}

}  // namespace

TrainingData::TrainingData(const Dataset& dataset, const Preprocessing& preprocessing, const FinetuneSettings& settings,
                           Task task, std::shared_ptr<DecodedPictures> decoded)
    : dataset_(dataset),
      scale_(task == Task::regression ? scale_targets(dataset_) : TargetScale{}),
      seed_(settings.seed),
      threads_(settings.compute.threads),
      decoded_(std::move(decoded)),
      evaluation_(evaluation_pipeline(preprocessing)),
      augmentation_(augmentation(dataset, preprocessing, settings.augment, augmentation_text_)),
      evaluation_text_(pipeline_text(preprocessing, "")),
      training_source_(source_of(dataset_.train)),
      validation_source_(source_of(dataset_.validation)) {}

PictureSource TrainingData::source_of(std::vector<LabelledFile> items) const {
  return {std::move(items), evaluation_, augmentation_,    seed_,
          threads_,         decoded_,    evaluation_text_, augmentation_text_};
}

PictureSource TrainingData::whole() const {
  std::vector<LabelledFile> all = dataset_.train;
  all.insert(all.end(), dataset_.validation.begin(), dataset_.validation.end());
  return source_of(std::move(all));
}

std::shared_ptr<DecodedPictures> decoded_pictures(const FinetuneSettings& settings) {
  const uint64_t bytes = settings.picture_cache_bytes.value_or(available_memory() / 4);
  return bytes > 0 ? std::make_shared<DecodedPictures>(bytes) : nullptr;
}

std::vector<float> class_weights(const FinetuneSettings& settings, const Dataset& data, Task task) {
  if (task != Task::classes && (settings.balanced_weights || !settings.class_weights.empty()))
    throw Error(
        "weigh classes, and these pictures have " + std::string(task == Task::regression ? "values" : "several labels"),
        "leave them out")
        .about("class-weights");
  if (settings.balanced_weights) {  // n / (classes · n_c), as scikit-learn's
    if (!settings.class_weights.empty())
      throw Error("balanced weights are given, and numbers too", "give one of them").about("class-weights");
    std::vector<double> count(data.classes.size(), 0);
    for (const LabelledFile& file : data.train) ++count[static_cast<size_t>(file.label)];
    std::vector<float> weights;
    for (const double c : count)
      weights.push_back(
          static_cast<float>(static_cast<double>(data.train.size()) / (static_cast<double>(count.size()) * c)));
    return weights;
  }
  for (const float weight : settings.class_weights)
    if (!(weight > 0)) throw Error("must be positive").about("class-weights");
  if (!settings.class_weights.empty() && settings.class_weights.size() != data.classes.size())
    throw Error(std::to_string(settings.class_weights.size()) + " numbers for " + std::to_string(data.classes.size()) +
                " classes")
        .about("class-weights");
  return settings.class_weights;
}

void check_dataset(const Dataset& data, Task task) {
  const auto refuse = [](const std::string& text) { throw Error(text, {}, ErrorCode::bad_data); };
  if (data.train.empty()) refuse("there is no training picture");
  if (data.validation.empty()) refuse("there is no validation picture");
  if (data.classes.empty() || (task == Task::classes && data.classes.size() < 2))
    refuse("there are " + std::to_string(data.classes.size()) + " classes");
  std::vector<bool> trained(data.classes.size(), false);
  for (const auto* files : {&data.train, &data.validation})
    for (const LabelledFile& file : *files) {
      if (file.label < 0 || static_cast<size_t>(file.label) >= data.classes.size())
        refuse(file.path + ": its label " + std::to_string(file.label) + " is no class");
      if (task != Task::classes && file.target.size() != data.classes.size())
        refuse(file.path + ": has " + std::to_string(file.target.size()) + " targets for " +
               std::to_string(data.classes.size()) + " classes");
      if (files == &data.train) trained[static_cast<size_t>(file.label)] = true;
    }
  for (size_t i = 0; task == Task::classes && i < trained.size(); ++i)
    if (!trained[i]) refuse("class \"" + data.classes[i] + "\" has no training picture");
}

std::string fingerprint(const FinetuneSettings& settings, const Graph& graph, const Preprocessing& preprocessing,
                        const Dataset& data) {
  std::ostringstream network, text;
  append_network(graph, network);
  if (settings.teacher) append_network(settings.teacher->contents().graph, network);
  for (const auto* files : {&data.train, &data.validation}) {
    text << files->size() << '\n';
    for (const LabelledFile& file : *files) {
      text << std::filesystem::path(file.path).filename().string() << ' ' << file.label;
      for (const float t : file.target) text << ' ' << t;
      if (file.weight != 1) text << " weighs " << file.weight;
    }
  }
  std::string lines;
  std::istringstream said(resumable_text(settings));
  for (std::string line; std::getline(said, line);) {
    if (line.starts_with("epochs=") || line.starts_with("patience=")) continue;  // how long it goes on may change
    lines += line + "\n";
  }
  return lines + "preprocessing=" + to_json(preprocessing) + "\nnetwork=" + hash_of(network.str()) +
         "\npictures=" + hash_of(text.str());
}

}  // namespace graft
