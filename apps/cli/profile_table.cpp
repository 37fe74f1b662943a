#include "apps/cli/profile_table.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "runtime/core/graph.h"
#include "runtime/passes/passes.h"

namespace graft::app {
namespace {

struct Row {
  std::string node, type;
  double seconds = 0, multiply_adds = 0, bytes = 0;
};

Row operator+(Row a, const Row& b) {
  a.seconds += b.seconds;
  a.multiply_adds += b.multiply_adds;
  a.bytes += b.bytes;
  return a;
}

Row row_of(const Graph& graph, const Node& node, const StepTime& step) {
  Row row{step.node, step.type, step.seconds, 0, 0};
  std::vector<ValueType> outputs;
  std::set<ValueId> values;
  for (const ValueId id : node.outputs) {
    outputs.push_back(graph.type_of(id));
    values.insert(id);
  }
  for (const ValueId id : node.inputs)
    if (id != kNoValue) values.insert(id);
  for (const ValueId id : values)
    row.bytes +=
        static_cast<double>(graph.value(id).shape.elements()) * static_cast<double>(size_of(graph.value(id).dtype));
  row.multiply_adds = static_cast<double>(node.op->multiply_adds(input_types(graph, node), outputs));
  return row;
}

std::string line_of(const Row& row, double total, const std::optional<MachinePeaks>& peaks) {
  char text[160], rate[24] = "", share[32] = "";
  if (row.multiply_adds > 0) std::snprintf(rate, sizeof rate, "%.1f", 2e-9 * row.multiply_adds / row.seconds);
  if (peaks && row.seconds > 0) {
    const double arithmetic = row.multiply_adds / row.seconds / peaks->multiply_adds,
                 memory = row.bytes / row.seconds / peaks->bytes;
    std::snprintf(share, sizeof share, "%.0f %% of %s", 100 * std::max(arithmetic, memory),
                  arithmetic >= memory ? "arithmetic" : "memory");
  }
  std::snprintf(text, sizeof text, "%9.3f ms %5.1f %% %8s GFLOP/s %8.2f MB  %-18s ", row.seconds * 1e3,
                100 * row.seconds / total, rate, row.bytes / 1e6, share);
  return text;
}

}  // namespace

void write_profile(Plan& plan, const std::optional<MachinePeaks>& peaks, std::ostream& stream) {
  const std::vector<StepTime> steps = plan.profile();
  const Graph& graph = plan.graph();
  std::vector<Row> rows;
  auto node = graph.nodes.begin();  // steps come in the order of the nodes, and leave some out
  double total = 0;
  for (const StepTime& step : steps) {
    while (node != graph.nodes.end() && node->name != step.node) ++node;
    if (node == graph.nodes.end()) break;
    rows.push_back(row_of(graph, *node++, step));
    total += step.seconds;
  }
  std::map<std::string, Row> by_type;
  for (const Row& row : rows) by_type[row.type] = by_type[row.type] + row;
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.seconds > b.seconds; });
  for (const Row& row : rows) stream << line_of(row, total, peaks) << row.type << ' ' << row.node << '\n';
  stream << '\n';
  for (const auto& [type, row] : by_type) stream << line_of(row, total, peaks) << type << '\n';
  if (!peaks) return;
  char text[240];
  std::snprintf(text, sizeof text,
                "\nthis machine at most: %.0f GFLOP/s in float32 tiles, %.1f GB/s of memory\n"
                "(Winograd makes fewer multiply-adds than are counted, and may pass it)\n",
                2e-9 * peaks->multiply_adds, 1e-9 * peaks->bytes);
  stream << text;
}

}  // namespace graft::app
