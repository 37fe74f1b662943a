#include <filesystem>
#include <iostream>

#include "apps/cli/common.h"
#include "apps/cli/json_output.h"
#include "apps/cli/run_listener.h"
#include "apps/cli/usage.h"
#include "apps/commands/commands.h"
#include "graft/error.h"
#include "graft/similar.h"

namespace graft::app {
namespace {

struct Options {
  CommonOptions common;
  std::string features, output;
};

void index_features(const Options& o) {
  namespace fs = std::filesystem;
  std::error_code code;
  if (const fs::path folder = fs::absolute(o.output).parent_path(); !fs::is_directory(folder, code))
    throw Error(folder.string() + " is no folder", "create it first").about("output");
  if (fs::is_directory(o.output, code)) throw Error("is a folder", "name a file").about("output");
  if (std::filesystem::equivalent(o.features, o.output, code))
    throw Error("would be written over the features", "give it another name").about("output");
  RunListener listener(o.common.quiet);
  const PictureIndex index = PictureIndex::of_features(o.features, &listener);
  index.save(o.output);
  if (index.made_by().empty())
    listener.note(o.features + " does not say which model and preprocessing made it: find cannot check that " +
                  "they are the same (.npz files of graft extract say it)");
  const auto bytes = std::filesystem::file_size(o.output);
  if (o.common.json)
    print_json({{"output", o.output},
                {"pictures", index.size()},
                {"features", index.width()},
                {"bytes", bytes},
                {"notes", listener.notes()}});
  else if (!o.common.quiet)
    std::cerr << index.size() << " pictures, " << index.width() << " features each: " << o.output << "\n";
}

}  // namespace

void register_index(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand("index", "Make an index of features, for graft find");
  command->footer(
      examples({"graft extract model.onnx photos/ -o photos.npz", "graft index photos.npz -o photos.index"}));
  add_output_options(*command, o->common);
  command->add_option("features", o->features, "What graft extract wrote: .npz, .npy or .csv")->required();
  command->add_option("-o,--output", o->output, "The index, a file")->required();
  command->callback([o] { index_features(*o); });
}

}  // namespace graft::app
