#include "graft/quantize.h"

#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/cli/account.h"
#include "apps/cli/common.h"
#include "apps/cli/json_output.h"
#include "apps/cli/printable.h"
#include "apps/cli/run_listener.h"
#include "apps/cli/usage.h"
#include "apps/commands/commands.h"
#include "graft/dataset.h"
#include "graft/error.h"

namespace graft::app {
namespace {

using nlohmann::json;

struct Options : PictureModelOptions {
  std::vector<std::string> inputs;
  std::string output;
  QuantizeSettings settings;
  bool no_bias_correction = false;
};

json maybe(const std::optional<double>& value) { return value ? json(*value) : json(); }

/// "accuracy 91.2 % → 91.0 %", "the same answer for 99.2 % of the pictures"
std::string figures_text(const QuantizedModel& q) {
  char text[160];
  if (q.accuracy_before)
    std::snprintf(text, sizeof text, "accuracy %.1f %% before, %.1f %% after; ", 100 * *q.accuracy_before,
                  100 * *q.accuracy_after);
  else if (q.agreement)
    std::snprintf(text, sizeof text, "the same answer for %.1f %% of the pictures; ", 100 * *q.agreement);
  else
    text[0] = 0;
  char error[64];
  std::snprintf(error, sizeof error, "outputs differ by %.2f %% (root mean square)", 100 * q.relative_error);
  return std::string(text) + error;
}

std::string list_of(const std::vector<std::string>& names) {
  constexpr size_t kMost = 4;
  std::string text;
  for (size_t i = 0; i < std::min(kMost, names.size()); ++i) text += (i > 0 ? ", " : "") + printable(names[i]);
  if (names.size() > kMost) text += " and " + std::to_string(names.size() - kMost) + " more";
  return text;
}

void quantize_model(const Options& o) {
  namespace fs = std::filesystem;
  const Model model = Model::load(o.model);
  std::error_code failed;
  const fs::path folder = fs::absolute(o.output).parent_path();
  if (!fs::is_directory(folder, failed))
    throw Error(folder.string() + " is no folder", "create it first").about("output");
  if (fs::equivalent(o.output, model.path(), failed))
    throw Error("is the model itself, whose float32 weights would be lost", "choose another name")
        .about("output", o.output);
  const PictureList pictures = list_pictures(o.inputs);
  const std::vector<std::string> classes = classes_of(pictures, o.inputs);
  std::vector<LabelledFile> files;
  for (size_t i = 0; i < pictures.paths.size(); ++i)
    files.push_back({pictures.paths[i], classes.empty() ? -1 : static_cast<int>(i)});
  QuantizeSettings settings = o.settings;
  settings.bias_correction = !o.no_bias_correction;
  settings.seed = o.common.seed;
  const RunSettings run = run_settings(model, o);
  open_device_for(o);
  RunListener listener(o.common.quiet);
  for (const std::string& reason : pictures.skipped) listener.skipped(reason);
  const QuantizedModel q = quantize(model, files, classes, settings, run, &listener);
  if (!q.kept.empty())
    listener.note(std::to_string(q.kept.size()) + " of " + std::to_string(q.layers) +
                  " layers stay in float32, since more would be lost than --max-drop allows: " + list_of(q.kept));
  if (!q.unsupported.empty())
    listener.note(std::to_string(q.unsupported.size()) + " of " + std::to_string(q.layers) +
                  " layers stay in float32, since graft has no 8-bit form of them: " + list_of(q.unsupported));
  const uint64_t bytes = q.model.save(o.output);
  const uintmax_t before = fs::is_regular_file(model.path(), failed) ? fs::file_size(model.path(), failed) : 0;
  tell_account({q.calibrated + q.measured, listener.unreadable(), pictures.ignored}, o.common.quiet);
  if (o.common.json) {
    print_json({{"model", o.output},
                {"bytes", bytes},
                {"bytes_before", before},
                {"calibration", settings.calibration},
                {"calibrated", q.calibrated},
                {"measured", q.measured},
                {"layer_count", q.layers},
                {"quantized", q.quantized},
                {"kept_layers", q.kept},
                {"unsupported_layers", q.unsupported},
                {"accuracy_before", maybe(q.accuracy_before)},
                {"accuracy_after", maybe(q.accuracy_after)},
                {"agreement", maybe(q.agreement)},
                {"relative_error", q.relative_error},
                {"notes", listener.notes()},
                {"unreadable", listener.unreadable()},
                {"not_pictures", pictures.ignored}});
  } else if (!o.common.quiet) {
    std::cerr << o.output << ": " << q.quantized << " of " << q.layers << " layers in 8 bits, " << bytes / 1024
              << " KiB" << (before > 0 ? " instead of " + std::to_string(before / 1024) : "") << "; on " << q.measured
              << " other pictures " << figures_text(q) << '\n';
  }
}

}  // namespace

void register_quantize(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand("quantize", "Round a model to 8-bit integers, calibrated on pictures");
  command->footer(examples({"graft quantize run data/train -o small.onnx",
                            "graft quantize model.onnx pictures -o small.onnx --calibration entropy --max-drop 1"}));
  add_single_picture_model(*command, *o);
  add_seed_option(*command, o->common, "Which pictures are looked at");
  command->add_option("pictures", o->inputs, "Files, folders and globs of pictures like those to come")->required();
  command->add_option("-o,--output", o->output, "ONNX file to write")->required()->check(ends_in({".onnx"}));
  QuantizeSettings& s = o->settings;
  command
      ->add_option(
          "--calibration", s.calibration,
          "What range of each activation 256 steps cover: mean-square (the smallest error), min-max, percentile "
          "or entropy")
      ->transform(one_of({"mean-square", "min-max", "percentile", "entropy"}))
      ->capture_default_str();
  auto* percentile = command->add_option("--percentile", s.percentile,
                                         "Of an activation's numbers inside its range, for --calibration percentile");
  percentile->capture_default_str();
  command->add_option("--count", s.pictures, "Pictures to look at: half calibrate, half measure what is lost")
      ->check(CLI::Range(2, 5000))
      ->capture_default_str();
  command
      ->add_option(
          "--max-drop", s.max_drop,
          "Points of accuracy that may be lost (of pictures without classes: changed answers in 100); where more "
          "is, beyond chance, the layers that cost most stay in float32")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  command->add_flag("--no-bias-correction", o->no_bias_correction,
                    "Do not take off the biases what rounding the weights adds on the average");
  command->callback([o, percentile] {
    if (percentile->count() > 0 && o->settings.calibration != "percentile")
      throw Error("is for " + mention("calibration") + " percentile", "leave one of them out").about("percentile");
    quantize_model(*o);
  });
}

}  // namespace graft::app
