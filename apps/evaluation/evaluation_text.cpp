#include "apps/evaluation/evaluation_text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>

#include "apps/cli/printable.h"
#include "finetune/data/task.h"
#include "graft/compare.h"

namespace graft::app {
namespace {

using nlohmann::json;

json to_json(const Interval& interval) { return {interval.low, interval.high}; }
json to_json(const std::optional<double>& figure) { return figure ? json(*figure) : json(nullptr); }

/// The classes that occur or are answered.
std::vector<size_t> seen_classes(const ClassFigures& f) {
  std::vector<size_t> seen;
  for (size_t c = 0; c < f.per_class.size(); ++c)
    if (f.per_class[c].pictures > 0 || f.per_class[c].predicted > 0) seen.push_back(c);
  return seen;
}

struct Confused {
  size_t truth, answer;
  int64_t pictures;
};
/// Which class is taken for which other, the most frequent first.
std::vector<Confused> confused(const ClassFigures& f) {
  std::vector<Confused> pairs;
  const size_t classes = f.per_class.size();
  for (size_t i = 0; i < f.confusion.size(); ++i)
    if (i / classes != i % classes && f.confusion[i] > 0) pairs.push_back({i / classes, i % classes, f.confusion[i]});
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const Confused& a, const Confused& b) { return a.pictures > b.pictures; });
  return pairs;
}

/// The worst answers that are wrong; of measured values those that miss by most.
std::vector<const Prediction*> mistakes_of(const EvaluatedPart& part, size_t most) {
  std::vector<const Prediction*> found;
  const Task task = part.evaluation.task;
  for (const Prediction* p : worst_first(part.evaluation)) {
    if (found.size() == most) break;
    if (task == Task::regression || !is_right(*p, part.files[p->file], part.evaluation)) found.push_back(p);
  }
  return found;
}

json class_figures_json(const Evaluation& e) {
  const ClassFigures& f = *e.of_classes;
  const size_t classes = f.per_class.size();
  const std::vector<size_t> seen = seen_classes(f);
  json confusion = json::array(), per_class = json::array(), names = json::array(), pairs = json::array();
  for (const size_t t : seen) {
    json row = json::array();
    for (const size_t p : seen) row.push_back(f.confusion[t * classes + p]);
    confusion.push_back(row);
    names.push_back(e.classes[t]);
    const ClassFigures::OfClass& of = f.per_class[t];
    per_class.push_back({{"class", e.classes[t]},
                         {"images", of.pictures},
                         {"predicted", of.predicted},
                         {"precision", of.precision},
                         {"recall", of.recall},
                         {"f1", of.f1},
                         {"roc_auc", to_json(of.roc_auc)},
                         {"average_precision", to_json(of.average_precision)}});
  }
  for (const Confused& pair : confused(f)) {
    if (pairs.size() == 20) break;
    pairs.push_back({{"class", e.classes[pair.truth]}, {"answer", e.classes[pair.answer]}, {"images", pair.pictures}});
  }
  json result{{"top1", f.top1},
              {"top1_interval", to_json(f.top1_interval)},
              {"top5", f.top5},
              {"top", f.top},
              {"loss", f.loss},
              {"loss_interval", to_json(f.loss_interval)},
              {"macro_precision", f.macro_precision},
              {"macro_recall", f.macro_recall},
              {"macro_f1", f.macro_f1},
              {"macro_f1_interval", to_json(f.macro_f1_interval)},
              {"calibration_error", f.calibration_error},
              {"temperature", f.temperature},
              {"loss_at_temperature", f.loss_at_temperature},
              {"calibration_error_at_temperature", f.calibration_error_at_temperature},
              {"confusion", confusion},
              {"confusion_classes", names},
              {"confused", pairs},
              {"per_class", per_class}};
  if (f.roc_auc) result["roc_auc"] = *f.roc_auc;
  return result;
}

json label_figures_json(const Evaluation& e) {
  const LabelFigures& f = *e.of_labels;
  json per_label = json::array();
  for (size_t k = 0; k < e.classes.size(); ++k) {
    const LabelFigures::OfLabel& of = f.per_label[k];
    per_label.push_back({{"label", e.classes[k]},
                         {"images", of.pictures},
                         {"precision", of.precision},
                         {"recall", of.recall},
                         {"f1", of.f1},
                         {"roc_auc", to_json(of.roc_auc)},
                         {"average_precision", to_json(of.average_precision)},
                         {"threshold", of.threshold},
                         {"best_threshold", of.best_threshold},
                         {"f1_at_best_threshold", of.f1_at_best}});
  }
  return {{"map", f.mean_average_precision},
          {"map_interval", to_json(f.mean_average_precision_interval)},
          {"exact", f.exact},
          {"macro_f1", f.macro_f1},
          {"per_label", per_label}};
}

json value_figures_json(const Evaluation& e) {
  const ValueFigures& f = *e.of_values;
  json per_value = json::array();
  for (size_t k = 0; k < e.classes.size(); ++k) {
    const ValueFigures::OfValue& of = f.per_value[k];
    per_value.push_back({{"value", e.classes[k]},
                         {"r2", of.r2},
                         {"mae", of.mean_absolute_error},
                         {"rmse", of.root_mean_squared_error}});
  }
  return {{"r2", f.r2},
          {"r2_interval", to_json(f.r2_interval)},
          {"mae", f.mean_absolute_error},
          {"mae_interval", to_json(f.mean_absolute_error_interval)},
          {"rmse", f.root_mean_squared_error},
          {"per_value", per_value}};
}

std::string percent(double part) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f %%", part * 100);
  return text;
}
std::string number(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}
std::string between(const Interval& interval, const char* format, double scale) {
  return " (95 % interval " + number(format, interval.low * scale) + " to " + number(format, interval.high * scale) +
         ")";
}
std::string or_dash(const std::optional<double>& figure) { return figure ? number("%.3f", *figure) : "-"; }

/// Characters on the screen, not bytes: continuation bytes of UTF-8 take no place.
std::string padded(const std::string& text, size_t width) {
  const auto shown = static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
  return text + std::string(shown < width ? width - shown : 1, ' ');
}

void print_confusion(const Evaluation& e) {
  const ClassFigures& f = *e.of_classes;
  const std::vector<size_t> seen = seen_classes(f);
  if (seen.size() <= 12) {
    std::printf("\nconfusion (rows: true class; columns: answers in the same order)\n");
    for (const size_t t : seen) {
      std::printf("%s", padded(e.classes[t], 24).c_str());
      for (const size_t p : seen) std::printf("%7lld", static_cast<long long>(f.confusion[t * f.per_class.size() + p]));
      std::printf("\n");
    }
    return;
  }
  const std::vector<Confused> pairs = confused(f);
  if (pairs.empty()) return;
  std::printf("\nmost often confused (of %zu pairs)\n", pairs.size());
  for (size_t i = 0; i < std::min<size_t>(10, pairs.size()); ++i)
    std::printf("%5lld  %s taken for %s\n", static_cast<long long>(pairs[i].pictures),
                e.classes[pairs[i].truth].c_str(), e.classes[pairs[i].answer].c_str());
}

void print_classes(const Evaluation& e) {
  const ClassFigures& f = *e.of_classes;
  std::printf("%lld pictures   top-1 %s%s   top-5 %s", static_cast<long long>(e.pictures), percent(f.top1).c_str(),
              between(f.top1_interval, "%.2f", 100).c_str(), percent(f.top5).c_str());
  if (f.roc_auc) std::printf("   ROC AUC %.4f", *f.roc_auc);
  std::printf("\nmacro F1 %.4f%s   loss %.4f\n", f.macro_f1, between(f.macro_f1_interval, "%.4f", 1).c_str(), f.loss);
  std::printf("calibration error %.4f   at temperature %.3f: loss %.4f, calibration error %.4f\n\n",
              f.calibration_error, f.temperature, f.loss_at_temperature, f.calibration_error_at_temperature);
  std::printf("%s%9s %9s %8s %8s %8s %8s\n", padded("class", 24).c_str(), "pictures", "precision", "recall", "F1", "AP",
              "ROC AUC");
  for (const size_t c : seen_classes(f)) {
    const ClassFigures::OfClass& of = f.per_class[c];
    const auto shown = [](double figure, bool has) { return or_dash(has ? std::optional(figure) : std::nullopt); };
    std::printf("%s%9lld %9s %8s %8s %8s %8s\n", padded(e.classes[c], 24).c_str(), static_cast<long long>(of.pictures),
                shown(of.precision, of.predicted > 0).c_str(), shown(of.recall, of.pictures > 0).c_str(),
                shown(of.f1, of.pictures > 0).c_str(), or_dash(of.average_precision).c_str(),
                or_dash(of.roc_auc).c_str());
  }
  print_confusion(e);
}

void print_labels(const Evaluation& e) {
  const LabelFigures& f = *e.of_labels;
  std::printf("%lld pictures   mean average precision %s%s   every label right %s   macro F1 %.4f\n\n",
              static_cast<long long>(e.pictures), percent(f.mean_average_precision).c_str(),
              between(f.mean_average_precision_interval, "%.2f", 100).c_str(), percent(f.exact).c_str(), f.macro_f1);
  std::printf("%s%9s %9s %8s %8s %8s %8s  %s\n", padded("label", 24).c_str(), "pictures", "precision", "recall", "F1",
              "AP", "ROC AUC", "best threshold: F1");
  for (size_t k = 0; k < e.classes.size(); ++k) {
    const LabelFigures::OfLabel& of = f.per_label[k];
    std::printf("%s%9lld %9.3f %8.3f %8.3f %8s %8s  %.3f: %.3f\n", padded(e.classes[k], 24).c_str(),
                static_cast<long long>(of.pictures), of.precision, of.recall, of.f1,
                or_dash(of.average_precision).c_str(), or_dash(of.roc_auc).c_str(), of.best_threshold, of.f1_at_best);
  }
}

void print_values(const Evaluation& e) {
  const ValueFigures& f = *e.of_values;
  std::printf("%lld pictures   R² %.4f%s   mean absolute error %.4g%s   root mean squared error %.4g\n",
              static_cast<long long>(e.pictures), f.r2, between(f.r2_interval, "%.4f", 1).c_str(),
              f.mean_absolute_error, between(f.mean_absolute_error_interval, "%.4g", 1).c_str(),
              f.root_mean_squared_error);
  if (f.per_value.size() == 1) return;
  std::printf("\n%s%9s %12s %12s\n", padded("value", 24).c_str(), "R²", "MAE", "RMSE");
  for (size_t k = 0; k < f.per_value.size(); ++k)
    std::printf("%s%8.4f %12.4g %12.4g\n", padded(e.classes[k], 24).c_str(), f.per_value[k].r2,
                f.per_value[k].mean_absolute_error, f.per_value[k].root_mean_squared_error);
}

std::string answer_text(const Prediction& p, const EvaluatedPart& part) {
  const Evaluation& e = part.evaluation;
  if (e.task == Task::classes)
    return "is " + e.classes[static_cast<size_t>(p.truth)] + ", answered " + e.classes[static_cast<size_t>(p.answer)] +
           " " + number("%.1f %%", 100 * static_cast<double>(p.score));
  std::string text;
  for (size_t k = 0; k < e.classes.size(); ++k) {
    const float t = part.files[p.file].target[k], v = p.values[k];
    if (e.task == Task::multi_label && (t > 0.5f) == label_holds(p, k, e)) continue;
    text += (text.empty() ? "" : ", ") + e.classes[k];
    text +=
        e.task == Task::multi_label
            ? (t > 0.5f ? " missed at " : " wrong at ") + number("%.1f %%", 100 * static_cast<double>(v))
            : " " + number("%.4g", static_cast<double>(v)) + " instead of " + number("%.4g", static_cast<double>(t));
  }
  return text;
}

/// A figure's name and its value for each part.
using Row = std::pair<const char*, std::vector<std::string>>;

}  // namespace

json to_json(const EvaluatedPart& part, size_t mistakes) {
  const Evaluation& e = part.evaluation;
  json result = e.of_classes ? class_figures_json(e) : e.of_labels ? label_figures_json(e) : value_figures_json(e);
  result["task"] = name_of(e.task);
  result["images"] = e.pictures;
  result["classes"] = e.classes;
  result["split"] = part.split;
  json worst = json::array();
  for (const Prediction* p : mistakes_of(part, mistakes)) {
    json one{{"path", part.files[p->file].path}, {"loss", p->loss}};
    if (e.task == Task::classes) {
      one["class"] = e.classes[static_cast<size_t>(p->truth)];
      one["answer"] = e.classes[static_cast<size_t>(p->answer)];
      one["score"] = p->score;
      one["class_score"] = p->truth_score;
    } else {
      one["true"] = part.files[p->file].target;
      one["answered"] = p->values;
    }
    worst.push_back(std::move(one));
  }
  result["mistakes"] = worst;
  return result;
}

void print(const EvaluatedPart& part, size_t mistakes) {
  const Evaluation& e = part.evaluation;
  if (e.of_classes)
    print_classes(e);
  else if (e.of_labels)
    print_labels(e);
  else
    print_values(e);
  const std::vector<const Prediction*> worst = mistakes_of(part, mistakes);
  if (worst.empty()) return;
  std::printf("\n%s (--pictures FILE.csv lists all pictures)\n",
              e.task == Task::regression ? "largest misses" : "worst mistakes");
  for (const Prediction* p : worst)
    std::printf("  %s: %s\n", printable(part.files[p->file].path).c_str(), answer_text(*p, part).c_str());
}

/// The last characters of a name that is too long for a column.
std::string ending_of(const std::string& name, size_t most) {
  return name.size() <= most ? name : "…" + name.substr(name.size() - most + 1);
}

void print_columns(const std::vector<EvaluatedPart>& parts) {
  std::vector<Row> rows;
  const auto row = [&](const char* name, const auto& figure) {
    Row one{name, {}};
    for (const EvaluatedPart& part : parts) one.second.push_back(figure(part.evaluation));
    rows.push_back(std::move(one));
  };
  row("pictures", [](const Evaluation& e) { return std::to_string(e.pictures); });
  const Task task = parts.front().evaluation.task;
  if (task == Task::classes) {
    row("top-1", [](const Evaluation& e) { return percent(e.of_classes->top1); });
    row("  95 % interval", [](const Evaluation& e) {
      const Interval& i = e.of_classes->top1_interval;
      return number("%.2f", 100 * i.low) + " to " + number("%.2f", 100 * i.high);
    });
    row("top-5", [](const Evaluation& e) { return percent(e.of_classes->top5); });
    row("macro F1", [](const Evaluation& e) { return number("%.4f", e.of_classes->macro_f1); });
    row("loss", [](const Evaluation& e) { return number("%.4f", e.of_classes->loss); });
    row("calibration error", [](const Evaluation& e) { return number("%.4f", e.of_classes->calibration_error); });
  } else if (task == Task::multi_label) {
    row("mAP", [](const Evaluation& e) { return percent(e.of_labels->mean_average_precision); });
    row("every label right", [](const Evaluation& e) { return percent(e.of_labels->exact); });
    row("macro F1", [](const Evaluation& e) { return number("%.4f", e.of_labels->macro_f1); });
  } else {
    row("R2", [](const Evaluation& e) { return number("%.4f", e.of_values->r2); });
    row("mean absolute error", [](const Evaluation& e) { return number("%.4g", e.of_values->mean_absolute_error); });
    row("root mean squared", [](const Evaluation& e) { return number("%.4g", e.of_values->root_mean_squared_error); });
  }
  std::printf("%s", padded("", 20).c_str());
  for (const EvaluatedPart& part : parts) std::printf("%18s", ending_of(part.split, 17).c_str());
  std::printf("\n");
  for (const auto& [name, figures] : rows) {
    std::printf("%s", padded(name, 20).c_str());
    for (const std::string& figure : figures) std::printf("%18s", figure.c_str());
    std::printf("\n");
  }
}

}  // namespace graft::app
