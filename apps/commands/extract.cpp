#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "apps/classifier.h"
#include "apps/commands/commands.h"
#include "apps/scatter.h"
#include "augment/dataset.h"
#include "finetune/features/tsne.h"
#include "finetune/heads/head.h"
#include "importer/reader.h"
#include "runtime/core/atomic_file.h"
#include "runtime/core/error.h"
#include "runtime/core/npy.h"

namespace graft::app {
namespace {

constexpr int64_t kMostInAPicture = 5000;

struct Options : PictureModelOptions {
  std::string layer = "penultimate", output, picture;
  double perplexity = 30;
  std::vector<std::string> inputs;
};

/// A picture's class, where its folder's name is one of the model's labels or all pictures lie in class folders; -1
/// otherwise.
std::vector<int64_t> labels_of(const std::vector<std::string>& paths, const Metadata& metadata) {
  std::map<std::string, int64_t> index;
  for (size_t i = 0; i < metadata.labels.size(); ++i) index[metadata.labels[i]] = static_cast<int64_t>(i);
  std::vector<std::string> folders;
  for (const std::string& p : paths) folders.push_back(std::filesystem::path(p).parent_path().filename().string());
  if (std::none_of(folders.begin(), folders.end(), [&](const std::string& f) { return index.contains(f); })) {
    index.clear();
    for (const std::string& f : folders) index[f] = 0;
    if (index.size() < 2) return std::vector<int64_t>(paths.size(), -1);
    int64_t next = 0;
    for (auto& [name, i] : index) i = next++;
  }
  std::vector<int64_t> labels;
  for (const std::string& f : folders) labels.push_back(index.contains(f) ? index[f] : -1);
  return labels;
}

void write_csv(const std::string& path, const Tensor& features, const std::vector<int64_t>& labels,
               const std::vector<std::string>& paths) {
  write_atomically(path, [&](std::ostream& stream) {
    stream << "path,label";
    const auto width = static_cast<size_t>(features.shape()[1]);
    for (size_t d = 0; d < width; ++d) stream << ",f" << d;
    stream << "\n";
    stream.precision(9);
    for (size_t i = 0; i < paths.size(); ++i) {
      std::string quoted;
      for (char c : paths[i]) quoted += c == '"' ? "\"\"" : std::string(1, c);
      stream << '"' << quoted << "\"," << labels[i];
      for (size_t d = 0; d < width; ++d) stream << ',' << features.data<float>()[i * width + d];
      stream << "\n";
    }
  });
}

/// Names of the classes that labels_of counts: those of the pictures' folders.
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
void write_map(const Options& o, const Tensor& features, const std::vector<int64_t>& labels,
               const std::vector<std::string>& paths) {
  const int64_t samples = features.shape()[0];
  if (samples > kMostInAPicture)
    throw Error("--tsne: " + std::to_string(samples) + " pictures are too many, work grows with their square",
                "give at most " + std::to_string(kMostInAPicture));
  // Few pictures have few neighbours: the perplexity that is usual for more is taken down to what they can have.
  const TsneResult map = tsne(features.data<float>(), samples,
                              {std::min(o.perplexity, static_cast<double>(samples - 1) / 3), 1000, o.common.seed});
  const Scatter scatter{
      "t-SNE of " + std::to_string(features.shape()[1]) + " features of " + std::to_string(samples) + " pictures",
      map.places, labels, class_names(paths, labels), paths};
  write_atomically(o.picture, [&](std::ostream& stream) { stream << to_svg(scatter); });
}

void extract(const Options& o) {
  const std::string extension = std::filesystem::path(o.output).extension().string();
  if (extension != ".npy" && extension != ".npz" && extension != ".csv")
    throw Error(o.output + ": unknown format", "end the name in .npy, .npz or .csv");
  Model model = read_model(o.model);
  const Preprocessing preprocessing = resolve_preprocessing(model, o.pictures, o.common);
  const auto paths = list_pictures(o.inputs);
  if (paths.empty()) throw Error("no pictures were given", "name files, folders or globs");
  std::string layer = o.layer;
  if (layer == "penultimate") {
    layer.clear();
    cut_head(model.graph);
  }
  const Metadata metadata = model.metadata;
  PictureRunner runner(std::move(model), preprocessing, o.common, paths.size(), layer);
  std::vector<float> values;
  std::vector<std::string> kept;
  const size_t skipped = runner.run("extract", paths, [&](size_t i, std::span<const float> row) {
    values.insert(values.end(), row.begin(), row.end());
    kept.push_back(paths[i]);
  });
  if (kept.empty()) throw Error("none of the pictures can be read");
  const auto rows = static_cast<int64_t>(kept.size()), width = static_cast<int64_t>(runner.width());
  const Tensor features = Tensor::copy_of<float>({rows, width}, values);
  const auto labels = labels_of(kept, metadata);
  if (extension == ".npy") {
    write_npy(o.output, features);
  } else if (extension == ".npz") {
    const Tensor label_tensor = Tensor::copy_of<int64_t>({rows}, labels);
    write_npz(o.output, {{"features", &features}, {"labels", &label_tensor}}, {{"paths", kept}});
  } else {
    write_csv(o.output, features, labels, kept);
  }
  if (!o.picture.empty()) write_map(o, features, labels, kept);
  if (o.common.json)
    std::cout
        << nlohmann::json{{"output", o.output}, {"pictures", rows}, {"features", width}, {"skipped", skipped}}.dump()
        << "\n";
  else if (!o.common.quiet)
    std::cerr << rows << " pictures, " << width << " features each: " << o.output << "\n";
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
