#include <algorithm>
#include <filesystem>
#include <iostream>

#include "apps/commands/commands.h"
#include "apps/common.h"
#include "apps/library/pipelines.h"
#include "apps/preview_sheet.h"
#include "augment/colour_axes.h"
#include "augment/decode.h"
#include "graft/dataset.h"
#include "runtime/core/error.h"

namespace graft::app {
namespace {

struct Options {
  CommonOptions common;
  std::string data, output, augmentation = "default";
  int pictures = 6, views = 7;
  int64_t crop = 224;
  bool each = false, all = false;
};

struct Column {
  PreviewSheet::Column caption;
  Pipeline pipeline;
};

/// Its settings and what they are set to, defaults too.
std::vector<std::string> settings_text(const Choice& transform) {
  std::vector<std::string> texts;
  for (const SettingInfo& setting : find_component(transform_components(), transform.name)->settings) {
    const auto set = transform.values.find(setting.name);
    texts.push_back(setting.name + " = " + (set == transform.values.end() ? setting.default_text : set->second) +
                    (setting.unit.empty() ? "" : " " + setting.unit));
  }
  return texts;
}

/// The transforms in all groups, one after the other.
void collect(const std::vector<AugmentationStep>& steps, std::vector<Choice>& transforms) {
  for (const AugmentationStep& step : steps) {
    if (step.of.empty()) transforms.push_back(step.transform);
    collect(step.of, transforms);
  }
}

/// What a transform alone does whenever it is carried out, to the picture as evaluation sees it.
Pipeline::Transforms alone(const Choice& transform, const TransformContext& context) {
  Choice always = transform;
  for (const SettingInfo& setting : find_component(transform_components(), transform.name)->settings)
    if (setting.name == "probability") always.values[setting.name] = "1";
  Pipeline::Transforms transforms;
  if (!transform.name.ends_with("crop")) transforms.push_back(make_transform({"center-crop"}, context));
  transforms.push_back(make_transform(always, context));
  return transforms;
}

std::vector<Column> columns_of(const Options& o, const TransformContext& context, const Preprocessing& p) {
  const auto pipeline = [&](Pipeline::Transforms transforms) {
    return Pipeline(std::move(transforms), normalisation(p), o.crop, o.crop);
  };
  std::vector<Choice> transforms;
  if (o.all)
    for (const std::string& name : transform_names()) transforms.push_back({name});
  else if (o.each)
    collect(read_augmentation(o.augmentation), transforms);
  std::vector<Column> columns;
  columns.push_back({{"as evaluation sees it", {}}, pipeline(make_recipe("none", context))});
  for (const Choice& transform : transforms)
    columns.push_back({{transform.name, settings_text(transform)}, pipeline(alone(transform, context))});
  for (int view = 1; !o.all && view <= o.views; ++view)
    columns.push_back(
        {{o.augmentation + ", " + std::to_string(view), {}}, pipeline(make_recipe(o.augmentation, context))});
  return columns;
}

void preview(const Options& o) {
  const Dataset data = read_dataset(o.data, Task::classes, {.seed = o.common.seed});
  std::vector<std::string> paths;
  for (const LabelledFile& file : data.train) paths.push_back(file.path);
  Preprocessing p;
  p.crop_height = p.crop_width = o.crop;
  p.resize = std::llround(static_cast<double>(o.crop) / 0.875);
  TransformContext context = transform_context(p);
  std::optional<ColourAxes> axes;  // measured once, where a transform needs them
  context.colour_axes = [&] {
    if (!axes) axes = measure_colour_axes(paths, 100);
    return *axes;
  };
  const std::vector<Column> columns = columns_of(o, context, p);
  PreviewSheet sheet{o.data + ", " + (o.all ? "every transform" : o.augmentation), o.crop, {}, {}};
  for (const Column& column : columns) sheet.columns.push_back(column.caption);
  const auto rows = std::min<int64_t>(o.pictures, static_cast<int64_t>(paths.size()));
  for (int64_t row = 0; row < rows; ++row) {
    const std::string& path = paths[static_cast<size_t>(row) * paths.size() / static_cast<size_t>(rows)];
    try {
      const Image image = decode_image(path);
      PreviewSheet::Row shown{std::filesystem::path(path).filename().string(), {}};
      for (size_t c = 0; c < columns.size(); ++c)
        shown.pictures.push_back(
            upright(columns[c].pipeline.transform(image, mix(mix(o.common.seed, c), static_cast<uint64_t>(row)))));
      sheet.rows.push_back(std::move(shown));
    } catch (const Error& e) {
      std::cerr << "graft: skipped " << e.what() << "\n";
      set_exit_status(kSomeSkipped);
    }
  }
  if (sheet.rows.empty()) throw Error(o.data + ": none of the pictures can be read", {}, ErrorCode::bad_data);
  write_preview(sheet, o.output);
}

}  // namespace

void register_preview(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* command =
      app.add_subcommand("preview", "Show what the augmentation does to pictures: the plain view, then random ones");
  add_common(*command, o->common);
  command->add_option("data", o->data, "Labelled pictures")->required();
  command->add_option("-o,--output", o->output, "Sheet to write: .html, .png or .jpg")->required();
  command->add_option("--augment", o->augmentation, augmentation_help())->capture_default_str();
  command->add_flag("--each", o->each, "Also a column for each transform of the augmentation alone, with its settings");
  command->add_flag("--all", o->all, "A column for every transform that there is, instead");
  command->add_option("--pictures", o->pictures, "Rows")->check(CLI::Range(1, 50))->capture_default_str();
  command->add_option("--views", o->views, "Random views in a row")->check(CLI::Range(1, 50))->capture_default_str();
  command->add_option("--crop", o->crop, "Side of the crop")->check(CLI::Range(8, 2048))->capture_default_str();
  command->callback([o] { preview(*o); });
}

}  // namespace graft::app
