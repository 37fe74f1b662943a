#include "apps/run/finetune_files.h"

#include <filesystem>
#include <fstream>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <ostream>

#include "apps/drawing/chart.h"
#include "augment/augmentation.h"
#include "finetune/data/task.h"
#include "runtime/core/atomic_file.h"

namespace graft::app {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

void write_text(const std::string& folder, const char* name, const std::string& text) {
  write_atomically((fs::path(folder) / name).string(), [&](std::ostream& stream) { stream << text; });
}

/// The losses and the score of every epoch as pictures.
void write_curves(const std::string& folder, const std::vector<EpochReport>& history, Task task) {
  Chart losses{"loss", "epoch", {{"training", {}, {}}, {"validation", {}, {}}}},
      score{score_names(task).first, "epoch", {{"validation", {}, {}}}};
  for (const EpochReport& e : history) {
    for (Chart::Line* line : {&losses.lines[0], &losses.lines[1], &score.lines[0]}) line->x.push_back(e.epoch);
    losses.lines[0].y.push_back(e.train_loss);
    losses.lines[1].y.push_back(e.val_loss);
    score.lines[0].y.push_back(e.val_score);
  }
  write_text(folder, "loss.svg", to_svg(losses));
  write_text(folder, "score.svg", to_svg(score));
}

void write_history(const std::string& path, const std::vector<EpochReport>& history, Task task) {
  write_atomically(path, [&](std::ostream& stream) {
    stream << "epoch,train_loss,val_loss," << score_names(task).first << ',' << score_names(task).second
           << ",lr,seconds\n"
           << std::setprecision(8);
    for (const EpochReport& e : history)
      stream << e.epoch << ',' << e.train_loss << ',' << e.val_loss << ',' << e.val_score << ',' << e.val_second << ','
             << e.lr << ',' << e.seconds << '\n';
  });
}

json confidence_json(const FinetuneResult& r) {
  const ConfidenceReport& c = r.confidence;
  if (c.held_back == 0) return nullptr;
  json result{{"held_back", c.held_back}, {"references", c.references}};
  if (r.task == Task::classes) {
    result["temperature"] = c.temperature;
    result["calibration_error"] = c.calibration_error;
    result["calibration_error_at_temperature"] = c.calibration_error_at_temperature;
  } else if (r.task == Task::multi_label) {
    result["thresholds_kept"] = c.thresholds;
    result["macro_f1"] = c.macro_f1;
    result["macro_f1_at_thresholds"] = c.macro_f1_at_thresholds;
  }
  return result;
}

json recipe_json(const RecipeSearch& recipe) {
  if (recipe.conclusion.empty()) return nullptr;
  return {{"preprocessing", recipe.preprocessing.empty() ? json(nullptr) : json(recipe.preprocessing)},
          {"flips", recipe.flips},
          {"freeze", recipe.freeze},
          {"joined_layers", recipe.joined},
          {"epochs", recipe.epochs},
          {"trunk_rate", recipe.trunk_rate},
          {"l2", recipe.l2},
          {"temperature", recipe.temperature},
          {"budget", recipe.budget},
          {"seconds", recipe.seconds},
          {"conclusion", recipe.conclusion},
          {"trials", trials_json(recipe)}};
}

json test_json(const FinetuneReport& report) {
  if (!report.test) return nullptr;
  const Evaluation& test = *report.test;
  json figures{{"images", test.pictures}};
  if (test.of_classes) {
    figures["top1"] = test.of_classes->top1;
    figures["top1_interval"] = {test.of_classes->top1_interval.low, test.of_classes->top1_interval.high};
    figures["top5"] = test.of_classes->top5;
    figures["loss"] = test.of_classes->loss;
    figures["calibration_error"] = test.of_classes->calibration_error;
  } else if (test.of_labels) {
    figures["map"] = test.of_labels->mean_average_precision;
    figures["exact"] = test.of_labels->exact;
  } else {
    figures["r2"] = test.of_values->r2;
    figures["mae"] = test.of_values->mean_absolute_error;
    figures["rmse"] = test.of_values->root_mean_squared_error;
  }
  return figures;
}

}  // namespace

void make_folder(const std::string& path) {
  std::error_code code;
  fs::create_directories(path, code);
  if (code)
    throw Error(path + ": cannot be created (" + code.message() + ")", "choose a folder you may write to",
                ErrorCode::io);
  // Say it before the work is done, not after.
  write_text(path, ".writable", "");
  fs::remove(fs::path(path) / ".writable", code);
}

void write_augmentation(const std::string& folder, const std::string& augmentation) {
  if (is_toml(augmentation)) return write_text(folder, "augment.toml", augmentation);
  std::error_code code;
  fs::remove(fs::path(folder) / "augment.toml", code);  // of a run before
}

void require_no_run(const std::string& folder) {
  std::error_code code;
  const auto holds = [&](const char* name) { return fs::exists(fs::path(folder) / name, code); };
  const fs::path metrics = fs::path(folder) / "metrics.json";
  bool finished = fs::exists(metrics, code);
  if (!finished && !holds("checkpoint.safetensors")) {
    if (holds("model.onnx") && !holds("config.toml"))
      throw Error(folder + ": holds a model.onnx that no run wrote", "choose another folder, or --overwrite");
    return;
  }
  std::ifstream stream(metrics);
  const json told = json::parse(stream, nullptr, /*allow_exceptions=*/false);
  if (told.is_object() && told.contains("interrupted") && told["interrupted"] == true) finished = false;
  throw Error(folder + ": holds " + (finished ? "a finished run" : "a run that was interrupted"),
              "choose another folder, --resume to go on with it, or --overwrite");
}

void remove_run(const std::string& folder) {
  std::error_code code;
  for (const char* name : {"metrics.json", "checkpoint.safetensors", "model.onnx", "history.csv", "loss.svg",
                           "score.svg", "report.html", "auto.csv", "config.toml"})
    fs::remove(fs::path(folder) / name, code);
}

void write_config(const std::string& folder, const std::string& config) { write_text(folder, "config.toml", config); }

void write_run(const std::string& folder, const FinetuneReport& report) {
  write_history(report.history, report.result.history, report.result.task);
  write_curves(folder, report.result.history, report.result.task);
  write_text(folder, "metrics.json", to_json(report).dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
}

void write_rates(const std::string& folder, const RateSearch& search) {
  Chart chart{"training loss while the rate climbs", "learning rate", {{"loss", {}, {}}}, true, search.suggestion};
  write_atomically((fs::path(folder) / "rates.csv").string(), [&](std::ostream& stream) {
    stream << "lr,loss\n" << std::setprecision(8);
    for (const RateTrial& t : search.trials) {
      stream << t.rate << ',' << t.loss << '\n';
      chart.lines[0].x.push_back(t.rate);
      chart.lines[0].y.push_back(t.loss);
    }
  });
  write_text(folder, "rates.svg", to_svg(chart));
}

json trials_json(const RecipeSearch& recipe) {
  json trials = json::array();
  for (const RecipeTrial& t : recipe.trials)
    trials.push_back({{"what", t.what},
                      {"pictures", t.pictures},
                      {"accuracy", t.accuracy},
                      {"loss", t.loss},
                      {"seconds", t.seconds},
                      {"verdict", t.verdict}});
  return trials;
}

json to_json(const FinetuneReport& report) {
  const FinetuneResult& r = report.result;
  if (!r.rates.trials.empty()) return {{"suggested_lr", r.rates.suggestion}, {"rates_tried", r.rates.trials.size()}};
  json folds;
  if (!r.folds.scores.empty())
    folds = {{"scores", r.folds.scores},
             {"mean_score", r.folds.mean},
             {"deviation", r.folds.deviation},
             {"seconds", r.folds.seconds}};
  json seeds;
  if (!r.seeds.scores.empty())
    seeds = {{"scores", r.seeds.scores},
             {"mean_score", r.seeds.mean},
             {"deviation", r.seeds.deviation},
             {"seconds", r.seeds.seconds}};
  json automatic;
  if (!r.search.trials.empty()) {
    const AutoSettings& chosen = r.search.trials[r.search.chosen].settings;
    automatic = {{"head", chosen.head},
                 {"freeze", chosen.freeze},
                 {"lr", chosen.lr},
                 {"weight_decay", chosen.weight_decay},
                 {"epochs", chosen.epochs},
                 {"tried", r.search.trials.size()},
                 {"seconds", r.search.seconds}};
  }
  return {{"cross_validation", folds},
          {"seeds", seeds},
          {"recipe", recipe_json(r.recipe)},
          {"confidence", confidence_json(r)},
          {"auto", automatic},
          {std::string("best_") + score_names(r.task).first, r.best_score},
          {"task", name_of(r.task)},
          {"stopped_early", r.stopped_early},
          {"interrupted", report.interrupted},
          {"diverged", r.diverged.empty() ? json(nullptr) : json(r.diverged)},
          {"best_epoch", r.best_epoch},
          {"epochs", r.history.size()},
          {"seconds", report.seconds},
          {"trainable_parameters", r.trainable_parameters},
          {"frozen_parameters", r.frozen_parameters},
          {"features_cached", r.features_cached},
          {"features_from_disk", r.features_from_disk},
          {"picture_cache",
           {{"pictures", r.picture_cache.pictures},
            {"bytes", r.picture_cache.bytes},
            {"most_bytes", r.picture_cache.most_bytes},
            {"full", r.picture_cache.full}}},
          {"classes", report.classes},
          {"notes", report.notes},
          {"unreadable", report.account.unreadable},
          {"not_pictures", report.account.ignored},
          {"test", test_json(report)},
          {"model", report.model},
          {"history", report.history}};
}

}  // namespace graft::app
