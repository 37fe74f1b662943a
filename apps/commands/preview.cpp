#include <algorithm>
#include <cmath>
#include <cstring>
#include <iostream>

#include "apps/commands/commands.h"
#include "apps/common.h"
#include "apps/library/pipelines.h"
#include "augment/colour_axes.h"
#include "augment/decode.h"
#include "augment/encode.h"
#include "graft/dataset.h"
#include "runtime/core/error.h"

namespace graft::app {
namespace {

struct Options {
  CommonOptions common;
  std::string data, output, recipe = "default";
  int pictures = 6, views = 7;
  int64_t crop = 224;
};

void paste(const Image& from, Image& sheet, int64_t left, int64_t top) {
  for (int64_t y = 0; y < from.height; ++y)
    std::memcpy(sheet.row(top + y) + left * 3, from.row(y), static_cast<size_t>(from.width * 3));
}

void preview(const Options& o) {
  const Dataset data = read_dataset(o.data, Task::classes, {.seed = o.common.seed});
  std::vector<std::string> paths;
  for (const LabelledFile& file : data.train) paths.push_back(file.path);
  Preprocessing p;
  p.crop_height = p.crop_width = o.crop;
  p.resize = std::llround(static_cast<double>(o.crop) / 0.875);
  TransformContext context = transform_context(p);
  context.colour_axes = [&] { return measure_colour_axes(paths, 100); };
  const Pipeline plain(make_recipe("none", context), normalisation(p), o.crop, o.crop),
      random(make_recipe(o.recipe, context), normalisation(p), o.crop, o.crop);
  constexpr int64_t kGap = 4;
  const int64_t cell = o.crop + kGap;
  const auto rows = std::min<int64_t>(o.pictures, static_cast<int64_t>(paths.size()));
  Image sheet((o.views + 1) * cell + kGap, rows * cell + kGap);
  std::fill(sheet.pixels.begin(), sheet.pixels.end(), uint8_t{255});
  for (int64_t row = 0; row < rows; ++row) {
    const std::string& path = paths[static_cast<size_t>(row) * paths.size() / static_cast<size_t>(rows)];
    Image image;
    try {
      image = decode_image(path);
    } catch (const Error& e) {
      std::cerr << "graft: skipped " << e.what() << "\n";
      set_exit_status(kSomeSkipped);
      continue;
    }
    paste(upright(plain.transform(image, 0)), sheet, kGap, kGap + row * cell);
    for (int64_t view = 1; view <= o.views; ++view) {
      paste(upright(random.transform(image,
                                     mix(mix(o.common.seed, static_cast<uint64_t>(view)), static_cast<uint64_t>(row)))),
            sheet, kGap + view * cell, kGap + row * cell);
    }
  }
  write_image(sheet, o.output);
}

}  // namespace

void register_preview(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* command =
      app.add_subcommand("preview", "Show what the augmentation does to pictures: the plain view, then random ones");
  add_common(*command, o->common);
  command->add_option("data", o->data, "Labelled pictures")->required();
  command->add_option("-o,--output", o->output, "Sheet to write, .png or .jpg")->required();
  command
      ->add_option("--augment", o->recipe,
                   augmentation_help())
      ->capture_default_str();
  command->add_option("--pictures", o->pictures, "Rows")->check(CLI::Range(1, 50))->capture_default_str();
  command->add_option("--views", o->views, "Random views in a row")->check(CLI::Range(1, 50))->capture_default_str();
  command->add_option("--crop", o->crop, "Side of the crop")->check(CLI::Range(8, 2048))->capture_default_str();
  command->callback([o] { preview(*o); });
}

}  // namespace graft::app
