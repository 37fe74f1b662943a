#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graft/feature_extractor.h"

namespace graft {

/// A features file that is written as features come, one row in memory at a time. Until finish() they stand in
/// PATH.part and PATH.part.rows: a writer for the same path and model goes on where another was interrupted. Nothing
/// may be added after finish().
class FeatureWriter {
 public:
  struct Settings {
    std::string made_by;  // FeatureExtractor::made_by(): rows of another are not mixed with these
    bool append = false;  // the rows of PATH as it is are kept; pictures that it has need not be added
    size_t width = 0;     // of a row, where it is known: PATH's rows must have it
    /// What is to be in PATH, beside what it is appended to: of what an interrupted run left, other pictures are left
    /// out. Empty: all of it counts.
    std::vector<std::string> pictures{};
  };
  /// Throws Error: unsupported for an extension that save_features does not write; for rows of another model, as far as
  /// PATH says of which (.npz does); io; where another process writes to PATH.
  FeatureWriter(const std::string& path, const Settings& settings);
  FeatureWriter(FeatureWriter&&) noexcept;
  FeatureWriter& operator=(FeatureWriter&&) noexcept;
  ~FeatureWriter();

  /// Rows that were there at the beginning: PATH's, and those of an interrupted run.
  size_t kept() const;
  size_t continued() const;
  /// Rows of another model or setting, of other pictures or of files that changed, which an interrupted run had left,
  /// and which are gone.
  size_t discarded() const;
  bool has(const std::string& picture) const;
  size_t rows() const;
  size_t width() const;  // 0 as long as there is no row

  /// `class_name`: of the picture; empty where it is not known. Throws Error: invalid_argument for a row of another
  /// width, io.
  void add(const std::string& picture, const std::string& class_name, std::span<const float> features);
  /// What labels count: `labels` if any class name is among them, else all names, sorted.
  std::vector<std::string> classes(const std::vector<std::string>& labels) const;
  /// Of what was added.
  Features features(const std::vector<std::string>& labels) const;
  /// Writes PATH as save_features does, and removes the others. Throws Error (bad_data) where there are no rows.
  void finish(const std::vector<std::string>& labels);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace graft
