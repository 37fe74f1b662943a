#include "apps/finetune_job.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "apps/finetune_files.h"
#include "apps/interruption.h"
#include "apps/library/scores.h"
#include "apps/progress.h"
#include "apps/report/report.h"
#include "augment/augmentation.h"
#include "graft/dataset.h"
#include "graft/error.h"

namespace graft::app {
namespace {

namespace fs = std::filesystem;

/// Tells on stderr how the run goes.
class JobListener final : public Listener {
 public:
  JobListener(bool quiet, Task task, std::string model)
      : progress_(quiet), quiet_(quiet), task_(task), model_(std::move(model)) {}
  void progress(const std::string& phase, int64_t done, int64_t total) override { progress_.show(phase, done, total); }
  void note(const std::string& text) override {
    notes_.push_back(text);
    progress_.line(text);
  }
  const std::vector<std::string>& notes() const { return notes_; }
  /// Also where it is to be quiet: the exit status says that something is missing.
  void skipped(const std::string& reason) override {
    if (quiet_)
      std::cerr << "graft: skipped " << reason << '\n';
    else
      progress_.line("skipped " + reason);
  }
  /// Also where it is to be quiet.
  void tell(const std::string& text) {
    if (quiet_)
      std::cerr << "graft: " << text << '\n';
    else
      progress_.line(text);
  }
  void trained(const Model& model) override { model.save(model_); }
  void improved(const Model& model) override { model.save(model_); }
  bool stop() override { return Interruption::asked(); }
  void epoch(const EpochReport& e) override {
    std::ostringstream line;
    line << std::fixed << "epoch " << e.epoch << "/" << e.epochs << "  loss " << std::setprecision(4) << e.train_loss
         << "  val loss " << e.val_loss << "  val " << score_text(task_, e.val_score) << "  " << std::setprecision(2)
         << e.seconds << " s";
    progress_.line(line.str());
  }

 private:
  Progress progress_;
  std::vector<std::string> notes_;
  bool quiet_;
  Task task_;
  std::string model_;  // its file
};

std::string last_line(const FinetuneReport& report) {
  const FinetuneResult& r = report.result;
  std::ostringstream line;
  line << std::fixed << (r.recipe.conclusion.empty() ? "best validation " : "validation ")
       << score_text(r.task, r.best_score);
  if (r.recipe.conclusion.empty() || report.interrupted || !r.diverged.empty())
    line << " (epoch " << r.best_epoch << ")";
  else
    line << " on pictures that chose nothing";
  line << ", " << std::setprecision(1) << report.seconds << " s: " << report.model;
  return line.str();
}

/// To the same bits as without the interruption where there is a checkpoint.
std::string how_to_go_on(const FinetuneSettings& settings) {
  std::error_code code;
  return fs::exists(settings.checkpoint, code) ? "the same command with --resume goes on"
                                               : "the same command with --overwrite begins again";
}

/// The run's config with the record of what was chosen, so that it repeats the run without a search.
std::string config_of_choice(const std::string& config, const FinetuneResult& result, const std::string& record) {
  if (result.recipe.conclusion.empty() && result.search.trials.empty()) return config;
  std::istringstream lines(config);
  std::string text;
  for (std::string line; std::getline(lines, line);)
    if (!line.starts_with("recipe=")) text += line + "\n";
  return text + "recipe=" + nlohmann::json(record).dump() + "\n";
}

/// What the finished model makes of the pictures that neither trained nor chose anything.
void measure_test(const Dataset& data, JobListener& listener, const CommonOptions& common, FinetuneReport& report) {
  RunSettings settings;
  settings.compute = compute_settings(common);
  report.test = evaluate(*report.result.model, data.test, data.classes, settings, &listener);
  const Evaluation& test = *report.test;
  const double score = test.of_classes  ? test.of_classes->top1
                       : test.of_labels ? test.of_labels->mean_average_precision
                                        : test.of_values->r2;
  report.account.pictures += static_cast<size_t>(test.pictures);
  for (const SkippedPicture& picture : test.skipped) report.account.unreadable.push_back(picture.reason);
  listener.note("test " + score_text(test.task, score) + " on " + std::to_string(test.pictures) +
                " pictures that neither trained nor chose anything");
}

/// RUN/report.html. Whatever keeps it from being made is told, and takes nothing from the run.
void write_run_report(const FinetuneOptions& o, const FinetuneSettings& settings, const Dataset& data,
                      const FinetuneReport& report, JobListener& listener) {
  const std::string path = (fs::path(o.output) / "report.html").string();
  try {
    const Model& model = *report.result.model;
    ReportSource source;
    source.title = fs::path(o.data).filename().string() + ": what " +
                   fs::path(report.model).parent_path().filename().string() + " learnt";
    source.run.compute = compute_settings(o.common);
    const auto add = [&](const char* split, const std::vector<LabelledFile>& files) {
      if (!files.empty())
        source.parts.push_back({split, files, evaluate(model, files, data.classes, source.run, &listener)});
    };
    // As many training pictures as validate tell how much better it is on what it has seen.
    std::vector<LabelledFile> some;
    const size_t count = std::min(data.train.size(), data.validation.size());
    for (size_t i = 0; i < count; ++i) some.push_back(data.train[i * data.train.size() / count]);
    add("train", some);
    add("val", data.validation);
    if (report.test) source.parts.push_back({"test", data.test, *report.test});
    source.history = report.result.history;
    source.recipe = report.result.recipe;
    source.account = report.account;
    source.notes = report.notes;
    source.config = config_of_choice(o.config_text, report.result, (fs::path(o.output) / "auto.csv").string());
    source.command = "graft finetune --config " + (fs::path(o.output) / "config.toml").string() + " --output ANOTHER";
    source.augment = settings.augment;
    source.training = data.train;
    write_report(path, model, source, &listener);
    listener.note("report: " + path);
  } catch (const Error& error) {
    listener.note(std::string("no report is written: ") + error.what());
  }
}

}  // namespace

FinetuneReport run_finetune(const FinetuneOptions& o) {
  const auto start = std::chrono::steady_clock::now();
  FinetuneSettings settings = o.settings;
  Model model = Model::load(o.model);
  settings.preprocessing_is_guess = o.pictures.name == "auto" || (o.pictures.name.empty() && !model.preprocessing());
  // The search says itself what it makes of a guess.
  settings.preprocessing = settings.preprocessing_is_guess && settings.budget_seconds != 0
                               ? preprocessing_for(model, o.pictures)
                               : resolve_preprocessing(model, o.pictures, o.common);
  const Dataset data = read_dataset(o.data, settings.task, {o.validation_part, o.common.seed});
  settings.augment = resolved_augmentation(settings.augment);
  make_folder(o.output);
  if (!settings.find_rate && !settings.resume) take_folder(o.output, o.overwrite);
  write_augmentation(o.output, settings.augment);
  if (!settings.find_rate) write_config(o.output, o.config_text);
  const auto in_folder = [&](const char* name) { return (fs::path(o.output) / name).string(); };
  settings.checkpoint = in_folder("checkpoint.safetensors");
  settings.search_record = in_folder("auto.csv");
  if (!o.teacher.empty()) settings.teacher = Model::load(o.teacher);
  backend(o.common);  // tells what serves

  const Interruption interruption;
  JobListener listener(o.common.quiet, settings.task, in_folder("model.onnx"));
  for (const std::string& note : data.notes) listener.note("note: " + note);
  if (!o.plain_because.empty())
    listener.note("the plain recipe, as --" + o.plain_because + " is given; nothing is chosen by the pictures");
  FinetuneReport report;
  report.classes = data.classes;
  report.history = in_folder("history.csv");
  report.model = in_folder("model.onnx");
  try {
    report.result = finetune(std::move(model), data, settings, &listener);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::cancelled) throw;
    throw Error("interrupted: " + std::string(error.what()), how_to_go_on(settings), ErrorCode::cancelled);
  }
  report.interrupted = Interruption::asked();
  if (!report.result.model) {  // the range test alone
    write_rates(o.output, report.result.rates);
    listener.note("the loss falls fastest at --lr " + short_number(report.result.rates.suggestion) + ": " +
                  in_folder("rates.svg"));
    return report;
  }
  report.result.model->save(report.model);
  report.account = {data.train.size() + data.validation.size(), report.result.skipped, data.ignored};
  report.account.pictures -= std::min(report.account.pictures, report.result.skipped.size() - data.skipped.size());
  if (report.interrupted && !data.test.empty()) {
    listener.note("the test pictures are not measured: the run was interrupted");
  } else if (!data.test.empty()) {
    try {
      measure_test(data, listener, o.common, report);
    } catch (const Error& error) {  // the training is done, and its figures are to be kept
      listener.note(std::string("the test pictures are not measured: ") + error.what());
    }
  }
  report.notes = listener.notes();
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  write_run(o.output, report);
  if (!report.interrupted)
    write_config(o.output, config_of_choice(o.config_text, report.result, in_folder("auto.csv")));
  listener.note(account_line(report.account));
  listener.note(last_line(report));
  if (o.report) write_run_report(o, settings, data, report, listener);
  if (report.interrupted) listener.tell("interrupted: " + how_to_go_on(settings));
  return report;
}

}  // namespace graft::app
