#include <filesystem>
#include <iostream>

#include "apps/cli/common.h"
#include "apps/cli/json_output.h"
#include "apps/cli/usage.h"
#include "apps/commands/commands.h"
#include "apps/pictures/data_check.h"
#include "graft/dataset.h"
#include "graft/error.h"

namespace graft::app {
namespace {

struct Options : PictureModelOptions {
  std::string data, page, fix_list;
};

/// A place that cannot be written is told before the work.
void check_place(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code code;
  if (!folder.empty() && !std::filesystem::is_directory(folder, code))
    throw Error(path + ": its folder does not exist", "create " + folder.string(), ErrorCode::not_found);
}

void check(const Options& o) {
  for (const std::string& path : {o.page, o.fix_list})
    if (!path.empty()) check_place(path);
  const Dataset data = read_dataset(o.data, Task::classes, {.seed = o.common.seed, .trains = false});
  const DataReport report = check_data(data, o);
  if (!o.page.empty()) write_report_page(report, "graft check " + o.data, o.page);
  if (!o.fix_list.empty()) write_fix_list(report, o.fix_list);
  if (o.common.json)
    print_json(report_json(report));
  else
    print_report(report);
  if (!report.account.unreadable.empty()) set_exit_status(kSomeSkipped);
}

}  // namespace

void register_check(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand(
      "check",
      "Look through labelled pictures: unreadable ones, copies, leaks between parts; with a model wrong labels");
  command->footer(examples({"graft check data", "graft check data --model model.onnx --html check.html"}));
  add_output_options(*command, o->common);
  add_threads_option(*command, o->common);
  add_seed_option(*command, o->common, "Seed of the split");
  add_picture_options(*command, o->pictures);
  command->add_option("data", o->data, "Folder of train, val and test with CLASS in each, folder of CLASS, or table")
      ->required();
  command->add_option("--model", o->model, "ONNX model whose features tell wrong labels and pictures like no other");
  command->add_option("--html", o->page, "Page with thumbnails to write")->type_name("FILE.html");
  command->add_option("--fix-list", o->fix_list, "Table of what might be mended to write: path,kind,class,suggested,…")
      ->type_name("FILE.csv");
  command->callback([o] { check(*o); });
}

}  // namespace graft::app
