#include <algorithm>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/account.h"
#include "apps/commands/commands.h"
#include "apps/common.h"
#include "apps/run_listener.h"
#include "apps/scatter.h"
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

/// Names of the classes that class_labels counts: those of the pictures' folders.
std::vector<std::string> class_names(const std::vector<std::string>& paths, const std::vector<int64_t>& labels) {
  std::vector<std::string> names;
  for (size_t i = 0; i < paths.size(); ++i) {
    if (labels[i] < 0) continue;
    const auto label = static_cast<size_t>(labels[i]);
    if (names.size() <= label) names.resize(label + 1);
    names[label] = std::filesystem::path(paths[i]).parent_path().filename().string();
  }
  return names;
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
      map.places, features.labels, class_names(features.paths, features.labels), features.paths};
  write_atomically(o.picture, [&](std::ostream& stream) { stream << to_svg(scatter); });
}

Features extracted(const Options& o, Account& account) {
  RunSettings settings;
  PictureList pictures;
  const auto make_extractor = [&] {  // the model's own weights go with it
    const Model model = Model::load(o.model);
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
