#include <algorithm>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>

#include "apps/cli/account.h"
#include "apps/cli/common.h"
#include "apps/cli/json_output.h"
#include "apps/cli/printable.h"
#include "apps/cli/run_listener.h"
#include "apps/cli/usage.h"
#include "apps/commands/commands.h"
#include "apps/drawing/overlay.h"
#include "apps/run/finetune_files.h"
#include "augment/encode.h"
#include "graft/dataset.h"
#include "graft/error.h"
#include "graft/explain.h"
#include "runtime/core/npy.h"

namespace graft::app {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct Options : PictureModelOptions {
  ExplainSettings explain;
  std::vector<std::string> inputs;
  std::string output, target;
  bool arrays = false;
};

/// A class by its name or its number.
int output_of(const Model& model, const std::string& name) {
  const std::vector<std::string>& labels = model.labels();
  if (const auto at = std::find(labels.begin(), labels.end(), name); at != labels.end())
    return static_cast<int>(at - labels.begin());
  if (!name.empty() && name.size() < 9 && name.find_first_not_of("0123456789") == std::string::npos)
    return std::stoi(name);
  throw Error("the model knows no class \"" + name + "\"", "graft inspect lists them; a number names an output",
              ErrorCode::not_found)
      .about("class");
}

/// Names of files in the folder, one a picture, no two alike.
class FileNames {
 public:
  FileNames(fs::path folder, const std::vector<std::string>& pictures) : folder_(std::move(folder)) {
    for (const std::string& picture : pictures)
      if (same_folder(picture)) taken_.insert(fs::path(picture).stem().string());
  }
  std::string next(const std::string& picture) {
    const std::string stem = fs::path(picture).stem().string();
    std::string name = stem;
    for (int i = 2; !taken_.insert(name).second; ++i) name = stem + "-" + std::to_string(i);
    return (folder_ / name).string();
  }

 private:
  /// A picture that lies where overlays are written keeps its name to itself.
  bool same_folder(const std::string& picture) const {
    std::error_code code;
    const fs::path parent = fs::path(picture).parent_path();
    return fs::equivalent(parent.empty() ? fs::path(".") : parent, folder_, code) && !code;
  }
  fs::path folder_;
  std::set<std::string> taken_;
};

void explain(const Options& o) {
  const Model model = Model::load(o.model);
  ExplainSettings settings = o.explain;
  if (!o.target.empty()) settings.target = output_of(model, o.target);
  const RunSettings run = run_settings(model, o);
  const PictureList pictures = list_pictures(o.inputs);
  if (pictures.paths.empty()) throw Error("no pictures were given", "name files, folders or globs");
  make_folder(o.output);
  open_device_for(o);
  RunListener listener(o.common.quiet);
  for (const std::string& reason : pictures.skipped) listener.skipped(reason);
  Explainer explainer(model, settings, run);
  listener.note(explainer.method() + " of " + explainer.layer());
  FileNames names(o.output, pictures.paths);
  json results = json::array();
  // A few at a time: each holds its crop and its map.
  constexpr size_t kAtOnce = 16;
  Account account{0, {}, pictures.ignored};
  for (size_t at = 0; at < pictures.paths.size(); at += kAtOnce) {
    const std::vector<std::string> paths(
        pictures.paths.begin() + static_cast<std::ptrdiff_t>(at),
        pictures.paths.begin() + static_cast<std::ptrdiff_t>(std::min(at + kAtOnce, pictures.paths.size())));
    const std::vector<Explanation> all = explainer.explain(paths, &listener);
    for (size_t i = 0; i < all.size(); ++i) {
      const Explanation& e = all[i];
      if (!e.error.empty()) {
        results.push_back({{"path", paths[i]}, {"error", e.error}});
        continue;
      }
      ++account.pictures;
      const std::string name = names.next(paths[i]);
      write_image(overlay(e), name + ".png");
      json one{
          {"path", paths[i]}, {"label", e.label}, {"index", e.index}, {"score", e.score}, {"overlay", name + ".png"}};
      if (o.arrays) {
        write_npy(name + ".npy", Tensor::copy_of<float>({e.height, e.width}, e.map));
        one["map"] = name + ".npy";
      }
      if (!o.common.json) std::cout << printable(paths[i]) << ": " << printable(e.label) << ": " << name << ".png\n";
      results.push_back(std::move(one));
    }
  }
  account.unreadable = listener.unreadable();
  if (o.common.json)
    print_json({{"method", explainer.method()},
                {"layer", explainer.layer()},
                {"results", std::move(results)},
                {"notes", listener.notes()},
                {"unreadable", account.unreadable},
                {"not_pictures", account.ignored}});
  tell_account(account, o.common.quiet);
}

}  // namespace

void register_explain(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand("explain", "Show where in pictures a model sees what it answers");
  command->footer(examples(
      {"graft explain run photo.jpg -o seen", "graft explain model.onnx photos/ -o seen --class bees --arrays"}));
  add_single_picture_model(*command, *o);
  command->add_option("inputs", o->inputs, "Pictures, folders, globs, or - for a list on standard input")->required();
  command->add_option("-o,--output", o->output, "Folder for an overlay of each picture, NAME.png")->required();
  command->add_option("--class", o->target, "Class that is explained, by name or number (default: the answer)");
  command
      ->add_option(
          "--method", o->explain.method,
          "auto | grad-cam | attention-rollout; auto: rollout for transformers that attend to all of a picture")
      ->transform(one_of({"auto", "grad-cam", "attention-rollout"}))
      ->capture_default_str();
  command->add_option("--layer", o->explain.layer,
                      "Node or value whose activations grad-cam weights (default: the last with places)");
  command->add_flag("--arrays", o->arrays, "Also write each map as numbers: NAME.npy, float32, height × width");
  command->callback([o] { explain(*o); });
}

}  // namespace graft::app
