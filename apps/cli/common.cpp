#include "apps/cli/common.h"

#include "apps/cli/notes.h"
#include "apps/cli/usage.h"
#include "apps/library/label_file.h"
#include "graft/error.h"
#include "importer/model.h"
#include "importer/preprocessing_json.h"
#include "runtime/passes/float_input.h"

namespace graft::app {
namespace {

int status_if_fine = kDone;

bool on_or_off(const std::string& text) {
  if (text != "on" && text != "off") throw Error("\"" + text + "\" is neither on nor off");
  return text == "on";
}

}  // namespace

void add_picture_options(CLI::App& command, PreprocessingSettings& o) {
  command
      .add_option(
          "--preprocess", o.name,
          "imagenet | tf | unit | caffe | raw | FILE.json: graft's own, Hugging Face's preprocessor_config.json or "
          "timm's config.json; finetune also takes auto: what fits the pictures best (default: what the "
          "model says, else imagenet)")
      ->group("Pictures");
  command.add_option("--resize", o.resize, "Short side before the crop, in pixels (0: no resizing)")
      ->check(CLI::Range(0, 16384))
      ->group("Pictures");
  command.add_option("--crop", o.crop, "Side of the crop, where the model leaves it open")
      ->check(CLI::Range(1, 16384))
      ->group("Pictures");
  const auto set = [&command](const char* name, auto& to, auto read, const char* help, const char* values) {
    command
        .add_option_function<std::string>(
            name,
            [&to, read, name](const std::string& text) {
              try {
                to = read(text);
              } catch (const Error& error) {
                throw CLI::ValidationError(name, error.what());
              }
            },
            help)
        ->type_name(values)
        ->group(std::string(kAdvanced) + "pictures");
  };
  set("--interpolation", o.interpolation, interpolation_named, "How pictures are resized, as Pillow does it",
      "nearest|bilinear|bicubic|lanczos");
  set("--fit", o.fit, fit_named,
      "Pictures of another shape: the middle of them, both sides resized, or all of it with bars beside",
      "crop|squash|letterbox");
  set("--background", o.background, colour_from_text,
      "Behind transparent pixels and beside letterboxed pictures, #rrggbb (default: their own colour; the mean)",
      "COLOUR");
  set("--icc", o.profiles, on_or_off, "Turn colours with an ICC profile into sRGB (default on)", "on|off");
  command
      .add_flag_callback(
          "--exact-decode", [&o] { o.exact_decode = true; },
          "Decode JPEGs whole, also where a half, quarter or eighth of their size would do")
      ->group(std::string(kAdvanced) + "pictures");
}

void add_picture_model(CLI::App& command, PictureModelOptions& o) {
  add_single_picture_model(command, o);
  add_batch_option(command, o.common);
  command.add_option("--views", o.views,
                     "Average several views of each picture: center | flip | five-crop | ten-crop | multi-scale, with "
                     "short sides behind it: ten-crop:256:320");
}

void add_single_picture_model(CLI::App& command, PictureModelOptions& o) {
  add_device_options(command, o.common);
  add_output_options(command, o.common);
  add_picture_options(command, o.pictures);
  command.add_option("model", o.model, "ONNX model")->required();
}

Preprocessing resolve_preprocessing(const Model& model, const PreprocessingSettings& o, const CommonOptions& common) {
  if (o.name == "auto")
    throw Error("auto finds out by labelled pictures, which finetune does within its --budget", "name a preprocessing")
        .about("preprocess");
  const Preprocessing resolved = preprocessing_for(model, o);
  if (o.name.empty() && !model.preprocessing())
    tell_note(model.path() + " does not say how its pictures were prepared; taking --preprocess imagenet",
              common.quiet);
  const OnnxModel& contents = model.contents();
  const bool bytes = takes_whole_numbers(contents.graph);
  if (bytes && !o.name.empty() && o.name != "raw")
    tell_note(model.path() + " takes a picture's bytes: of --preprocess " + o.name +
                  " only sizes and the order of colours are taken",
              common.quiet);
  if (!bytes && contents.preprocesses_inside)
    tell_note(model.path() + " scales pictures itself, in its first nodes: " +
                  (o.name.empty() ? "it is given numbers from 0 to " + std::string(resolved.scale == 1 ? "255" : "1")
                                  : "--preprocess " + o.name + " comes on top of that"),
              common.quiet);
  return resolved;
}

RunSettings run_settings(const Model& model, const PictureModelOptions& o) {
  return {compute_settings(o.common), resolve_preprocessing(model, o.pictures, o.common), o.views};
}

void add_labels_option(CLI::App& command, std::string& file) {
  command.add_option("--labels", file,
                     "Class names instead of the model's own: one a line, with indices or without, or JSON");
}

void take_labels(Model& model, const std::string& file, const CommonOptions& common) {
  if (file.empty()) return;
  LabelFile labels = read_label_file(file);
  if (!labels.form.empty()) tell_note(file + " is read as " + labels.form, common.quiet);
  model.set_labels(std::move(labels.names));
}

void open_device_for(const PictureModelOptions& o) {
  with_place([&] { return o.model; }, [&] { backend(o.common); });
}

void set_exit_status(int status) { status_if_fine = status; }
int exit_status() { return status_if_fine; }

}  // namespace graft::app
