#pragma once

#include <optional>
#include <vector>

#include "runtime/plan/plan.h"

namespace graft {

/// An inference plan whose outputs hold one row for each row (picture) of input 0. Where the graph cannot run a whole
/// batch, since its exporter fixed it to one picture, it runs one picture after the other; what an output holds is
/// never divided into rows unless its first extent is the batch. Not thread-safe.
class RowPlan {
 public:
  /// `dims.batch`: rows a call. Inputs beyond the first are not served. Throws Error as compile_inference does, and
  /// where an output has no row for each picture even when it runs one by one.
  RowPlan(const Graph& graph, const OpenDims& dims, const Backend& backend, int threads = 0);

  size_t rows() const { return rows_; }
  /// Whether pictures run one after the other, which takes longer than a batch.
  bool one_by_one() const { return one_by_one_; }
  size_t output_count() const { return plan_->output_count(); }
  /// The shape of an output, with all rows.
  Shape shape(size_t output) const;
  /// Elements a row of an output has.
  size_t width(size_t output) const { return widths_[output]; }
  DType dtype(size_t output) const { return plan_->output(output).dtype; }

  /// Runs on `input`: rows() pictures, laid out as plan().input(0) says.
  void forward(const void* input);
  /// Output i: rows() × width(i) elements, each row in the order in which the plan lays it out. Valid until the next
  /// forward().
  const void* output(size_t i) const;
  /// Where output i lies, with all rows: its strides follow the plan's.
  View view(size_t i) const;

  /// The plan beneath, of rows() pictures or of one.
  Plan& plan() { return *plan_; }

 private:
  bool has_rows(int64_t batch) const;
  size_t rows_;
  bool one_by_one_ = false;
  std::optional<Plan> plan_;
  std::vector<size_t> widths_;
  std::vector<std::vector<std::byte>> gathered_;  // outputs, where rows come one by one
};

}  // namespace graft
