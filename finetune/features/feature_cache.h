#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "finetune/data/sample_source.h"
#include "finetune/features/feature_files.h"
#include "runtime/passes/passes.h"
#include "runtime/plan/plan.h"

namespace graft {

/// The frozen part of a network, run once over pictures; what it makes of each is kept in memory.
class FeatureCache {
 public:
  /// Runs `trunk` over samples of `source`, each in the variants that it is named with. Those that cannot be read are
  /// left out and reported as (index, reason). `progress` gets the number of pictures done. `files`: where rows are
  /// looked for before they are computed, and kept; null: nowhere.
  void fill(const Graph& trunk, const OpenDims& dims, const Backend& backend, int threads, const SampleSource& source,
            const std::vector<SampleRef>& order, size_t batch, FeatureFiles* files,
            const std::function<void(int64_t)>& progress);

  /// What a sample took to compute, with reading; where all were on disk, what whoever computed them said.
  double seconds_per_picture() const { return seconds_per_picture_; }
  /// Samples that could be read in all their variants, ascending.
  const std::vector<int64_t>& samples() const { return samples_; }
  const std::vector<std::pair<int64_t, std::string>>& failures() const { return failures_; }
  /// Whether a sample is there in this variant, and could be read in all of its own.
  bool has(SampleRef sample) const;
  /// Copies boundary value `output` of a sample to `to`.
  void copy(size_t output, SampleRef sample, float* to) const;
  /// Whether the frozen part ran one picture at a time, since its exporter fixed it to that.
  bool one_by_one() const { return one_by_one_; }
  size_t outputs() const { return widths_.size(); }
  size_t width(size_t output) const { return widths_[output]; }
  size_t bytes() const { return data_.size() * sizeof(float); }

 private:
  void add_output(DType dtype, size_t width);
  std::optional<size_t> place_of(SampleRef sample) const;  // in rows_

  std::vector<size_t> widths_;  // floats a sample, by output
  size_t row_ = 0;              // floats a sample, all outputs
  std::vector<uint64_t> variants_;
  int64_t samples_end_ = 0;    // above the largest index
  std::vector<int64_t> rows_;  // variants × samples_end_: the sample's row in data_; -1: none
  bool one_by_one_ = false;
  double seconds_per_picture_ = 0;
  std::vector<float> data_;
  std::vector<int64_t> samples_;
  std::vector<std::pair<int64_t, std::string>> failures_;
};

/// Some of a cache's boundary values, in the order in which a trained part reads them.
struct FeatureRows {
  const FeatureCache* cache = nullptr;  // outlives the rows
  std::vector<size_t> outputs;          // of the cache

  static FeatureRows all_of(const FeatureCache& cache) {
    FeatureRows rows{&cache, {}};
    for (size_t o = 0; o < cache.outputs(); ++o) rows.outputs.push_back(o);
    return rows;
  }
  size_t width(size_t i) const { return cache->width(outputs[i]); }
  void copy(size_t i, SampleRef sample, float* to) const { cache->copy(outputs[i], sample, to); }
};

/// Samples 0 to `count` - 1, all in the first of the variants `first` to `last`, then all in the next.
std::vector<SampleRef> samples_in_variants(int64_t count, uint64_t first, uint64_t last);

/// Floats a sample that the outputs of `trunk` take.
size_t features_per_sample(const Graph& trunk, const OpenDims& dims, const Backend& backend);

}  // namespace graft
