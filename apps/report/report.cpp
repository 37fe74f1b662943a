#include "apps/report/report.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>
#include <thread>

#include "apps/drawing/html.h"
#include "apps/evaluation/evaluation_text.h"
#include "apps/library/scores.h"
#include "apps/report/report_assets.h"
#include "apps/report/report_pictures.h"
#include "apps/run/finetune_files.h"
#include "finetune/data/task.h"
#include "graft/version.h"
#include "runtime/core/atomic_file.h"
#include "runtime/core/available_memory.h"
#include "runtime/core/isa.h"

namespace graft::app {
namespace {

using nlohmann::json;

std::string fixed(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}
std::string percent(double part) { return fixed("%.1f %%", 100 * part); }

std::string processor_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown";
}

json machine_json() {
  const char* isa = cpu::best_isa() == cpu::Isa::avx512 ? "AVX-512"
                    : cpu::best_isa() == cpu::Isa::avx2 ? "AVX2"
                                                        : "baseline";
  char date[32];
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  std::strftime(date, sizeof date, "%Y-%m-%d %H:%M", &local);
  return {{"graft", version()},
          {"processor", processor_name()},
          {"cores", std::thread::hardware_concurrency()},
          {"vector loops", isa},
          {"written", date}};
}

/// What is counted for each part, in the same order.
json part_json(const EvaluatedPart& part) {
  const Evaluation& e = part.evaluation;
  json rows = json::array({json::array({"pictures", std::to_string(e.pictures)})});
  const auto row = [&](const char* name, const std::string& value) { rows.push_back(json::array({name, value})); };
  if (const auto& f = e.of_classes) {
    row("right (top-1)", percent(f->top1));
    row("95 % interval", percent(f->top1_interval.low) + " to " + percent(f->top1_interval.high));
    row("among the best five", percent(f->top5));
    row("macro F1", fixed("%.4f", f->macro_f1));
    row("loss", fixed("%.4f", f->loss));
    row("calibration error", fixed("%.4f", f->calibration_error));
  } else if (const auto& l = e.of_labels) {
    row("mean average precision", percent(l->mean_average_precision));
    row("95 % interval",
        percent(l->mean_average_precision_interval.low) + " to " + percent(l->mean_average_precision_interval.high));
    row("every label right", percent(l->exact));
    row("macro F1", fixed("%.4f", l->macro_f1));
  } else if (const auto& v = e.of_values) {
    row("R²", fixed("%.4f", v->r2));
    row("mean absolute error", fixed("%.4g", v->mean_absolute_error));
    row("root mean squared error", fixed("%.4g", v->root_mean_squared_error));
  }
  return {{"split", part.split}, {"rows", rows}};
}

std::string joined(const std::vector<std::string>& words) {
  std::string all;
  for (size_t i = 0; i < words.size(); ++i) all += (i == 0 ? "" : i + 1 == words.size() ? " and " : ", ") + words[i];
  return all;
}

/// The result in sentences.
std::vector<std::string> summary_of(const ReportSource& source, const EvaluatedPart& part, const json& figures) {
  const Evaluation& e = part.evaluation;
  std::vector<std::string> sentences;
  std::string on = "On " + std::to_string(e.pictures) + " pictures ";
  if (source.of_run)
    on += part.split == "test"  ? "that neither trained nor chose anything "
          : part.split == "val" ? "that did not train it "
                                : "that trained it ";
  on += "it ";
  if (const auto& f = e.of_classes) {
    const std::vector<std::string> names =
        e.classes.size() <= 8 ? e.classes : std::vector<std::string>{std::to_string(e.classes.size()) + " classes"};
    sentences.push_back("This model tells apart " + joined(names) + ". " + on + "is right on " + percent(f->top1) +
                        "; another such set would come to " + percent(f->top1_interval.low) + " to " +
                        percent(f->top1_interval.high) + ".");
    const auto& pairs = figures["confused"];
    if (!pairs.empty())
      sentences.push_back(
          "Most often it takes " + pairs[0]["class"].get<std::string>() + " for " +
          pairs[0]["answer"].get<std::string>() + " (" + std::to_string(pairs[0]["images"].get<int>()) + " of " +
          std::to_string(e.pictures - static_cast<int64_t>(f->top1 * static_cast<double>(e.pictures) + 0.5)) +
          " mistakes).");
    const auto surest =
        std::max_element(e.predictions.begin(), e.predictions.end(), [](const Prediction& a, const Prediction& b) {
          return (a.truth == a.answer ? -1.0f : a.score) < (b.truth == b.answer ? -1.0f : b.score);
        });
    if (surest != e.predictions.end() && surest->truth != surest->answer)
      sentences.push_back("Its surest mistake: " + part.files[surest->file].path + " is " +
                          e.classes[static_cast<size_t>(surest->truth)] + ", answered " +
                          e.classes[static_cast<size_t>(surest->answer)] + " with " +
                          percent(static_cast<double>(surest->score)) + ".");
  } else if (const auto& l = e.of_labels) {
    sentences.push_back(on + "reaches a mean average precision of " + percent(l->mean_average_precision) +
                        "; every label is right on " + percent(l->exact) + ".");
  } else if (const auto& v = e.of_values) {
    sentences.push_back(on + "explains " + percent(v->r2) + " of the variance (R²) and misses by " +
                        fixed("%.4g", v->mean_absolute_error) + " on average.");
  }
  if (!source.recipe.conclusion.empty())
    sentences.push_back("Chosen by the training pictures: " + source.recipe.conclusion + ".");
  return sentences;
}

/// The figures that stand out: name and value.
json headline(const Evaluation& e) {
  json figures = json::array();
  const auto add = [&](const char* name, const std::string& value) { figures.push_back(json::array({name, value})); };
  if (const auto& f = e.of_classes) {
    add("right", percent(f->top1));
    add("macro F1", fixed("%.3f", f->macro_f1));
    add("loss", fixed("%.3f", f->loss));
  } else if (const auto& l = e.of_labels) {
    add("mean average precision", percent(l->mean_average_precision));
    add("every label right", percent(l->exact));
  } else {
    add("R²", fixed("%.4f", e.of_values->r2));
    add("mean absolute error", fixed("%.4g", e.of_values->mean_absolute_error));
  }
  add("pictures", std::to_string(e.pictures));
  return figures;
}

/// Pictures worth a thumbnail: all where they are few, else the worst, the least certain and some of the rest.
std::vector<size_t> worth_showing(const EvaluatedPart& part, size_t most) {
  const std::vector<Prediction>& all = part.evaluation.predictions;
  std::set<size_t> chosen;
  const auto worst = worst_first(part.evaluation);
  for (size_t i = 0; i < std::min(worst.size(), most / 2); ++i)
    chosen.insert(static_cast<size_t>(worst[i] - all.data()));
  for (size_t i = 0; i < std::min(all.size(), most / 2); ++i)
    chosen.insert(i * all.size() / std::min(all.size(), most / 2));
  if (all.size() <= most)
    for (size_t i = 0; i < all.size(); ++i) chosen.insert(i);
  return {chosen.begin(), chosen.end()};
}

/// Mistakes, the most confident first, then what is least certain.
std::vector<size_t> worth_explaining(const EvaluatedPart& part, size_t most) {
  const std::vector<Prediction>& all = part.evaluation.predictions;
  std::vector<size_t> order;
  for (const Prediction* p : worst_first(part.evaluation)) order.push_back(static_cast<size_t>(p - all.data()));
  order.resize(std::min(order.size(), most));
  return order;
}

json predictions_json(const EvaluatedPart& part) {
  json list = json::array();
  for (const Prediction& p : part.evaluation.predictions) {
    json one{{"file", p.file}, {"path", part.files[p.file].path}, {"loss", p.loss}};
    if (part.evaluation.task == Task::classes) {
      one["truth"] = p.truth;
      one["answer"] = p.answer;
      one["score"] = p.score;
      one["truth_score"] = p.truth_score;
    } else {
      one["values"] = p.values;
      one["target"] = part.files[p.file].target;
    }
    list.push_back(std::move(one));
  }
  return list;
}

json history_json(const std::vector<EpochReport>& history) {
  json epochs = json::array();
  for (const EpochReport& e : history)
    epochs.push_back(
        {{"epoch", e.epoch}, {"train_loss", e.train_loss}, {"val_loss", e.val_loss}, {"val_score", e.val_score}});
  return epochs;
}

json report_json(const Model& model, const ReportSource& source, Listener* listener) {
  const EvaluatedPart& part = source.parts.back();
  const Evaluation& e = part.evaluation;
  const json figures = to_json(part, 0);
  std::vector<std::string> notes = source.notes;
  std::string method;
  constexpr size_t kThumbnails = 600, kOverlays = 24;
  json parts = json::array();
  for (const EvaluatedPart& one : source.parts) parts.push_back(part_json(one));
  const Preprocessing preprocessing = source.run.preprocessing ? *source.run.preprocessing : preprocessing_for(model);
  const std::string picture = e.predictions.empty() ? std::string() : part.files[e.predictions[0].file].path;
  json data{{"title", source.title},
            {"task", name_of(e.task)},
            {"classes", e.classes},
            {"figures", headline(e)},
            {"summary", summary_of(source, part, figures)},
            {"parts", parts},
            {"history", history_json(source.history)},
            {"score_name", score_names(e.task).first},
            {"trials", trials_json(source.recipe)},
            {"conclusion", source.recipe.conclusion},
            {"predictions", predictions_json(part)},
            {"per_class", figures.value("per_class", json::array())},
            {"per_label", figures.value("per_label", json::array())},
            {"calibration_error", figures.value("calibration_error", json())},
            {"thumbnails", report_thumbnails(part, worth_showing(part, kThumbnails))},
            {"overlays", e.task == Task::classes ? report_overlays(model, part, worth_explaining(part, kOverlays),
                                                                   source.run, listener, method, notes)
                                                 : json::object()},
            {"map", report_map(model, part, source.run, listener, notes)},
            {"activations", report_inside(model, picture, source.run, notes)},
            {"augmentation", report_augmentation(source, preprocessing, notes)},
            {"augmentation_text", "The plain view, then as training varied it (--augment " +
                                      (source.augment.size() < 200 ? source.augment : "from a file") + ")."},
            {"config", source.config},
            {"command", source.command},
            {"machine", machine_json()}};
  data["explained_by"] = method;
  data["notes"] = notes;
  data["account"] = {{"line", account_line(source.account)},
                     {"unreadable", source.account.unreadable},
                     {"ignored", source.account.ignored}};
  return data;
}

}  // namespace

void write_report(const std::string& path, const Model& model, const ReportSource& source, Listener* listener) {
  if (source.parts.empty()) throw Error("there is nothing to report");
  std::string data = report_json(model, source, listener).dump(-1, ' ', false, json::error_handler_t::replace);
  // Nothing in it may end the script element that holds it.
  for (size_t at = data.find('<'); at != std::string::npos; at = data.find('<', at + 6)) data.replace(at, 1, "\\u003c");
  write_atomically(path, [&](std::ostream& out) {
    out << "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>" << html_escaped(source.title)
        << "</title>\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<style>\n"
        << kReportStyle << "</style></head>\n<body><header><h1>" << html_escaped(source.title)
        << "</h1></header>\n<nav aria-label=\"sections\"><div></div></nav>\n<main></main>\n"
        << "<footer><p class=\"faint\">Made by graft. Charts by Chart.js (MIT licence), which this file "
           "holds.</p></footer>\n"
        << "<script type=\"application/json\" id=\"report-data\">" << data << "</script>\n<script>" << kChartScript
        << "</script>\n<script>" << kReportScript << "</script></body></html>\n";
  });
}

}  // namespace graft::app
