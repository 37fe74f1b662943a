#include "apps/serve/metrics.h"

#include <sstream>

namespace graft::app {
namespace {

/// `a="b",c="d"`, with the characters escaped that the format wants escaped.
std::string label_text(const ServerMetrics::Labels& labels) {
  std::string text;
  for (const auto& [name, value] : labels) {
    text += (text.empty() ? "" : ",") + name + "=\"";
    for (const char c : value)
      if (c == '\n')
        text += "\\n";
      else if (c == '"' || c == '\\')
        text.append({'\\', c});
      else
        text += c;
    text += '"';
  }
  return text;
}

std::string braced(const std::string& labels) { return labels.empty() ? "" : "{" + labels + "}"; }

}  // namespace

void ServerMetrics::add(const std::string& name, const std::string& help, const Labels& labels, double amount) {
  const std::lock_guard lock(mutex_);
  families_.try_emplace(name, Family{help, {}, {}}).first->second.counters[label_text(labels)] += amount;
}

void ServerMetrics::observe(const std::string& name, const std::string& help, const Labels& labels,
                            const std::vector<double>& bounds, double value) {
  const std::lock_guard lock(mutex_);
  Family& family = families_.try_emplace(name, Family{help, {}, {}}).first->second;
  Histogram& histogram =
      family.histograms.try_emplace(label_text(labels), Histogram{bounds, std::vector<double>(bounds.size()), 0, 0})
          .first->second;
  for (size_t i = 0; i < bounds.size(); ++i) histogram.counts[i] += value <= bounds[i];
  histogram.sum += value;
  ++histogram.count;
}

std::string ServerMetrics::text(const std::vector<Gauge>& gauges) const {
  std::ostringstream out;
  out.precision(15);  // counters grow large
  std::string last;
  for (const Gauge& gauge : gauges) {
    if (gauge.name != last)
      out << "# HELP " << gauge.name << ' ' << gauge.help << "\n# TYPE " << gauge.name << " gauge\n";
    last = gauge.name;
    out << gauge.name << braced(label_text(gauge.labels)) << ' ' << gauge.value << '\n';
  }
  const std::lock_guard lock(mutex_);
  for (const auto& [name, family] : families_) {
    out << "# HELP " << name << ' ' << family.help << "\n# TYPE " << name
        << (family.histograms.empty() ? " counter\n" : " histogram\n");
    for (const auto& [labels, value] : family.counters) out << name << braced(labels) << ' ' << value << '\n';
    for (const auto& [labels, h] : family.histograms) {
      const std::string before = labels.empty() ? "" : labels + ",";
      for (size_t i = 0; i < h.bounds.size(); ++i)
        out << name << "_bucket{" << before << "le=\"" << h.bounds[i] << "\"} " << h.counts[i] << '\n';
      out << name << "_bucket{" << before << "le=\"+Inf\"} " << h.count << '\n'
          << name << "_sum" << braced(labels) << ' ' << h.sum << '\n'
          << name << "_count" << braced(labels) << ' ' << h.count << '\n';
    }
  }
  return out.str();
}

}  // namespace graft::app
