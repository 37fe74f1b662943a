#include <filesystem>
#include <iostream>

#include "apps/cli/common.h"
#include "apps/cli/usage.h"
#include "apps/commands/commands.h"
#include "augment/encode.h"
#include "models/pictures.h"
#include "runtime/core/error.h"

namespace graft::app {
namespace {

struct Options {
  CommonOptions common;
  std::string set = "demo", output;
  int train = 12, validation = 20, side = 64;
};

void generate(const Options& o) {
  namespace fs = std::filesystem;
  size_t count = 0;
  for (const PictureClass& kind : picture_classes(o.set)) {
    for (const bool train : {true, false}) {
      const fs::path folder = fs::path(o.output) / (train ? "train" : "val") / kind.name;
      std::error_code code;
      fs::create_directories(folder, code);
      if (code)
        throw Error(folder.string() + ": cannot be created (" + code.message() + ")",
                    "choose a folder you may write to");
      for (int i = 0; i < (train ? o.train : o.validation); ++i, ++count) {
        Image image(o.side, o.side);
        image.pixels = draw_picture(kind, o.side, o.common.seed + (train ? 0 : 0x76616c), static_cast<uint64_t>(i));
        char name[32];
        std::snprintf(name, sizeof name, "%05d.png", i);
        write_image(image, (folder / name).string());
      }
    }
  }
  if (!o.common.quiet) std::cerr << count << " pictures: " << o.output << "\n";
}

}  // namespace

void register_generate(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand(
      "generate", "Draw labelled pictures: those of the bundled model and the demo, or handwritten digits");
  command->footer(examples({"graft generate pictures --set demo --train 20 --val 10"}));
  add_quiet_option(*command, o->common);
  add_seed_option(*command, o->common, "Seed of the pictures");
  command->add_option("output", o->output, "Folder for train/CLASS and val/CLASS")->required();
  command->add_option("--set", o->set, "pretrain | demo | digits")->capture_default_str();
  command->add_option("--train", o->train, "Training pictures a class")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command->add_option("--val", o->validation, "Validation pictures a class")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command->add_option("--side", o->side, "Pixels a side")->check(CLI::Range(16, 1024))->capture_default_str();
  command->callback([o] { generate(*o); });
}

}  // namespace graft::app
