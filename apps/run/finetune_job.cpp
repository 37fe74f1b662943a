#include "apps/run/finetune_job.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <iomanip>
#include <iostream>
#include <optional>
#include <sstream>
#include <utility>

#include "apps/cli/interruption.h"
#include "apps/cli/notes.h"
#include "apps/cli/progress.h"
#include "apps/library/scores.h"
#include "apps/run/finetune_files.h"
#include "apps/run/run_outputs.h"
#include "apps/run/tensorboard.h"
#include "augment/augmentation.h"
#include "finetune/data/task.h"
#include "graft/dataset.h"
#include "graft/error.h"

namespace graft::app {
namespace {

namespace fs = std::filesystem;

/// Tells on stderr how the run goes.
class JobListener final : public Listener {
 public:
  /// `first`: called when the work begins, after everything that can be refused was. `chosen`: called before the first
  /// model is written; what is chosen before training is chosen by then.
  JobListener(bool quiet, Task task, std::string model, std::function<void()> first, std::function<void()> chosen)
      : first_(std::move(first)),
        chosen_(std::move(chosen)),
        progress_(quiet),
        quiet_(quiet),
        task_(task),
        model_(std::move(model)) {}
  void progress(const std::string& phase, int64_t done, int64_t total) override {
    begin();
    progress_.show(phase, done, total);
    // The training has its own way to end; what comes behind it is left out.
    if (finished_ && !stopped_ && Interruption::asked()) throw Error("interrupted", {}, ErrorCode::cancelled);
  }
  /// Calls what is to happen before the first work, once.
  void begin() {
    if (const auto first = std::exchange(first_, nullptr)) first();
  }
  void note(const std::string& text) override {
    notes_.push_back(with_options(text));
    progress_.line(notes_.back());
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
  void trained(const Model& model) override { improved(model); }
  void improved(const Model& model) override {
    begin();
    if (const auto chosen = std::exchange(chosen_, nullptr)) chosen();
    model.save(model_);
  }
  bool stop() override { return stopped_ = stopped_ || Interruption::asked(); }
  /// Once there is a model, a signal ends what is still to be measured and drawn.
  void finish() { finished_ = true; }
  /// Whether it ended anything.
  bool stopped() const { return stopped_; }
  void epoch(const EpochReport& e) override {
    begin();
    if (events_)
      events_->scalars(e.epoch, {{"loss/training", e.train_loss},
                                 {"loss/validation", e.val_loss},
                                 {std::string(score_names(task_).first) + "/validation", e.val_score},
                                 {"rate", e.lr}});
    std::ostringstream line;
    line << std::fixed << "epoch " << e.epoch << "/" << e.epochs << "  loss " << std::setprecision(4) << e.train_loss
         << "  val loss " << e.val_loss << "  val " << score_text(task_, e.val_score) << "  " << std::setprecision(2)
         << e.seconds << " s";
    progress_.line(line.str());
  }

  void write_events(const std::string& folder) { events_.emplace(folder); }
  EventFile* events() { return events_ ? &*events_ : nullptr; }

 private:
  std::function<void()> first_, chosen_;
  std::optional<EventFile> events_;
  Progress progress_;
  std::vector<std::string> notes_;
  bool quiet_, stopped_ = false, finished_ = false;
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
    line << " on " << report.validated << (report.validated == 1 ? " picture" : " pictures") << " that chose nothing";
  line << ", " << std::setprecision(1) << report.seconds << " s: " << report.model;
  return line.str();
}

/// To the same bits as without the interruption where there is a checkpoint.
std::string how_to_go_on(const FinetuneSettings& settings) {
  std::error_code code;
  return fs::exists(settings.checkpoint, code) ? "the same command with --resume goes on"
                                               : "the same command with --overwrite begins again";
}

/// Whether nothing below the head was trained, whoever chose it.
bool trunk_is_frozen(const FinetuneSettings& settings, const FinetuneResult& result) {
  if (!result.recipe.conclusion.empty()) return result.recipe.freeze == "all";
  if (!result.search.trials.empty()) return result.search.trials[result.search.chosen].settings.freeze == "all";
  return settings.freeze == "all" && settings.unfreeze_every == 0;
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

/// Makes the folder; where it was not there and nothing came into it, it goes again.
class NewFolder {
 public:
  explicit NewFolder(const std::string& path) : path_(path), is_new_(!fs::exists(path)) { make_folder(path); }
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;
  ~NewFolder() {
    std::error_code code;
    if (is_new_) fs::remove(path_, code);  // refused where there is something in it
  }

 private:
  std::string path_;
  bool is_new_;
};

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
  std::error_code code;
  if (!settings.find_rate && fs::equivalent(o.model, fs::path(o.output) / "model.onnx", code))
    throw Error(o.output + ": holds the model that is read, which would be replaced", "choose another folder")
        .about("output");
  const NewFolder folder(o.output);
  const bool takes = !settings.find_rate && !settings.resume;
  if (takes && !o.overwrite) require_no_run(o.output);
  const auto in_folder = [&](const char* name) { return (fs::path(o.output) / name).string(); };
  settings.checkpoint = in_folder("checkpoint.safetensors");
  settings.search_record = in_folder("auto.csv");
  if (!o.teacher.empty()) settings.teacher = Model::load(o.teacher);
  backend(o.common);  // tells what serves

  const Interruption interruption;
  const auto begin = [&] {
    if (takes) remove_run(o.output);
    write_augmentation(o.output, settings.augment);
    if (!settings.find_rate) write_config(o.output, o.config_text);
  };
  const auto keep_choice = [&] { write_config(o.output, config_of_choice(o.config_text, settings.search_record)); };
  JobListener listener(o.common.quiet, settings.task, in_folder("model.onnx"), begin, keep_choice);
  if (o.tensorboard) listener.write_events(o.output);
  if (!o.settings_from.empty())
    listener.note("what is not given is as " + o.settings_from + " says, which the run began with");
  for (const std::string& note : data.notes) listener.note("note: " + note);
  if (!o.plain_because.empty())
    listener.note(
        "the plain recipe, as --" + o.plain_because +
        (o.plain_settings > 1 ? " and " + std::to_string(o.plain_settings - 1) + " other settings are" : " is") +
        " given; nothing is chosen by the pictures");
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
  report.interrupted = listener.stopped();
  listener.begin();
  listener.finish();
  if (!report.result.model) {  // the range test alone
    write_rates(o.output, report.result.rates);
    listener.note("the loss falls fastest at --lr " + short_number(report.result.rates.suggestion) + ": " +
                  in_folder("rates.svg"));
    return report;
  }
  report.result.model->save(report.model);
  // Features of a network that was trained are no other run's.
  FinetuneOptions after = o;
  if (!trunk_is_frozen(settings, report.result)) after.common.disk_cache = "off";
  report.validated = data.validation.size();
  report.account = {data.train.size() + data.validation.size(), report.result.skipped, data.ignored};
  report.account.pictures -= std::min(report.account.pictures, report.result.skipped.size() - data.skipped.size());
  if (report.interrupted && !data.test.empty()) {
    listener.note("the test pictures are not measured: the run was interrupted");
  } else if (!data.test.empty()) {
    try {
      measure_test(data, listener, after.common, report);
    } catch (const Error& error) {  // the training is done, and its figures are to be kept
      listener.note(std::string("the test pictures are not measured: ") + error.what());
    }
  }
  report.notes = listener.notes();
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  write_run(o.output, report);
  keep_choice();
  listener.note(account_line(report.account));
  listener.note(last_line(report));
  if (EventFile* const events = listener.events()) finish_events(after, data, report, *events, listener);
  if (!o.mlflow.empty()) write_to_mlflow(o, report, listener);
  if (o.report) write_run_report(after, settings.augment, data, report, listener);
  if (report.interrupted) listener.tell("interrupted: " + how_to_go_on(settings));
  return report;
}

}  // namespace graft::app
