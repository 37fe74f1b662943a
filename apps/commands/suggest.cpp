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
#include "apps/pictures/file_placing.h"
#include "graft/dataset.h"
#include "graft/error.h"
#include "graft/suggest.h"

namespace graft::app {
namespace {

using nlohmann::json;

struct Options : PictureModelOptions {
  std::vector<std::string> inputs;
  std::string format = "text";
  size_t count = 20;
  PlacingOptions placing;
};

void suggest_pictures(const Options& o) {
  const Model model = Model::load(o.model);
  const PictureList pictures = list_pictures(o.inputs);
  if (pictures.paths.empty()) throw Error("no pictures were given", "name files, folders or globs");
  if (model.task() == Task::multi_label && o.placing.how != Placing::none)
    throw Error("a model of several labels does not answer with one class",
                "leave --copy-to, --link-to and --move-to out; --format csv lists the pictures");
  if (!o.placing.folder.empty()) require_folder(o.placing.folder);
  const RunSettings run = run_settings(model, o);
  open_device_for(o);
  RunListener listener(o.common.quiet);
  for (const std::string& reason : pictures.skipped) listener.skipped(reason);
  const Suggestions found = suggest(model, pictures.paths, {o.count, o.common.seed}, run, &listener);
  json results = json::array();
  if (o.format == "csv" && !o.common.json) std::cout << "path,uncertainty,label,score,second,second_score\n";
  for (const Suggestion& s : found.pictures) {
    const std::string& path = pictures.paths[s.index];
    json entry{{"path", path}, {"uncertainty", s.uncertainty}};
    for (const Score& score : s.top)
      entry["top"].push_back({{"label", score.label}, {"index", score.index}, {"score", score.score}});
    if (o.placing.how != Placing::none)
      entry["placed"] =
          place_file(path, o.placing.folder, s.top.empty() ? "unlabelled" : s.top[0].label, o.placing.how);
    if (o.common.json)
      results.push_back(std::move(entry));
    else if (o.format == "jsonl")
      std::cout << entry.dump(-1, ' ', false, json::error_handler_t::replace) << "\n";
    else if (o.format == "csv") {
      std::cout << csv_field(path) << ',' << s.uncertainty;
      for (size_t k = 0; k < 2; ++k)
        if (k < s.top.size())
          std::cout << ',' << csv_field(s.top[k].label) << ',' << s.top[k].score;
        else
          std::cout << ",,";
      std::cout << "\n";
    } else {
      std::cout << printable(path);
      for (size_t k = 0; k < s.top.size(); ++k) {
        char score[16];
        std::snprintf(score, sizeof score, "%.1f %%", static_cast<double>(s.top[k].score) * 100);
        std::cout << (k == 0 ? ": " : " or ") << printable(s.top[k].label) << " " << score;
      }
      std::cout << "\n";
    }
  }
  std::cout.flush();
  const Account account{pictures.paths.size() - found.skipped.size(), listener.unreadable(), pictures.ignored};
  if (account.pictures == 0) throw Error("none of the pictures can be read", {}, ErrorCode::bad_data);
  if (found.pictures.size() < o.count)
    listener.note("all " + std::to_string(account.pictures) +
                  " pictures are named: there are no more than were asked for");
  if (o.common.json)
    print_json({{"results", std::move(results)},
                {"pictures", account.pictures},
                {"notes", listener.notes()},
                {"unreadable", account.unreadable},
                {"not_pictures", account.ignored}});
  tell_account(account, o.common.quiet);
}

}  // namespace

void register_suggest(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand("suggest", "Name the pictures that are worth a label next");
  command->footer(examples({"graft suggest run unlabelled/ --count 50 --copy-to to_label",
                            "graft suggest zoo:mobilenetv2-7 photos/  # before there is any label"}));
  add_picture_model(*command, *o);
  add_disk_cache_options(*command, o->common, "on");
  add_seed_option(*command, o->common, "Seed of the choice");
  command
      ->add_option("inputs", o->inputs, "Unlabelled pictures: files, folders, globs, or - for a list on standard input")
      ->required();
  command
      ->add_option(
          "--count", o->count,
          "How many to name: of so many clusters of unsure pictures one each, so that a larger count is another choice")
      ->check(CLI::Range(1, 2000))
      ->capture_default_str();
  command->add_option("--format", o->format, "text | csv | jsonl")
      ->transform(one_of({"text", "csv", "jsonl"}))
      ->capture_default_str();
  add_placing(*command, o->placing, "Copy them into FOLDER/ANSWER, where wrong ones are quickly moved");
  command->callback([o] { suggest_pictures(*o); });
}

}  // namespace graft::app
