#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "apps/account.h"
#include "apps/commands/commands.h"
#include "apps/common.h"
#include "apps/run_listener.h"
#include "apps/scatter.h"
#include "augment/data/file_kinds.h"
#include "finetune/features/tsne.h"
#include "graft/dataset.h"
#include "graft/error.h"
#include "graft/feature_extractor.h"
#include "runtime/core/atomic_file.h"

namespace graft::app {
namespace {

constexpr int64_t kMostInAPicture = 5000;

struct Options : PictureModelOptions {
  std::string layer = kPenultimate, output, picture;
  double perplexity = 30;
  std::vector<std::string> inputs;
};

/// Labels of features by the classes that their pictures lie below: counted as the model's labels where it knows any of
/// them, else as all commands sort classes.
void label_by_classes(const std::vector<std::string>& classes, const std::vector<std::string>& labels,
                      Features& features) {
  std::set<std::string> names(classes.begin(), classes.end());
  names.erase("");
  if (names.empty()) {  // files alone: their own folders' names are what class_labels counts
    for (size_t row = 0; row < features.rows; ++row) {
      if (features.labels[row] < 0) continue;
      const auto label = static_cast<size_t>(features.labels[row]);
      if (features.classes.size() <= label) features.classes.resize(label + 1);
      features.classes[label] = std::filesystem::path(features.paths[row]).parent_path().filename().string();
    }
    return;
  }
  features.classes.assign(names.begin(), names.end());
  sort_naturally(features.classes);
  if (std::any_of(labels.begin(), labels.end(), [&](const std::string& l) { return names.contains(l); }))
    features.classes = labels;
  std::map<std::string, int64_t> index;
  for (size_t i = 0; i < features.classes.size(); ++i) index.try_emplace(features.classes[i], static_cast<int64_t>(i));
  for (size_t row = 0; row < features.rows; ++row) {
    const auto known = index.find(classes[features.indices[row]]);
    features.labels[row] = known == index.end() ? -1 : known->second;
  }
}

/// The features in the plane, by t-SNE.
void write_map(const Options& o, const Features& features) {
  const auto samples = static_cast<int64_t>(features.rows);
  if (samples > kMostInAPicture)
    throw Error("--tsne: " + std::to_string(samples) + " pictures are too many, work grows with their square",
                "give at most " + std::to_string(kMostInAPicture));
  // Few pictures have few neighbours: the perplexity that is usual for more is taken down to what they can have.
  const TsneResult map = tsne(features.values, samples,
                              {std::min(o.perplexity, static_cast<double>(samples - 1) / 3), 1000, o.common.seed});
  const Scatter scatter{
      "t-SNE of " + std::to_string(features.width) + " features of " + std::to_string(samples) + " pictures",
      map.places, features.labels, features.classes, features.paths};
  write_atomically(o.picture, [&](std::ostream& stream) { stream << to_svg(scatter); });
}

Features extracted(const Options& o, Account& account) {
  RunSettings settings;
  PictureList pictures;
  std::vector<std::string> labels;
  const auto make_extractor = [&] {  // the model's own weights go with it
    const Model model = Model::load(o.model);
    labels = model.labels();
    settings = run_settings(model, o);
    pictures = list_pictures(o.inputs);
    if (pictures.paths.empty()) throw Error("no pictures were given", "name files, folders or globs");
    settings.pictures = pictures.paths.size();
    open_device_for(o);
    return FeatureExtractor(model, o.layer, settings);
  };
  FeatureExtractor extractor = make_extractor();
  RunListener listener(o.common.quiet);
  for (const std::string& reason : pictures.skipped) listener.skipped(reason);
  Features features = extractor.extract(pictures.paths, &listener);
  label_by_classes(classes_of(pictures, o.inputs), labels, features);
  account = {static_cast<size_t>(features.rows), listener.unreadable(), std::move(pictures.ignored)};
  return features;
}

void extract(const Options& o) {
  check_features_path(o.output);
  Account account;
  const Features features = extracted(o, account);
  save_features(features, o.output);
  if (!o.picture.empty()) write_map(o, features);
  if (o.common.json)
    std::cout << nlohmann::json{{"output", o.output},
                                {"pictures", features.rows},
                                {"features", features.width},
                                {"classes", features.classes},
                                {"skipped", account.unreadable.size()},
                                {"unreadable", account.unreadable},
                                {"not_pictures", account.ignored}}
                     .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)
              << "\n";
  else if (!o.common.quiet)
    std::cerr << features.rows << " pictures, " << features.width << " features each: " << o.output << "\n";
  tell_account(account, o.common.quiet);
}

}  // namespace

void register_extract(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand("extract", "Write features of pictures");
  add_picture_model(*command, *o);
  command->add_option("inputs", o->inputs, "Pictures, folders, globs, or - for a list on standard input")->required();
  command->add_option("--layer", o->layer, "Name of a node or value, or penultimate")->capture_default_str();
  command->add_option("--tsne", o->picture, "SVG of the features in the plane, coloured by class")
      ->type_name("FILE.svg");
  command->add_option("--perplexity", o->perplexity, "--tsne: how many neighbours a picture has, about")
      ->check(CLI::Range(1.0, 1000.0))
      ->capture_default_str();
  command->add_option("-o,--output", o->output, ".npy, .npz or .csv")->required();
  command->callback([o] { extract(*o); });
}

}  // namespace graft::app
