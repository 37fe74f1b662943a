#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "apps/cli/account.h"
#include "apps/cli/common.h"
#include "apps/cli/csv.h"
#include "apps/cli/interruption.h"
#include "apps/cli/json_output.h"
#include "apps/cli/notes.h"
#include "apps/cli/printable.h"
#include "apps/cli/run_listener.h"
#include "apps/cli/usage.h"
#include "apps/commands/commands.h"
#include "apps/library/scores.h"
#include "apps/pictures/file_placing.h"
#include "apps/pictures/shard.h"
#include "graft/classifier.h"
#include "graft/dataset.h"
#include "graft/error.h"
#include "importer/model.h"
#include "models/zoo.h"

namespace graft::app {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct Options : PictureModelOptions {
  std::string format = "text", labels;
  std::vector<std::string> inputs;
  size_t top = 5;
  bool top_given = false, watch = false;
  double unsure = 0, foreign = 0;
  PlacingOptions placing;
  Shard shard;
};

/// What a picture without an answer is called, and its folder: the word, or with underscores before it where the model
/// has a class of that name.
std::string no_answer(std::string word, const std::vector<std::string>& labels) {
  while (std::find(labels.begin(), labels.end(), word) != labels.end()) word.insert(0, "_");
  return word;
}
/// Of ood scores: pictures of the training's own kind reach it once in twenty.
constexpr double kUsualForeign = 0.95;

std::string dump(const json& j) { return j.dump(-1, ' ', false, json::error_handler_t::replace); }

/// Prints results as they come, or keeps them for --json.
class Report {
 public:
  Report(const Options& options, const Classifier& classifier)
      : options_(options),
        labels_(classifier.labels()),
        thresholds_(classifier.thresholds()),
        unsure_name_(no_answer("unsure", labels_)),
        foreign_name_(no_answer("foreign", labels_)),
        task_(classifier.task()) {
    if (options.format == "csv" && !options.common.json) std::cout << "path,label,index,score,error,ood_score\n";
  }
  void row(const std::string& path, std::span<const float> probabilities, std::optional<double> ood_score) {
    if (!options_.labels.empty() && probabilities.size() > 1 && labels_.size() != probabilities.size())
      throw Error(options_.labels + ": names " + std::to_string(labels_.size()) + " classes, the model has " +
                      std::to_string(probabilities.size()),
                  "give a line for each of them");
    const std::vector<Score> best = best_scores(probabilities, task_, labels_, options_.top, thresholds_);
    const Score& first = best[0];
    const bool unsure = task_ == Task::classes && static_cast<double>(first.score) < options_.unsure;
    const bool foreign = ood_score && *ood_score > (options_.foreign > 0 ? options_.foreign : kUsualForeign);
    unsure_ += unsure;
    foreign_ += foreign;
    json top = json::array(), holding = json::array();
    std::string labels;  // as a table of several labels has them
    for (const Score& s : best) {
      top.push_back({{"label", s.label}, {"index", s.index}, {"score", s.score}});
      if (!s.holds) continue;
      holding.push_back(s.label);
      labels += (labels.empty() ? "" : ";") + s.label;
    }
    const std::string answer = task_ == Task::multi_label ? labels : first.label;
    const std::string label = foreign && options_.foreign > 0 ? foreign_name_ : unsure ? unsure_name_ : answer;
    json entry{{"path", path}, {"label", label}, {"index", first.index}, {"score", first.score}, {"top", top}};
    if (task_ == Task::multi_label) entry["labels"] = holding;
    if (options_.unsure > 0) entry["unsure"] = unsure;
    if (ood_score) {
      entry["ood_score"] = *ood_score;
      entry["foreign"] = foreign;
    }
    if (options_.placing.how != Placing::none) place(entry, path, label);
    if (options_.common.json)
      results_.push_back(entry);
    else if (options_.format == "jsonl")
      std::cout << dump(entry) << "\n";
    else if (options_.format == "csv")
      csv(path, best, label, ood_score);
    else
      text(path, best, unsure, foreign);
    std::cout.flush();  // whoever watches sees it now
  }
  void failed(const std::string& path, const std::string& reason) {
    const json entry{{"path", path}, {"error", reason}};
    if (options_.common.json)
      results_.push_back(entry);
    else if (options_.format == "jsonl")
      std::cout << dump(entry) << "\n";
    else if (options_.format == "csv")
      std::cout << csv_field(path) << ",,,," << csv_field(reason) << ",\n";
    else
      std::cout << printable(path) << ": error: cannot be read\n";
    std::cout.flush();
  }
  size_t unsure() const { return unsure_; }
  size_t foreign() const { return foreign_; }
  void finish(const Account& account, const std::vector<std::string>& notes) {
    if (options_.common.json)
      print_json({{"results", std::move(results_)},
                  {"unsure_pictures", unsure_},
                  {"foreign_pictures", foreign_},
                  {"dtype", precision(options_.common)},
                  {"notes", notes},
                  {"unreadable", account.unreadable},
                  {"not_pictures", account.ignored}});
  }

 private:
  /// A picture that cannot be put where it belongs ends nothing: the others are.
  void place(json& entry, const std::string& path, const std::string& label) const {
    try {
      entry["placed"] = place_file(path, options_.placing.folder, label, options_.placing.how);
    } catch (const Error& error) {
      entry["error"] = error.what();
      std::cerr << "graft: " << error.what() << "\n";
      set_exit_status(kSomeSkipped);
    }
  }
  /// A row for each value; of classes for the best, or for as many as --top says.
  void csv(const std::string& path, const std::vector<Score>& top, const std::string& label,
           std::optional<double> ood_score) const {
    const size_t rows = task_ == Task::regression || options_.top_given ? top.size() : 1;
    for (size_t i = 0; i < rows; ++i)
      std::cout << csv_field(path) << ',' << csv_field(i == 0 ? label : top[i].label) << ',' << top[i].index << ','
                << top[i].score << ",," << (ood_score ? std::to_string(*ood_score) : "") << '\n';
  }
  void text(const std::string& path, std::vector<Score> top, bool unsure, bool foreign) const {
    std::stable_partition(top.begin(), top.end(), [](const Score& s) { return s.holds; });
    std::cout << printable(path) << (foreign ? ": like nothing it was trained on:" : unsure ? ": unsure:" : ":");
    for (size_t i = 0; i < top.size(); ++i) {
      char score[16];
      if (task_ == Task::regression)
        std::snprintf(score, sizeof score, "%.4g", static_cast<double>(top[i].score));
      else
        std::snprintf(score, sizeof score, "%.1f %%", static_cast<double>(top[i].score) * 100);
      const bool first_that_fails = !top[i].holds && (i == 0 || top[i - 1].holds);
      std::cout << (i == 0             ? " "
                    : first_that_fails ? "; "
                                       : ", ")
                << (first_that_fails ? "not " : "") << printable(top[i].label) << " " << score;
    }
    std::cout << "\n";
  }
  const Options& options_;
  const std::vector<std::string>& labels_;
  const std::vector<float>& thresholds_;
  const std::string unsure_name_, foreign_name_;
  Task task_;
  json results_ = json::array();
  size_t unsure_ = 0, foreign_ = 0;
};

/// A model with as many outputs as ImageNet has classes and no names of its own is taken for one of them.
void name_imagenet(Model& model, const Options& o) {
  const Graph& graph = model.contents().graph;
  if (!model.labels().empty() || graph.outputs.empty() || model.task() != Task::classes) return;
  const Shape& scores = graph.value(graph.outputs[0]).shape;
  if (scores.rank() == 0) return;
  std::vector<std::string> names = imagenet_labels(scores[scores.rank() - 1]);
  if (names.empty()) return;
  tell_note("the model names no classes; its " + std::to_string(names.size()) +
                " outputs are taken for ImageNet's; --labels FILE names others",
            o.common.quiet);
  model.set_labels(std::move(names));
}

/// `part`: a line that says which part of the pictures is taken, where it is not all.
Classifier make_classifier(const Options& o, PictureList& pictures, std::string& part) {
  Model model = Model::load(o.model);
  take_labels(model, o.labels, o.common);
  name_imagenet(model, o);
  if (seems_to_end_in_features(model.contents()))
    tell_note(o.model +
                  " seems to end in features, not in classes: what follows are their numbers; graft finetune gives it "
                  "a head, graft extract writes features",
              o.common.quiet);
  RunSettings settings = run_settings(model, o);
  if (o.watch && std::find(o.inputs.begin(), o.inputs.end(), "-") != o.inputs.end())
    throw Error("a list on standard input does not change", "name folders").about("watch");
  if (o.watch && !o.shard.whole()) throw Error("a folder that is watched has no parts", "leave it out").about("shard");
  if (!o.watch) pictures = list_pictures(o.inputs);
  if (pictures.paths.empty() && !o.watch) throw Error("no pictures were given", "name files, folders or globs");
  part = o.shard.take(pictures);
  if (!o.watch) settings.pictures = pictures.paths.size();
  open_device_for(o);
  return Classifier(model, settings);
}

/// Pictures that lie in the folders and have not been handed out as they are now, once they have not changed for one
/// look: whoever writes them may not be done.
class Inbox {
 public:
  /// `placed`: a folder whose pictures are not new; may be empty.
  Inbox(const std::vector<std::string>& inputs, const std::string& placed)
      : inputs_(inputs), placed_(placed.empty() ? "" : (fs::absolute(placed) / "").lexically_normal().string()) {}
  std::vector<std::string> fresh() {
    std::map<std::string, Stamp> now;
    for (const std::string& input : inputs_)
      for (const std::string& path : pictures_in(input)) {
        std::error_code code;
        const Stamp stamp{fs::last_write_time(path, code), code ? 0 : fs::file_size(path, code)};
        if (!code && !is_placed(path)) now.emplace(path, stamp);
      }
    std::vector<std::string> found;
    for (const auto& [path, stamp] : now) {
      const auto before = last_.find(path), done = done_.find(path);
      if (done != done_.end() && done->second == stamp) continue;
      if (before != last_.end() && before->second == stamp) found.push_back(path);
    }
    std::erase_if(done_, [&](const auto& entry) { return !now.contains(entry.first); });
    for (const std::string& path : found) done_[path] = now[path];
    last_ = std::move(now);
    return found;
  }

 private:
  using Stamp = std::pair<fs::file_time_type, uintmax_t>;
  static std::vector<std::string> pictures_in(const std::string& input) {
    try {
      return list_pictures({input}).paths;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::bad_data) throw;
      return {};  // an empty folder
    }
  }
  bool is_placed(const std::string& path) const {
    return !placed_.empty() && fs::absolute(path).lexically_normal().string().starts_with(placed_);
  }
  const std::vector<std::string>& inputs_;
  std::string placed_;
  std::map<std::string, Stamp> last_, done_;
};

/// Answers what lies in the folders and what comes into them, until it is interrupted. Returns how many were read.
size_t watch(const Options& o, Classifier& classifier, Report& report, RunListener& listener) {
  listener.note("watching; Ctrl-C ends it");
  const Interruption interruption;
  Inbox inbox(o.inputs, o.placing.folder);
  size_t pictures = 0;
  while (!Interruption::asked()) {
    const std::vector<std::string> fresh = inbox.fresh();
    const size_t failed = classifier.run(
        fresh,
        [&](size_t i, std::span<const float> scores, std::optional<double> ood_score) {
          report.row(fresh[i], scores, ood_score);
        },
        [&](size_t i, const std::string& reason) { report.failed(fresh[i], reason); }, &listener);
    pictures += fresh.size() - failed;
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
  return pictures;
}

void classify(const Options& o) {
  PictureList pictures;
  std::string part;
  Classifier classifier = make_classifier(o, pictures, part);
  const std::vector<std::string>& paths = pictures.paths;
  RunListener listener(o.common.quiet);
  if (!part.empty()) listener.note(part);
  for (const std::string& reason : pictures.skipped) listener.skipped(reason);
  if (classifier.task() != Task::classes && (o.unsure > 0 || o.placing.how != Placing::none))
    throw Error("a model of " +
                    std::string(classifier.task() == Task::regression ? "measured values" : "several labels") +
                    " does not answer with one class",
                "leave --unsure, --copy-to, --link-to and --move-to out");
  if (o.foreign > 0 && !classifier.detects_ood())
    throw Error("the model keeps nothing to tell foreign pictures by", "graft finetune makes models that do",
                ErrorCode::unsupported)
        .about("foreign");
  Report report(o, classifier);
  if (!o.placing.folder.empty()) require_folder(o.placing.folder);
  size_t read = 0;
  if (o.watch)
    read = watch(o, classifier, report, listener);
  else
    read = paths.size() - classifier.run(
                              paths,
                              [&](size_t i, std::span<const float> scores, std::optional<double> ood_score) {
                                report.row(paths[i], scores, ood_score);
                              },
                              [&](size_t i, const std::string& reason) { report.failed(paths[i], reason); }, &listener);
  const Account account{read, listener.unreadable(), pictures.ignored};
  if (o.unsure > 0 && report.unsure() > 0)
    listener.note(std::to_string(report.unsure()) + " of " + std::to_string(account.pictures) +
                  " pictures are answered with less than " + std::to_string(o.unsure * 100).substr(0, 4) + " %");
  if (report.foreign() > 0)
    listener.note(std::to_string(report.foreign()) + " of " + std::to_string(account.pictures) +
                  " pictures are less like the training's than " +
                  std::to_string((o.foreign > 0 ? o.foreign : kUsualForeign) * 100).substr(0, 4) +
                  " % of its own kind" + (o.foreign > 0 ? "" : "; --foreign 0.95 calls them foreign"));
  report.finish(account, listener.notes());
  tell_account(account, o.common.quiet);
}

}  // namespace

void register_classify(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand("classify", "Name what pictures show");
  command->footer(examples({"graft classify model.onnx photos/ --top 3",
                            "graft classify run photo.jpg --format jsonl  # the model of a RUN folder",
                            "find . -name \"*.jpg\" | graft classify zoo:resnet50-v2-7 - --format csv > answers.csv"}));
  add_picture_model(*command, *o);
  command->add_option("inputs", o->inputs, "Pictures, folders, globs, or - for a list on standard input")->required();
  add_shard_option(*command, o->shard);
  command->add_option("--format", o->format, "text | csv | jsonl")
      ->transform(one_of({"text", "csv", "jsonl"}))
      ->capture_default_str();
  add_labels_option(*command, o->labels);
  CLI::Option* top = command->add_option("--top", o->top, "Classes to name for each picture (in csv: rows, else one)")
                         ->check(CLI::Range(1, 1000))
                         ->capture_default_str();
  command->add_option("--unsure", o->unsure, "Call an answer with a lower probability than this unsure")
      ->check(CLI::Range(0.0, 1.0));
  command
      ->add_option("--foreign", o->foreign,
                   "Call a picture foreign that is less like the training's than this part of its own kind (0.95)")
      ->check(CLI::Range(0.5, 1.0));
  add_placing(*command, o->placing,
              "Copy pictures into FOLDER/CLASS, and FOLDER/unsure and FOLDER/foreign as --unsure and --foreign say");
  command->add_flag("--watch", o->watch, "Go on with pictures that come into the folders, until Ctrl-C");
  command->callback([o, top] {
    o->top_given = top->count() > 0;
    classify(*o);
  });
}

}  // namespace graft::app
