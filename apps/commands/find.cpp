#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/cli/account.h"
#include "apps/cli/common.h"
#include "apps/cli/csv.h"
#include "apps/cli/json_output.h"
#include "apps/cli/printable.h"
#include "apps/cli/run_listener.h"
#include "apps/cli/usage.h"
#include "apps/commands/commands.h"
#include "graft/dataset.h"
#include "graft/error.h"
#include "graft/feature_extractor.h"
#include "graft/similar.h"
#include "importer/preprocessing_json.h"

namespace graft::app {
namespace {

using nlohmann::json;

struct Options : PictureModelOptions {
  std::vector<std::string> inputs;
  std::string index, format = "text";
  size_t count = 5;
};

bool says_nothing(const PreprocessingSettings& s) {
  return s.name.empty() && s.resize < 0 && s.crop == 0 && !s.interpolation && !s.fit && !s.background && !s.profiles &&
         !s.exact_decode;
}

/// As the index's pictures were prepared, unless the command line says otherwise.
RunSettings settings_for(const Model& model, const Options& o, const json& made_by) {
  if (!made_by.is_object() || !says_nothing(o.pictures)) return run_settings(model, o);
  RunSettings settings{compute_settings(o.common), {}, o.views};
  settings.preprocessing = preprocessing_from_json(made_by.at("preprocessing").dump());
  if (settings.views.empty()) settings.views = made_by.value("views", "");
  return settings;
}

/// Features of another network or of pictures that were prepared in another way are no neighbours of these.
void require_same(const std::string& made_by, const json& indexed, const std::string& index) {
  const json own = json::parse(made_by);
  const auto refuse = [&](const std::string& what) {
    throw Error(index + ": " + what, "use what it was made with, or index the features of this model",
                ErrorCode::bad_data);
  };
  if (own.at("network") != indexed.at("network"))
    refuse("is of another network (" + indexed.value("model", json()).dump() + ")");
  if (own.at("layer") != indexed.at("layer")) refuse("is of another layer (" + indexed.at("layer").dump() + ")");
  if (own.at("views") != indexed.at("views")) refuse("was made with other --views");
  if (own.at("preprocessing") != indexed.at("preprocessing")) refuse("was made with another preprocessing");
}

class Output {
 public:
  Output(const Options& o, const PictureIndex& index) : o_(o), index_(index) {
    if (o.format == "csv" && !o.common.json) std::cout << "picture,rank,path,class,similarity\n";
  }

  void write(const std::string& path, const std::vector<PictureIndex::Neighbour>& found) {
    if (o_.format == "csv" && !o_.common.json) {
      for (size_t k = 0; k < found.size(); ++k)
        std::cout << csv_field(path) << ',' << k + 1 << ',' << csv_field(index_.path(found[k].index)) << ','
                  << csv_field(index_.class_name(found[k].index)) << ',' << found[k].similarity << '\n';
    } else if (o_.format == "text" && !o_.common.json) {
      std::cout << printable(path) << '\n';
      for (const auto& neighbour : found) {
        char similarity[16];
        std::snprintf(similarity, sizeof similarity, "%.3f", static_cast<double>(neighbour.similarity));
        const std::string& name = index_.class_name(neighbour.index);
        std::cout << "  " << similarity << "  " << place(neighbour.index)
                  << (name.empty() ? "" : "  (" + printable(name) + ")") << '\n';
      }
    } else {
      json entry{{"path", path}, {"neighbours", json::array()}};
      for (const auto& n : found) {
        json one{{"index", n.index}, {"path", index_.path(n.index)}, {"similarity", n.similarity}};
        if (!index_.class_name(n.index).empty()) one["label"] = index_.class_name(n.index);
        entry["neighbours"].push_back(std::move(one));
      }
      add(std::move(entry));
    }
  }
  void failed(const std::string& path, const std::string& reason) {
    if (o_.common.json || o_.format == "jsonl") add({{"path", path}, {"error", reason}});
  }
  json take() { return std::move(results_); }

 private:
  std::string place(size_t i) const {
    return index_.path(i).empty() ? "row " + std::to_string(i) : printable(index_.path(i));
  }
  void add(json entry) {
    if (o_.common.json)
      results_.push_back(std::move(entry));
    else
      std::cout << entry.dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
  }

  const Options& o_;
  const PictureIndex& index_;
  json results_ = json::array();
};

void find_pictures(const Options& o) {
  const PictureIndex index(o.index);
  const Model model = Model::load(o.model);
  const PictureList pictures = list_pictures(o.inputs);
  if (pictures.paths.empty()) throw Error("no pictures were given", "name files, folders or globs");
  json made_by = json::parse(index.made_by(), nullptr, /*allow_exceptions=*/false);
  for (const char* key : {"network", "layer", "views"})
    if (made_by.is_object() && !(made_by.contains(key) && made_by[key].is_string())) made_by = nullptr;
  if (made_by.is_object() && !(made_by.contains("preprocessing") && made_by["preprocessing"].is_object()))
    made_by = nullptr;
  RunSettings settings = settings_for(model, o, made_by);
  settings.pictures = pictures.paths.size();
  open_device_for(o);
  RunListener listener(o.common.quiet);
  for (const std::string& reason : pictures.skipped) listener.skipped(reason);
  FeatureExtractor extractor(model, made_by.is_object() ? made_by.value("layer", kPenultimate) : kPenultimate,
                             settings);
  if (made_by.is_object())
    require_same(extractor.made_by(), made_by, o.index);
  else
    listener.note(o.index +
                  " does not say what made it: that it is this model with this preprocessing is taken for granted");
  Output output(o, index);
  const size_t failed = extractor.run(
      pictures.paths,
      [&](size_t i, std::span<const float> row) { output.write(pictures.paths[i], index.nearest(row, o.count)); },
      [&](size_t i, const std::string& reason) { output.failed(pictures.paths[i], reason); }, &listener);
  std::cout.flush();
  const Account account{pictures.paths.size() - failed, listener.unreadable(), pictures.ignored};
  if (o.common.json)
    print_json({{"results", output.take()},
                {"pictures", account.pictures},
                {"indexed", index.size()},
                {"dtype", precision(o.common)},
                {"notes", listener.notes()},
                {"unreadable", account.unreadable},
                {"not_pictures", account.ignored}});
  tell_account(account, o.common.quiet);
}

}  // namespace

void register_find(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand("find", "Find the pictures of an index that are most alike");
  command->footer(examples({"graft find model.onnx photo.jpg --in photos.index",
                            "graft find model.onnx new/ --in photos.index --count 1 --format csv"}));
  add_picture_model(*command, *o);
  add_disk_cache_options(*command, o->common, "on");
  command->add_option("inputs", o->inputs, "Pictures, folders, globs, or - for a list on standard input")->required();
  command->add_option("--in", o->index, "What graft index made")->type_name("INDEX")->required();
  command->add_option("--count", o->count, "How many to name of each picture")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  command->add_option("--format", o->format, "text | csv | jsonl")
      ->transform(one_of({"text", "csv", "jsonl"}))
      ->capture_default_str();
  command->callback([o] { find_pictures(*o); });
}

}  // namespace graft::app
