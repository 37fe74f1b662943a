#pragma once

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace graft::app {

/// Counters, gauges and histograms as Prometheus reads them [Prometheus text format 0.0.4]. Thread-safe.
class ServerMetrics {
 public:
  using Labels = std::vector<std::pair<std::string, std::string>>;  // name, value

  /// Adds to a counter. `help` of the first call counts.
  void add(const std::string& name, const std::string& help, const Labels& labels, double amount = 1);
  /// Counts a value into a histogram with these upper bounds, ascending.
  void observe(const std::string& name, const std::string& help, const Labels& labels,
               const std::vector<double>& bounds, double value);

  /// All of them, with gauges of now: name, help, labels and value.
  struct Gauge {
    std::string name, help;
    Labels labels;
    double value;
  };
  std::string text(const std::vector<Gauge>& gauges) const;

 private:
  struct Histogram {
    std::vector<double> bounds;
    std::vector<double> counts;  // up to each bound
    double sum = 0, count = 0;
  };
  struct Family {
    std::string help;
    std::map<std::string, double> counters;  // by the text of their labels
    std::map<std::string, Histogram> histograms;
  };
  mutable std::mutex mutex_;
  std::map<std::string, Family> families_;
};

}  // namespace graft::app
