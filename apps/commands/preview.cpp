#include <algorithm>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/cli/common.h"
#include "apps/cli/json_output.h"
#include "apps/cli/run_listener.h"
#include "apps/cli/usage.h"
#include "apps/commands/commands.h"
#include "apps/drawing/preview_sheet.h"
#include "apps/library/pipelines.h"
#include "apps/pictures/picture_paths.h"
#include "augment/colour_axes.h"
#include "augment/data/file_kinds.h"
#include "augment/decode.h"
#include "runtime/core/error.h"

namespace graft::app {
namespace {

struct Options {
  CommonOptions common;
  PreprocessingSettings pictures;
  std::string data, output, model, augmentation = "default";
  int rows = 6, views = 7;
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
  TransformPtr made = make_transform(always, context);
  Pipeline::Transforms transforms;
  if (!made->crops()) transforms.push_back(make_transform({"center-crop"}, context));
  transforms.push_back(std::move(made));
  return transforms;
}

/// A sheet is drawn in memory, a page is held by a browser.
constexpr int64_t kMostPixels = 100'000'000;

/// What the model's pictures are prepared with, or what is usual for none.
Preprocessing preprocessing_of(const Options& o) {
  if (!o.model.empty()) return resolve_preprocessing(Model::load(o.model), o.pictures, o.common);
  const PreprocessingSettings& s = o.pictures;
  if (!s.name.empty()) throw Error("is for a model", "give --model").about("preprocess");
  Preprocessing p;
  if (s.crop > 0) p.crop_height = p.crop_width = s.crop;
  p.resize = p.crop_height * 8 / 7;
  replace_what_is_set(s, p);
  return p;
}

void check_output(const std::string& output, const std::vector<std::string>& paths) {
  const std::string name = lower_case(output);
  bool known = false;
  for (const char* ending : {".html", ".htm", ".png", ".jpg", ".jpeg"}) known = known || name.ends_with(ending);
  if (!known)
    throw Error("\"" + output + "\" is no kind of sheet", "end the name in .html, .png or .jpg").about("output");
  std::error_code code;
  for (const std::string& path : paths)
    if (std::filesystem::equivalent(output, path, code) && !code)
      throw Error(output + ": is one of the pictures that are to be shown", "choose another name").about("output");
}

std::vector<Column> columns_of(const Options& o, const TransformContext& context, const Preprocessing& p) {
  const auto pipeline = [&](Pipeline::Transforms transforms) {
    return Pipeline(std::move(transforms), normalisation(p), p.crop_height, p.crop_width,
                    {.profiles = p.profiles, .background = p.background}, p.exact_decode);
  };
  std::vector<Choice> transforms;
  if (o.all)
    for (const std::string& name : transform_names()) transforms.push_back({name});
  else if (o.each)
    collect(read_augmentation(o.augmentation), transforms);
  std::vector<Column> columns;
  const auto add = [&](Pipeline::Transforms made, std::string name, std::vector<std::string> settings = {}) {
    columns.push_back({{std::move(name), std::move(settings)}, pipeline(std::move(made))});
  };
  add(make_recipe("none", context), "as evaluation sees it");
  for (const Choice& transform : transforms)
    add(alone(transform, context), transform.name + " alone", settings_text(transform));
  for (int view = 1; !o.all && view <= o.views; ++view)
    add(make_recipe(o.augmentation, context), o.augmentation + ", " + std::to_string(view));
  return columns;
}

void preview(const Options& o) {
  const std::vector<std::string> paths = picture_paths(o.data);
  check_output(o.output, paths);
  const Preprocessing p = preprocessing_of(o);
  TransformContext context = transform_context(p);
  context.colour_axes = colour_axes_of(paths, 100);
  const std::vector<Column> columns = columns_of(o, context, p);
  const auto count = std::min<int64_t>(o.rows, static_cast<int64_t>(paths.size()));
  if (static_cast<int64_t>(columns.size()) * count * p.crop_height * p.crop_width > kMostPixels)
    throw Error("a sheet of " + std::to_string(count) + " rows and " + std::to_string(columns.size()) + " columns of " +
                    std::to_string(p.crop_width) + "×" + std::to_string(p.crop_height) + " is over 100 megapixels",
                "show fewer pictures or views, or a smaller --crop")
        .about("pictures");
  PreviewSheet sheet{o.data + ", " + (o.all ? "every transform" : o.augmentation), p.crop_width, p.crop_height, {}, {}};
  for (const Column& column : columns) sheet.columns.push_back(column.caption);
  RunListener listener(o.common.quiet);
  for (int64_t row = 0; row < count; ++row) {
    const auto index = static_cast<size_t>(row) * paths.size() / static_cast<size_t>(count);
    const std::filesystem::path path = paths[index];
    try {
      const Image image = decode_image(path, columns.front().pipeline.decoding());
      PreviewSheet::Row shown{(path.parent_path().filename() / path.filename()).string(), {}};
      for (size_t c = 0; c < columns.size(); ++c)
        shown.pictures.push_back(
            upright(columns[c].pipeline.transform(image, mix(mix(o.common.seed, c), static_cast<uint64_t>(row)))));
      sheet.rows.push_back(std::move(shown));
    } catch (const Error& e) {
      listener.skipped(e.what());
    }
  }
  if (sheet.rows.empty()) throw Error(o.data + ": none of the pictures can be read", {}, ErrorCode::bad_data);
  write_preview(sheet, o.output);
  if (!listener.unreadable().empty()) set_exit_status(kSomeSkipped);
  if (o.common.json)
    print_json({{"output", o.output}, {"pictures", sheet.rows.size()}, {"unreadable", listener.unreadable()}});
}

}  // namespace

void register_preview(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* command =
      app.add_subcommand("preview", "Show what the augmentation does to pictures: the plain view, then random ones");
  command->footer(examples(
      {"graft preview data -o sheet.html --each", "graft preview data -o sheet.png --augment strong --crop 160"}));
  add_output_options(*command, o->common);
  add_seed_option(*command, o->common, "Seed of the augmentation");
  add_picture_options(*command, o->pictures);
  command->add_option("--model", o->model, "Show pictures as this ONNX model's training sees them");
  command->add_option("data", o->data, "Folder of pictures, or table (CSV, TSV, JSON lines)")->required();
  command->add_option("-o,--output", o->output, "Sheet to write: .html, .png or .jpg")->required();
  auto* augment = command->add_option("--augment", o->augmentation, augmentation_help())->capture_default_str();
  auto* each = command->add_flag("--each", o->each,
                                 "Also a column for each transform of the augmentation alone, with its settings");
  command->add_option("--pictures", o->rows, "Rows")->check(CLI::Range(1, 50))->capture_default_str();
  auto* views = command->add_option("--views", o->views, "Random views in a row")
                    ->check(CLI::Range(1, 50))
                    ->capture_default_str();
  command->add_flag("--all", o->all, "A column for every transform that there is, instead")
      ->excludes(augment)
      ->excludes(each)
      ->excludes(views);
  command->callback([o] { preview(*o); });
}

}  // namespace graft::app
