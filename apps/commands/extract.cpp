#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>

#include "apps/cli/account.h"
#include "apps/cli/common.h"
#include "apps/cli/json_output.h"
#include "apps/cli/notes.h"
#include "apps/cli/run_listener.h"
#include "apps/cli/usage.h"
#include "apps/commands/commands.h"
#include "apps/drawing/scatter.h"
#include "apps/evaluation/evaluation_files.h"
#include "apps/library/scores.h"
#include "apps/pictures/shard.h"
#include "augment/data/file_kinds.h"
#include "finetune/features/tsne.h"
#include "graft/dataset.h"
#include "graft/error.h"
#include "graft/feature_extractor.h"
#include "graft/feature_writer.h"
#include "runtime/core/atomic_file.h"

namespace graft::app {
namespace {

constexpr size_t kMostInAPicture = 50000;

struct Options : PictureModelOptions {
  std::string layer = kPenultimate, output, picture;
  double perplexity = 30;
  bool append = false;
  Shard shard;
  std::vector<std::string> inputs;
};

/// The class of each picture: what folder or list says, else that of its own folder where folders differ; "" for none.
std::vector<std::string> class_names(const PictureList& pictures, const Options& o,
                                     const std::vector<std::string>& labels) {
  std::vector<std::string> names = classes_of(pictures, o.inputs);
  if (std::any_of(names.begin(), names.end(), [](const std::string& name) { return !name.empty(); })) return names;
  const std::vector<int64_t> numbers = class_labels(pictures.paths, labels);
  names.resize(pictures.paths.size());
  for (size_t i = 0; i < names.size(); ++i)
    if (numbers[i] >= 0) names[i] = std::filesystem::path(pictures.paths[i]).parent_path().filename().string();
  return names;
}

void check_map(size_t pictures) {
  if (pictures < 4)
    throw Error("--tsne: needs at least 4 pictures, there are " + std::to_string(pictures), "leave it out",
                ErrorCode::bad_data);
  if (pictures > kMostInAPicture)
    throw Error("--tsne: " + std::to_string(pictures) + " pictures are too many, work grows with their square",
                "give at most " + std::to_string(kMostInAPicture));
}

/// The features in the plane, by t-SNE.
void write_map(const Options& o, const Features& features) {
  const auto start = std::chrono::steady_clock::now();
  const auto samples = static_cast<int64_t>(features.rows);
  // Few pictures have few neighbours: the perplexity that is usual for more is taken down to what they can have.
  const TsneResult map =
      tsne(features.values, samples,
           {.perplexity = std::min(o.perplexity, static_cast<double>(samples - 1) / 3), .seed = o.common.seed});
  const Scatter scatter{
      "t-SNE of " + std::to_string(features.width) + " features of " + std::to_string(samples) + " pictures",
      map.places, features.labels, features.classes, features.paths};
  write_atomically(o.picture, [&](std::ostream& stream) { stream << to_svg(scatter); });
  if (o.common.quiet) return;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::cerr << o.picture << ": t-SNE of " << samples << " pictures, divergence " << short_number(map.divergence) << ", "
            << short_number(seconds) << " s\n";
}

/// Leaves out what stands in the list before.
void remove_repetitions(std::vector<std::string>& paths, bool quiet) {
  std::set<std::string> known;
  const size_t again = std::erase_if(paths, [&](const std::string& path) { return !known.insert(path).second; });
  if (again > 0) tell_note(std::to_string(again) + " pictures were given more than once", quiet);
}

void tell_beginning(const FeatureWriter& writer, const Options& o) {
  const auto tell = [&](const std::string& text) { tell_note(text, o.common.quiet); };
  if (writer.continued() > 0)
    tell("goes on where an interrupted run ended: " + std::to_string(writer.continued()) + " pictures are there (" +
         o.output + ".part)");
  if (writer.discarded() > 0)
    tell(std::to_string(writer.discarded()) + " pictures that an interrupted run had left in " + o.output +
         ".part are not used: they are others or have changed, or are of another model or other settings");
  if (writer.kept() > 0) tell(std::to_string(writer.kept()) + " pictures that " + o.output + " holds already are kept");
}

/// Where the model's own names are no pictures' classes, all parts number the classes of all pictures.
void name_all_classes(std::vector<std::string>& labels, const std::vector<std::string>& classes) {
  std::set<std::string> names(classes.begin(), classes.end());
  names.erase("");
  if (std::any_of(labels.begin(), labels.end(), [&](const std::string& label) { return names.contains(label); }))
    return;
  labels.assign(names.begin(), names.end());
  sort_naturally(labels);
}

void extract(const Options& o) {
  check_features_path(o.output);
  for (const std::string& file : {o.output, o.picture})
    if (!file.empty()) require_writable_place(file);  // said now, not once all is computed
  RunSettings settings;
  std::vector<std::string> labels;
  PictureList pictures;
  std::vector<std::string> classes;
  std::string part;                  // of the pictures
  const auto make_extractor = [&] {  // the model's own weights go with it
    const Model model = Model::load(o.model);
    labels = model.labels();
    settings = run_settings(model, o);
    pictures = list_pictures(o.inputs);
    if (pictures.paths.empty()) throw Error("no pictures were given", "name files, folders or globs");
    remove_repetitions(pictures.paths, o.common.quiet);
    classes = class_names(pictures, o, labels);  // by all pictures, whichever part is taken
    if (!o.shard.whole()) name_all_classes(labels, classes);
    part = o.shard.take(pictures);
    o.shard.keep(classes);
    if (pictures.paths.empty()) throw Error(part, "divide them into fewer").about("shard");
    if (!o.picture.empty()) check_map(pictures.paths.size());
    settings.pictures = pictures.paths.size();
    open_device_for(o);
    return FeatureExtractor(model, o.layer, settings);
  };
  FeatureExtractor extractor = make_extractor();
  FeatureWriter writer(o.output, {extractor.made_by(), o.append, extractor.width(), pictures.paths});
  tell_beginning(writer, o);
  std::vector<std::string> missing, missing_classes;
  for (size_t i = 0; i < pictures.paths.size(); ++i) {
    if (writer.has(pictures.paths[i])) continue;
    missing.push_back(pictures.paths[i]);
    missing_classes.push_back(classes[i]);
  }
  RunListener listener(o.common.quiet);
  if (!part.empty()) listener.note(part);
  for (const std::string& reason : pictures.skipped) listener.skipped(reason);
  const size_t known = writer.rows();
  extractor.run(
      missing, [&](size_t i, std::span<const float> row) { writer.add(missing[i], missing_classes[i], row); }, {},
      &listener);
  if (!o.picture.empty()) {
    check_map(writer.rows());
    write_map(o, writer.features(labels));
  }
  writer.finish(labels);
  const Account account{pictures.paths.size() - missing.size() + (writer.rows() - known), listener.unreadable(),
                        std::move(pictures.ignored)};
  if (o.common.json)
    print_json({{"output", o.output},
                {"pictures", writer.rows()},
                {"features", writer.width()},
                {"kept", writer.kept()},
                {"continued", writer.continued()},
                {"discarded", writer.discarded()},
                {"classes", writer.classes(labels)},
                {"dtype", precision(o.common)},
                {"notes", listener.notes()},
                {"unreadable", account.unreadable},
                {"not_pictures", account.ignored}});
  else if (!o.common.quiet)
    std::cerr << writer.rows() << " pictures, " << writer.width() << " features each: " << o.output << "\n";
  tell_account(account, o.common.quiet);
}

}  // namespace

void register_extract(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand("extract", "Write features of pictures");
  command->footer(examples({"graft extract model.onnx photos/ -o features.npz",
                            "graft extract model.onnx data/train -o features.npy --tsne map.svg"}));
  add_picture_model(*command, *o);
  add_disk_cache_options(*command, o->common, "off");
  add_seed_option(*command, o->common, "Seed of the t-SNE");
  command->add_option("inputs", o->inputs, "Pictures, folders, globs, or - for a list on standard input")->required();
  command->add_option("--layer", o->layer, "Name of a node or value, or penultimate")->capture_default_str();
  command->add_option("--tsne", o->picture, "SVG of the features in the plane, coloured by class")
      ->check(ends_in({".svg"}))
      ->type_name("FILE.svg");
  command->add_option("--perplexity", o->perplexity, "--tsne: how many neighbours a picture has, about")
      ->check(CLI::Range(1.0, 1000.0))
      ->capture_default_str();
  command->add_option("-o,--output", o->output, ".npy, .npz or .csv")->required();
  add_shard_option(*command, o->shard);
  command->add_flag("--append", o->append, "Keep the rows that the output file has, and add what is missing");
  command->callback([o] { extract(*o); });
}

}  // namespace graft::app
