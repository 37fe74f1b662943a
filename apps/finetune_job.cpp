#include "apps/finetune_job.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <sstream>

#include "apps/auto_settings.h"
#include "apps/chart.h"
#include "apps/classifier.h"
#include "apps/finetune_network.h"
#include "apps/picture_source.h"
#include "apps/progress.h"
#include "augment/colour_axes.h"
#include "augment/dataset.h"
#include "finetune/data/target_scale.h"
#include "finetune/heads/simplify.h"
#include "importer/reader.h"
#include "importer/writer.h"
#include "runtime/core/atomic_file.h"
#include "runtime/core/error.h"
#include "runtime/passes/passes.h"

namespace graft::app {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::vector<float> parse_class_weights(const std::vector<std::string>& words, const Dataset& data) {
  std::vector<float> weights;
  if (words.empty()) return weights;
  if (words.size() == 1 && words[0] == "balanced") {  // n / (classes · n_c), as scikit-learn's
    std::vector<double> count(data.classes.size(), 0);
    for (const Item& item : data.train) ++count[static_cast<size_t>(item.label)];
    for (double c : count)
      weights.push_back(
          static_cast<float>(static_cast<double>(data.train.size()) / (static_cast<double>(count.size()) * c)));
    return weights;
  }
  for (const std::string& w : words) {
    try {
      weights.push_back(std::stof(w));
    } catch (const std::exception&) {
      throw Error("--class-weights: \"" + w + "\" is no number", "write balanced, or one number a class");
    }
    if (!(weights.back() > 0)) throw Error("--class-weights must be positive");
  }
  if (weights.size() != data.classes.size())
    throw Error("--class-weights: " + std::to_string(weights.size()) + " numbers for " +
                std::to_string(data.classes.size()) + " classes");
  return weights;
}

Labelling labelling_of(Task task) {
  return task == Task::regression    ? Labelling::values
         : task == Task::multi_label ? Labelling::multi_label
                                     : Labelling::classes;
}

/// Brings the values of all pictures to mean 0 and deviation 1 over the training ones.
TargetScale scale_targets(Dataset& data) {
  std::vector<std::vector<float>> targets;
  for (const Item& item : data.train) targets.push_back(item.target);
  const TargetScale scale = TargetScale::measure(targets, data.classes);
  for (auto* items : {&data.train, &data.validation})
    for (Item& item : *items) item.target = scale.scaled(item.target);
  return scale;
}

std::string short_number(double v) {
  std::ostringstream text;
  text << std::setprecision(3) << v;
  return text.str();
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
  write_atomically((fs::path(folder) / "rates.svg").string(), [&](std::ostream& stream) { stream << to_svg(chart); });
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
  write_atomically((fs::path(folder) / "loss.svg").string(), [&](std::ostream& stream) { stream << to_svg(losses); });
  write_atomically((fs::path(folder) / "score.svg").string(), [&](std::ostream& stream) { stream << to_svg(score); });
}

void make_folder(const std::string& path) {
  std::error_code code;
  fs::create_directories(path, code);
  if (code) throw Error(path + ": cannot be created (" + code.message() + ")", "choose a folder you may write to");
  // Say it before the work is done, not after.
  write_atomically((fs::path(path) / ".writable").string(), [](std::ostream&) {});
  fs::remove(fs::path(path) / ".writable", code);
}

/// A number that changes with anything a resumed run must share with the run before: the model, the pictures, and every
/// option but those that say where things lie and how the run is shown.
std::string fingerprint(const FinetuneOptions& o, const Dataset& data) {
  static const char* const kFree[] = {"model=", "data=",  "resume=",  "folds=",  "find-lr=", "output=",
                                      "json=",  "quiet=", "threads=", "device=", "memory="};
  std::ostringstream text;
  text << fs::file_size(o.model) << '\n';
  std::istringstream options(o.config_text);
  for (std::string line; std::getline(options, line);)
    if (std::none_of(std::begin(kFree), std::end(kFree), [&](const char* name) { return line.starts_with(name); }))
      text << line << '\n';
  for (const auto* items : {&data.train, &data.validation})
    for (const Item& item : *items) {
      text << fs::path(item.path).filename().string() << item.label;
      for (float t : item.target) text << ' ' << t;
    }
  uint64_t hash = 0xcbf29ce484222325ull;  // FNV-1a
  for (const char c : text.str()) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  std::ostringstream hex;
  hex << std::hex << hash;
  return hex.str();
}

/// The teacher's scores in the order of our classes. Throws Error when it knows other ones.
Graph matched_teacher(Model teacher, const std::vector<std::string>& classes) {
  Graph& graph = teacher.graph;
  if (ends_in_softmax(graph))
    throw Error("the teacher ends in a softmax, distillation needs its scores", "export it without");
  const Shape scores = graph.value(graph.outputs[0]).shape;
  if (scores.rank() != 2 || scores[1] != static_cast<int64_t>(classes.size()))
    throw Error("the teacher scores " + scores.str() + ", there are " + std::to_string(classes.size()) + " classes",
                "use one that was trained on the same classes");
  if (!teacher.metadata.labels.empty() && teacher.metadata.labels != classes)
    throw Error("the teacher's classes are others than the data's", "use one that was trained on the same classes");
  return std::move(graph);
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

std::string best_key(Task task) { return std::string("best_") + score_names(task).first; }

/// "top-1 97.40 %", "mAP 91.20 %", "R² 0.8312".
std::string score_text(Task task, double score) {
  std::ostringstream text;
  text << std::fixed;
  if (task == Task::regression)
    text << "R² " << std::setprecision(4) << score;
  else
    text << (task == Task::multi_label ? "mAP " : "top-1 ") << std::setprecision(2) << score * 100 << " %";
  return text.str();
}

std::string epoch_line(const EpochReport& e, int epochs, Task task) {
  std::ostringstream line;
  line << std::fixed << "epoch " << e.epoch << "/" << epochs << "  loss " << std::setprecision(4) << e.train_loss
       << "  val loss " << e.val_loss << "  val " << score_text(task, e.val_score) << "  " << std::setprecision(2)
       << e.seconds << " s";
  return line.str();
}

}  // namespace

FinetuneReport run_finetune(const FinetuneOptions& given) {
  const auto start = std::chrono::steady_clock::now();
  FinetuneOptions o = given;
  Progress progress(o.common.quiet);
  FinetuneReport report;
  Model model = read_model(o.model);
  const Preprocessing preprocessing = resolve_preprocessing(model, o.pictures, o.common);
  o.train.task = report.task = task_named(o.task);
  o.train.loss = chosen_loss(o);
  Dataset data = read_dataset(o.data, o.validation_part, o.common.seed, labelling_of(o.train.task));
  TargetScale scale;
  if (o.train.task == Task::regression) scale = scale_targets(data);
  make_folder(o.output);

  report.classes = data.classes;
  for (const std::string& s : data.skipped) {
    progress.line("skipped " + s);
    report.skipped.push_back(s);
  }
  o.train.seed = o.common.seed;
  o.train.threads = o.common.threads;
  o.train.height = preprocessing.crop_height;
  o.train.width = preprocessing.crop_width;
  if (o.common.batch > 0) o.train.batch = o.common.batch;
  o.train.memory = memory_limit(o.memory);
  o.train.supervision.class_weights = parse_class_weights(o.class_weights, data);
  o.train.checkpoint.path = (fs::path(o.output) / "checkpoint.safetensors").string();
  o.train.checkpoint.fingerprint = fingerprint(o, data);
  o.freeze.batch_norm = o.batch_norm == "train"    ? BatchNormPolicy::train
                        : o.batch_norm == "frozen" ? BatchNormPolicy::frozen
                                                   : BatchNormPolicy::automatic;

  o.train.unfreezing.batch_norm = o.freeze.batch_norm;
  if (o.train.unfreezing.every > 0 && o.freeze.policy != "all")
    throw Error("begins with everything frozen", "leave " + mention("freeze") + " out").about("unfreeze");

  retype(model.graph, {1, o.train.height, o.train.width}, backend(o.common));
  if (o.simplify) {
    if (std::none_of(model.graph.nodes.begin(), model.graph.nodes.end(),
                     [](const Node& n) { return n.op->type() == "BatchNormalization"; })) {
      throw Error("--preset " + o.preset + ": " + o.model + " has no batch norm", "leave --preset out");
    }
    const SimplifyResult gone = remove_lrn_and_dropout(model.graph);
    progress.line("without " + std::to_string(gone.lrn) + " local response normalisations and " +
                  std::to_string(gone.dropout) + " dropouts");
  }
  const auto classes = static_cast<int64_t>(data.classes.size());
  TransformContext context = transform_context(preprocessing);
  const Pipeline evaluation = evaluation_pipeline(preprocessing);
  if (o.recipe == "alexnet" || o.recipe == "resnet" || o.recipe == "strong" ||
      o.recipe.find("pca-lighting") != std::string::npos) {
    std::vector<std::string> paths;
    for (const Item& item : data.train) paths.push_back(item.path);
    context.colour_axes = measure_colour_axes(paths);
  }
  const Pipeline training(make_recipe(o.recipe, context), normalisation(preprocessing), preprocessing.crop_height,
                          preprocessing.crop_width);
  const PictureSource train_source(data.train, evaluation, training, o.common.seed),
      validation_source(data.validation, evaluation, training, o.common.seed);

  if (!o.teacher.empty()) {
    Model teacher = read_model(o.teacher);
    retype(teacher.graph, {1, o.train.height, o.train.width}, backend(o.common));
    teacher.graph.outputs.resize(1);
    o.train.supervision.teacher = std::make_shared<Graph>(
        with_place([&] { return o.teacher; }, [&] { return matched_teacher(std::move(teacher), data.classes); }));
  }

  report.history = (fs::path(o.output) / "history.csv").string();
  report.model = (fs::path(o.output) / "model.onnx").string();
  TrainListener listener;
  listener.progress = [&](const std::string& phase, int64_t done, int64_t total) { progress.show(phase, done, total); };
  listener.note = [&](const std::string& text) { progress.line(text); };
  listener.epoch = [&](const EpochReport& e) { progress.line(epoch_line(e, o.train.length.epochs, o.train.task)); };
  if (o.auto_seconds > 0)
    report.automatic = choose_automatically(o, model.graph, train_source, static_cast<int>(classes), listener);
  Network network = with_place([&] { return o.model; }, [&] { return make_network(model.graph, o, classes); });
  model.graph = std::move(network.graph);
  const GraftedHead& head = network.head;
  report.freeze = network.freeze;
  if (o.stochastic_depth > 0)
    progress.line(std::to_string(network.skippable_branches) + " residual branches are left out now and then");
  progress.line(head.replaced.empty()
                    ? "the model ends in features: new head on " + std::to_string(head.features) + " of them"
                    : "new head on " + std::to_string(head.features) + " features in place of \"" + head.replaced +
                          "\"");
  progress.line(
      std::to_string(data.train.size()) + " training and " + std::to_string(data.validation.size()) +
      " validation pictures of " + std::to_string(classes) +
      (o.train.task == Task::regression ? " values; " : " classes; ") +
      (model.graph.outputs.size() > 1 ? std::to_string(model.graph.outputs.size() - 1) + " auxiliary heads; " : "") +
      std::to_string(report.freeze.trainable_parameters) + " parameters trained, " +
      std::to_string(report.freeze.frozen_parameters) + " frozen");

  if (o.find_rate) {
    report.rates = find_rate(model.graph, head.parameters, train_source, validation_source, static_cast<int>(classes),
                             o.train, listener, backend(o.common));
    write_rates(o.output, report.rates);
    progress.line("the loss falls fastest at --lr " + short_number(report.rates.suggestion) + ": " +
                  (fs::path(o.output) / "rates.svg").string());
    return report;
  }
  if (o.folds > 0) {
    std::vector<Item> all = data.train;
    all.insert(all.end(), data.validation.begin(), data.validation.end());
    const PictureSource whole(all, evaluation, training, o.common.seed);
    report.folds = cross_validate(model.graph, head.parameters, whole, static_cast<int>(classes), o.folds, o.train,
                                  listener, backend(o.common));
    progress.line(std::to_string(o.folds) + " folds: " + score_text(o.train.task, report.folds.mean) + ", deviation " +
                  short_number(report.folds.deviation) + ", " + short_number(report.folds.seconds) + " s");
  }
  report.result = train(model.graph, head.parameters, train_source, validation_source, static_cast<int>(classes),
                        o.train, listener, backend(o.common));
  report.skipped.insert(report.skipped.end(), report.result.skipped.begin(), report.result.skipped.end());

  if (o.train.task == Task::regression) scale.undo(model.graph, head.parameters);
  model.metadata.task = o.train.task == Task::classes ? "" : name_of(o.train.task);
  if (o.stochastic_depth > 0) remove_stochastic_depth(model.graph);
  model.graph.outputs.resize(1);  // auxiliary heads have done their work
  remove_dead_code(model.graph);
  model.metadata.other.erase(kAuxiliaryOutputs);
  model.metadata.labels = data.classes;
  model.metadata.preprocessing = preprocessing;
  model.metadata.other["graft.version"] = GRAFT_VERSION;
  model.metadata.other["graft.training"] = json{
      {best_key(o.train.task), report.result.best_val_score},
      {"best_epoch", report.result.best_epoch},
      {"freeze", o.freeze.policy},
      {"optimizer", o.train.optimizer.name},
      {"loss", o.train.loss.name},
      {"seed", o.common.seed}}.dump();
  write_model(model, report.model);
  write_history(report.history, report.result.history, o.train.task);
  write_curves(o.output, report.result.history, o.train.task);
  write_atomically((fs::path(o.output) / "config.toml").string(),
                   [&](std::ostream& stream) { stream << o.config_text; });
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  write_atomically((fs::path(o.output) / "metrics.json").string(),
                   [&](std::ostream& stream) { stream << to_json_text(report) << "\n"; });
  std::ostringstream line;
  line << std::fixed << std::setprecision(2) << "best validation "
       << score_text(o.train.task, report.result.best_val_score) << " (epoch " << report.result.best_epoch << "), "
       << std::setprecision(1) << report.seconds << " s: " << report.model;
  progress.line(line.str());
  return report;
}

std::string to_json_text(const FinetuneReport& r) {
  if (!r.rates.trials.empty())
    return json{{"suggested_lr", r.rates.suggestion}, {"trials", r.rates.trials.size()}}.dump();
  json folds;
  if (!r.folds.scores.empty())
    folds = {{"scores", r.folds.scores},
             {"mean", r.folds.mean},
             {"deviation", r.folds.deviation},
             {"seconds", r.folds.seconds}};
  json automatic;
  if (!r.automatic.trials.empty()) {
    const AutoSettings& chosen = r.automatic.trials[r.automatic.chosen].settings;
    automatic = {{"head", chosen.head},
                 {"freeze", chosen.freeze},
                 {"lr", chosen.lr},
                 {"weight_decay", chosen.weight_decay},
                 {"tried", r.automatic.trials.size()},
                 {"seconds", r.automatic.seconds}};
  }
  return json{{"cross_validation", folds},
              {"auto", automatic},
              {best_key(r.task), r.result.best_val_score},
              {"task", name_of(r.task)},
              {"stopped_early", r.result.stopped_early},
              {"best_epoch", r.result.best_epoch},
              {"epochs", r.result.history.size()},
              {"seconds", r.seconds},
              {"trainable_parameters", r.freeze.trainable_parameters},
              {"frozen_parameters", r.freeze.frozen_parameters},
              {"features_cached", r.result.features_cached},
              {"classes", r.classes},
              {"skipped", r.skipped},
              {"model", r.model},
              {"history", r.history}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace graft::app
