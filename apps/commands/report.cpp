#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/cli/account.h"
#include "apps/cli/common.h"
#include "apps/cli/json_output.h"
#include "apps/cli/run_listener.h"
#include "apps/cli/usage.h"
#include "apps/commands/commands.h"
#include "apps/report/report.h"
#include "apps/run/run_folder.h"
#include "graft/error.h"

namespace graft::app {
namespace {

struct Options : PictureModelOptions {
  std::string data, output;
};

void report(Options o) {
  const Model model = Model::load(o.model);
  const RunSource run = source_of_run(o.model);
  if (o.data.empty() && !run.data)
    throw Error("no labelled pictures are named", "name them behind the model; a RUN folder knows its own");
  const bool own = o.data.empty();
  if (own) o.data = *run.data;
  if (o.output.empty())
    o.output = run.data ? (std::filesystem::path(o.model).parent_path() / "report.html").string() : "report.html";
  require_writable_place(o.output);
  ReportSource source;
  source.run = run_settings(model, o);
  const SplitSettings split{own ? run.validation_part.value_or(0.2) : 0.2, own ? run.seed.value_or(0) : o.common.seed,
                            own};
  const Dataset data = read_dataset(o.data, model.task(), split);
  open_device_for(o);
  RunListener listener(o.common.quiet);
  tell_notes(data, o.common.quiet);
  for (const std::string& reason : data.skipped) listener.skipped(reason);
  source.account.ignored = data.ignored;
  const std::pair<const char*, const std::vector<LabelledFile>*> parts[] = {
      {"train", &data.train}, {"val", &data.validation}, {data.is_split ? "test" : "all", &data.test}};
  for (const auto& [name, files] : parts) {
    if (files->empty()) continue;
    source.parts.push_back({name, *files, evaluate(model, *files, data.classes, source.run, &listener)});
    source.account.pictures += static_cast<size_t>(source.parts.back().evaluation.pictures);
  }
  source.account.unreadable = listener.unreadable();
  source.notes = listener.notes();
  source.of_run = own;
  source.title = name_of_path(o.data) + ": what " + name_of_path(o.model) + " makes of it";
  source.config = run.config;
  source.command = "graft report " + shell_quoted(o.model) + " " + shell_quoted(o.data);
  source.augment = run.augment;
  source.training = data.train;
  write_report(o.output, model, source, &listener);
  tell_account(source.account, o.common.quiet);
  if (o.common.json)
    print_json({{"report", o.output},
                {"notes", listener.notes()},
                {"unreadable", source.account.unreadable},
                {"not_pictures", source.account.ignored}});
  else if (!o.common.quiet)
    std::cerr << "graft: " << o.output << "\n";
}

}  // namespace

void register_report(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand("report", "Write a page of figures, mistakes and explanations, in one HTML file");
  command->footer(examples({"graft report run", "graft report model.onnx data -o report.html"}));
  add_picture_model(*command, *o);
  add_seed_option(*command, o->common, "Seed of the split and of the augmentation");
  command->add_option("data", o->data,
                      "Labelled pictures, as evaluate takes them; a RUN folder's own where it is left out");
  command
      ->add_option("-o,--output", o->output,
                   "Page to write (default: report.html, in the RUN folder where there is one)")
      ->check(ends_in({".html"}));
  command->callback([o] { report(*o); });
}

}  // namespace graft::app
