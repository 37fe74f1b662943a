#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/cli/account.h"
#include "apps/cli/common.h"
#include "graft/dataset.h"

namespace graft::app {

/// Something about a picture that its owner should look at.
struct Finding {
  /// unreadable | duplicate | near-duplicate | two-classes | leak | label | outlier
  std::string kind;
  std::string path, other;  // the picture, and the one it is like
  std::string part, label;  // where it is, and the class it is said to be
  std::string suggested;    // label: the likelier class
  double score = 0;         // label: probability of the suggested class; outlier: distance over the limit
  std::string text;         // in plain words
};

/// What `graft check` says of a set.
struct DataReport {
  Account account;
  std::vector<std::string> classes;
  std::map<std::string, std::vector<int64_t>> counts;  // part → pictures of each class
  int64_t smallest[2] = {0, 0}, largest[2] = {0, 0};   // width, height of the picture with fewest and most pixels
  int64_t upright = 0, wide = 0, square = 0;           // by orientation
  std::vector<std::string> notes;                      // imbalance, tiny classes
  std::vector<Finding> findings;                       // by kind, the most doubtful labels first
};

/// Looks at every picture of a set; with a model, also for labels that look wrong and pictures like no other. Throws
/// Error.
DataReport check_data(const Dataset& data, const PictureModelOptions& options);

/// The report as text, as JSON, as one HTML file with thumbnails, and as a table of what might be mended
/// (path,kind,class,suggested,text).
void print_report(const DataReport& report);
nlohmann::json report_json(const DataReport& report);
void write_report_page(const DataReport& report, const std::string& title, const std::string& path);
void write_fix_list(const DataReport& report, const std::string& path);

}  // namespace graft::app
