#include "apps/evaluation/evaluation_files.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <numeric>
#include <ostream>
#include <sstream>
#include <system_error>

#include "apps/cli/csv.h"
#include "apps/drawing/chart.h"
#include "runtime/core/atomic_file.h"
#include "runtime/core/error.h"

namespace graft::app {
namespace {

using nlohmann::json;

void check_ending(const std::string& path, const char* setting, const char* one, const char* other) {
  if (!path.ends_with(one) && !path.ends_with(other))
    throw Error("\"" + path + "\" ends in neither " + one + " nor " + other, "choose one of them").about(setting);
  require_writable_place(path);
}

void write_class_table(std::ostream& out, const std::vector<EvaluatedPart>& parts) {
  out << "path,split,class,answer,right,score,class_score,rank,loss\n" << std::setprecision(7);
  for (const EvaluatedPart& part : parts)
    for (const Prediction* p : worst_first(part.evaluation)) {
      const std::vector<std::string>& classes = part.evaluation.classes;
      out << csv_field(part.files[p->file].path) << ',' << part.split << ','
          << csv_field(classes[static_cast<size_t>(p->truth)]) << ','
          << csv_field(classes[static_cast<size_t>(p->answer)]) << ',' << (p->truth == p->answer ? 1 : 0) << ','
          << p->score << ',' << p->truth_score << ',' << p->rank + 1 << ',' << p->loss << '\n';
    }
}

void write_target_table(std::ostream& out, const std::vector<EvaluatedPart>& parts) {
  out << "path,split";
  for (const char* kind : {"true ", ""})
    for (const std::string& name : parts.front().evaluation.classes) out << ',' << csv_field(kind + name);
  out << ",loss\n" << std::setprecision(7);
  for (const EvaluatedPart& part : parts)
    for (const Prediction* p : worst_first(part.evaluation)) {
      const LabelledFile& file = part.files[p->file];
      out << csv_field(file.path) << ',' << part.split;
      for (const auto* values : {&file.target, &p->values})
        for (const float v : *values) out << ',' << v;
      out << ',' << p->loss << '\n';
    }
}

json line_of(const Prediction& p, const EvaluatedPart& part) {
  const Evaluation& e = part.evaluation;
  const LabelledFile& file = part.files[p.file];
  json line{{"path", file.path}, {"split", part.split}, {"loss", p.loss}};
  if (e.task == Task::classes) {
    line["class"] = e.classes[static_cast<size_t>(p.truth)];
    line["answer"] = e.classes[static_cast<size_t>(p.answer)];
    line["right"] = p.truth == p.answer;
    line["score"] = p.score;
    line["class_score"] = p.truth_score;
    line["rank"] = p.rank + 1;
    return line;
  }
  for (size_t k = 0; k < e.classes.size(); ++k) {
    line["true"][e.classes[k]] = file.target[k];
    line[e.task == Task::multi_label ? "scores" : "values"][e.classes[k]] = p.values[k];
  }
  return line;
}

/// The curves of one class or label by its name.
struct NamedCurve {
  std::string name;
  int64_t pictures;
  const std::vector<CurvePoint>* points;
};
std::vector<NamedCurve> curves_of(const Evaluation& e) {
  std::vector<NamedCurve> curves;
  for (size_t k = 0; k < e.classes.size(); ++k) {
    if (e.of_classes && e.of_classes->per_class[k].average_precision)
      curves.push_back({e.classes[k], e.of_classes->per_class[k].pictures, &e.of_classes->per_class[k].curve});
    if (e.of_labels && e.of_labels->per_label[k].average_precision)
      curves.push_back({e.classes[k], e.of_labels->per_label[k].pictures, &e.of_labels->per_label[k].curve});
  }
  return curves;
}

/// What is missed, over what was predicted, for each value.
Chart residuals(const Evaluation& e, const std::vector<LabelledFile>& files) {
  Chart chart{"what the prediction leaves over", "predicted value", {}};
  chart.points = true;
  for (size_t k = 0; k < e.classes.size(); ++k) {
    Chart::Line dots{e.classes[k], {}, {}};
    for (const Prediction& p : e.predictions) {
      dots.x.push_back(static_cast<double>(p.values[k]));
      dots.y.push_back(static_cast<double>(files[p.file].target[k]) - static_cast<double>(p.values[k]));
    }
    chart.lines.push_back(std::move(dots));
  }
  return chart;
}

void write_curve_table(std::ostream& out, const Evaluation& e, const std::vector<LabelledFile>& files) {
  out << std::setprecision(8);
  if (e.task == Task::regression) {
    out << "value,predicted,residual\n";
    for (const Chart::Line& dots : residuals(e, files).lines)
      for (size_t i = 0; i < dots.x.size(); ++i)
        out << csv_field(dots.name) << ',' << dots.x[i] << ',' << dots.y[i] << '\n';
    return;
  }
  out << "class,threshold,true_positive_rate,false_positive_rate,precision\n";
  for (const NamedCurve& curve : curves_of(e))
    for (const CurvePoint& p : *curve.points)
      out << csv_field(curve.name) << ',' << p.threshold << ',' << p.true_positive_rate << ',' << p.false_positive_rate
          << ',' << p.precision << '\n';
}

std::string curve_picture(const Evaluation& e, const std::vector<LabelledFile>& files) {
  if (e.task == Task::regression) return to_svg(residuals(e, files));
  std::vector<NamedCurve> curves = curves_of(e);
  std::stable_sort(curves.begin(), curves.end(),
                   [](const NamedCurve& a, const NamedCurve& b) { return a.pictures > b.pictures; });
  const size_t all = curves.size();
  curves.resize(std::min<size_t>(10, all));
  const std::string which =
      all > curves.size() ? " (the ten classes of " + std::to_string(all) + " with most pictures)" : "";
  Chart roc{"true positive rate" + which, "false positive rate", {}}, precision{"precision", "recall", {}};
  for (const NamedCurve& curve : curves) {
    Chart::Line up{curve.name, {0}, {0}}, down{curve.name, {}, {}};
    for (const CurvePoint& p : *curve.points) {
      up.x.push_back(p.false_positive_rate);
      up.y.push_back(p.true_positive_rate);
      down.x.push_back(p.true_positive_rate);
      down.y.push_back(p.precision);
    }
    roc.lines.push_back(std::move(up));
    precision.lines.push_back(std::move(down));
  }
  return to_svg(std::vector<Chart>{roc, precision});
}

}  // namespace

std::vector<const Prediction*> worst_first(const Evaluation& evaluation) {
  std::vector<const Prediction*> order;
  for (const Prediction& p : evaluation.predictions) order.push_back(&p);
  const auto wrong = [&](const Prediction* p) { return evaluation.task == Task::classes && p->truth != p->answer; };
  std::stable_sort(order.begin(), order.end(), [&](const Prediction* a, const Prediction* b) {
    return wrong(a) != wrong(b) ? wrong(a) : a->loss > b->loss;
  });
  return order;
}

void require_writable_place(const std::string& path) {
  std::error_code code;
  if (std::filesystem::is_directory(path, code))
    throw Error(path + ": is a folder", "name a file", ErrorCode::invalid_argument);
  std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (folder.empty()) folder = ".";
  if (access(folder.c_str(), W_OK) != 0)
    throw Error(path + ": cannot be written (" + std::generic_category().message(errno) + ")",
                "choose a folder you may write to", ErrorCode::io);
}

void check_predictions_path(const std::string& path) {
  check_ending(path, "pictures", ".csv", ".jsonl");
  require_writable_place(path);
}
void check_curves_path(const std::string& path) {
  check_ending(path, "curves", ".csv", ".svg");
  require_writable_place(path);
}

void write_predictions(const std::string& path, const std::vector<EvaluatedPart>& parts) {
  check_predictions_path(path);
  write_atomically(path, [&](std::ostream& out) {
    if (path.ends_with(".jsonl"))
      for (const EvaluatedPart& part : parts)
        for (const Prediction* p : worst_first(part.evaluation))
          out << line_of(*p, part).dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
    else if (parts.front().evaluation.task == Task::classes)
      write_class_table(out, parts);
    else
      write_target_table(out, parts);
  });
}

void write_curves(const std::string& path, const Evaluation& evaluation, const std::vector<LabelledFile>& files) {
  check_curves_path(path);
  write_atomically(path, [&](std::ostream& out) {
    if (path.ends_with(".svg"))
      out << curve_picture(evaluation, files);
    else
      write_curve_table(out, evaluation, files);
  });
}

}  // namespace graft::app
