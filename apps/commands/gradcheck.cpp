#include <algorithm>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/cli/common.h"
#include "apps/cli/json_output.h"
#include "apps/cli/usage.h"
#include "apps/commands/commands.h"
#include "apps/drawing/heat_map.h"
#include "finetune/heads/freeze.h"
#include "finetune/training/gradcheck.h"
#include "importer/reader.h"
#include "runtime/core/atomic_file.h"
#include "runtime/core/error.h"

namespace graft::app {
namespace {

using nlohmann::json;

struct Options {
  CommonOptions common;
  std::string model, batch_norm = "frozen", picture;
  int64_t size = 64;
  double tolerance = 0.02;
};

/// The parameter that disagrees most, slope by slope.
void write_picture(const std::string& path, GradientChecker& checker, const GradientCheck& worst) {
  const GradientErrors errors = checker.check_elements(worst.parameter);
  HeatMap map{worst.parameter + ": error of single slopes, over its largest slope",
              "output",
              "input and tap",
              {},
              {},
              errors.error};
  for (int64_t row : errors.rows) map.rows.push_back(std::to_string(row));
  for (int64_t column : errors.columns) map.columns.push_back(std::to_string(column));
  write_atomically(path, [&](std::ostream& stream) { stream << to_svg(map); });
}

void gradcheck(const Options& o) {
  OnnxModel model = read_model(o.model);
  const auto picture = model.picture();
  const OpenDims dims{o.common.batch > 0 ? o.common.batch : 2, picture.height > 0 ? picture.height : o.size,
                      picture.width > 0 ? picture.width : o.size};
  retype(model.graph, dims, backend(o.common));
  model.graph.outputs.resize(1);
  canonicalise_dense(model.graph);
  apply_freeze(model.graph, {"none", o.batch_norm == "train" ? BatchNormPolicy::train : BatchNormPolicy::frozen}, {});
  GradientChecker checker = with_place(
      [&] { return o.model; },
      [&] { return GradientChecker(model.graph, dims, backend(o.common), o.common.seed, o.common.threads); });
  const auto checks = checker.check();
  if (checks.empty()) throw Error(o.model + ": has no parameters");
  double worst = 0;
  json parameters = json::array();
  for (const GradientCheck& c : checks) {
    worst = std::max(worst, c.relative_error);
    parameters.push_back({{"name", c.parameter},
                          {"analytic", c.analytic},
                          {"numerical", c.numerical},
                          {"relative_error", c.relative_error}});
    if (!o.common.json)
      std::printf("%-48s analytic %12.5g  numerical %12.5g  relative error %.2e\n", c.parameter.c_str(), c.analytic,
                  c.numerical, c.relative_error);
  }
  if (o.common.json)
    print_json({{"max_relative_error", worst}, {"checks", parameters}});
  else
    std::printf("\nlargest relative error %.2e over %zu parameters\n", worst, checks.size());
  std::fflush(stdout);
  if (!o.picture.empty())
    write_picture(o.picture, checker, *std::max_element(checks.begin(), checks.end(), [](const auto& a, const auto& b) {
                    return a.relative_error < b.relative_error;
                  }));
  if (worst > o.tolerance)
    throw Error(o.model + ": the gradients disagree by " + std::to_string(worst),
                "single precision bends deep networks; see the list for where");
}

}  // namespace

void register_gradcheck(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand("gradcheck", "Compare analytic with numerical gradients, per parameter");
  command->footer(examples({"graft gradcheck model.onnx"}));
  add_device_options(*command, o->common);
  add_batch_option(*command, o->common);
  add_seed_option(*command, o->common, "Seed of pictures and labels");
  add_output_options(*command, o->common);
  command->add_option("model", o->model, "ONNX model")->required();
  command->add_option("--batch-norm", o->batch_norm, "frozen | train")
      ->transform(one_of({"frozen", "train"}))
      ->capture_default_str();
  command->add_option("--size", o->size, "Picture side, where the model leaves it open")
      ->check(CLI::Range(8, 4096))
      ->capture_default_str();
  command->add_option("--picture", o->picture, "SVG of the parameter that disagrees most, slope by slope")
      ->check(ends_in({".svg"}))
      ->type_name("FILE.svg");
  command->add_option("--tolerance", o->tolerance, "Relative error that still passes")->capture_default_str();
  command->callback([o] { gradcheck(*o); });
}

}  // namespace graft::app
