#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "runtime/core/content_key.h"
#include "runtime/core/graph.h"
#include "runtime/passes/passes.h"

namespace graft {

class StoredFeatures;

/// Features on disk, kept from run to run: a row a picture of each value that a frozen part ends in. What a row is of
/// is its key: the operators and constants that lead to the value, the size of the pictures, what computes them and
/// how many at once, and the pixels that go in. So nothing has to be thrown away when a network, a picture or a setting
/// changes, and any command finds what another computed.
///
/// Each value has two files, NAME.rows and NAME.keys: rows are appended first, then their keys with checksums, so that
/// a killed writer leaves no half row, and several programs may read and append at once. Tables that were not used for
/// longest are removed when all of them would take more than the limit. What may be read and not written is read. What
/// cannot be read or written is told by trouble() and costs no more than time.
class FeatureFiles {
 public:
  struct Settings {
    std::string folder;  // is made where it is not there
    uint64_t limit_bytes = uint64_t{4} << 30;
    /// What computes: another backend, precision or instruction set gives other bits, as another batch does.
    std::string computed_by;
    /// See output_keys (importer).
    std::function<std::vector<std::optional<ContentKey>>(const Graph&)> output_keys;
  };
  explicit FeatureFiles(Settings settings) : settings_(std::move(settings)) {}

  /// The table of a trunk's outputs, of `widths` floats a picture. Null where the outputs have no keys or the folder
  /// cannot be used. The files outlive the table.
  std::unique_ptr<StoredFeatures> open(const Graph& trunk, const OpenDims& dims, const std::vector<size_t>& widths);

  const std::string& folder() const { return settings_.folder; }
  /// Rows that others had kept and this process found; that it computed; and that it kept of those.
  size_t found() const { return found_; }
  size_t computed() const { return computed_; }
  size_t kept() const { return kept_; }
  /// Why nothing could be kept, or read; empty where all went well.
  const std::string& trouble() const { return trouble_; }

 private:
  friend class StoredFeatures;
  /// Whether `more` bytes may be added, after the tables not used for longest are gone. `own`: names that stay.
  bool make_room(uint64_t more, const std::vector<std::string>& own);

  Settings settings_;
  size_t found_ = 0, computed_ = 0, kept_ = 0;
  std::set<std::string> own_;  // rows that this process added, by StoredFeatures::name_of
  bool usable_ = true;         // false once a table could not be opened
  std::string trouble_;
};

/// The rows of one trunk: all its outputs, one behind the other. Not thread-safe.
class StoredFeatures {
 public:
  ~StoredFeatures();
  StoredFeatures(const StoredFeatures&) = delete;
  StoredFeatures& operator=(const StoredFeatures&) = delete;

  /// Fills `row` where the picture has one in all files.
  bool read(const ContentKey& picture, float* row);
  /// Counts rows that had to be computed, kept or not.
  void count_computed(size_t rows);
  /// Takes a row that was computed; written by the next flush, which comes by itself from time to time.
  void add(const ContentKey& picture, const float* row);
  void flush();
  /// What a picture takes to compute, as whoever computed most of them at once had it; 0 where nobody said.
  double seconds_per_picture() const;
  void set_seconds_per_picture(double seconds);

 private:
  friend class FeatureFiles;
  class File;
  StoredFeatures(FeatureFiles& files, std::vector<std::unique_ptr<File>> outputs);
  void give_up(const std::string& why);
  /// Of a row among those of all tables.
  std::string name_of(const ContentKey& picture) const;

  FeatureFiles& files_;
  std::vector<std::unique_ptr<File>> outputs_;
  size_t pending_bytes_ = 0, pending_rows_ = 0;
  bool writes_ = true;
};

}  // namespace graft
