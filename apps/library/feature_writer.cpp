#include "graft/feature_writer.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "apps/library/features_file.h"
#include "augment/data/file_kinds.h"
#include "runtime/core/api_boundary.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

using nlohmann::json;

constexpr size_t kRowsAtOnce = 64;  // are on the disk together: so many at most are lost

std::string line_of(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace) + '\n'; }

/// Held as long as a writer is: another one's on the same path is an error.
class Lock {
 public:
  explicit Lock(const std::string& path) : file_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
    if (file_ < 0) throw Error(path + ": cannot be created (" + std::strerror(errno) + ")", {}, ErrorCode::io);
    if (::flock(file_, LOCK_EX | LOCK_NB) == 0) return;
    ::close(file_);
    throw Error(path + ": another process writes it", "wait for it, or give another --output", ErrorCode::io);
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  ~Lock() { ::close(file_); }

 private:
  int file_;
};

}  // namespace

/// PATH.part holds rows of float32, one behind the other. PATH.part.rows has a line about the run and then one a row:
/// {"path": …, "class": …}. Of two that were not written to the same end, what both have counts.
struct FeatureWriter::Impl {
  Impl(const std::string& out, const Settings& settings)
      : path(checked(out, settings)),
        part(out + ".part"),
        list(out + ".part.rows"),
        made_by(settings.made_by),
        append(settings.append),
        wanted(settings.pictures.begin(), settings.pictures.end()),
        lock(list) {
    try {
      go_on();
      if (append && pictures.empty() && std::filesystem::exists(path)) take_over(settings.width);
    } catch (...) {
      if (pictures.empty()) remove_parts();
      throw;
    }
  }

  /// Before anything is created.
  static const std::string& checked(const std::string& out, const Settings& settings) {
    check_features_path(out);
    if (settings.width > 0) check_size(out, settings.pictures.size(), settings.width);
    return out;
  }

  /// Reads what an interrupted run left, and opens both files behind it.
  void go_on() {
    std::error_code code;
    const uint64_t bytes = std::filesystem::file_size(part, code);
    std::ifstream lines(list, std::ios::binary);
    std::string line;
    uint64_t list_bytes = 0;
    const json about = std::getline(lines, line) ? json::parse(line, nullptr, false) : json();
    if (!code && about.is_object() && !lines.eof()) {
      width = about.value("width", size_t{0});
      const size_t there = width > 0 ? bytes / (width * sizeof(float)) : 0;
      if (about.value("made_by", "") == made_by) {
        list_bytes = line.size() + 1;
        appended = about.value("kept", size_t{0});
        while (pictures.size() < there && std::getline(lines, line) && !lines.eof()) {
          const json row = json::parse(line, nullptr, false);
          if (!row.is_object()) break;
          remember(path_in(row), row.value("class", ""));
          if (row.value("file", "") != file_state(pictures.back())) changed.insert(pictures.back());
          list_bytes += line.size() + 1;
        }
        // A file that grows begins with all of its own rows, another one with none.
        const bool grows = append && (appended > 0 || std::filesystem::exists(path));
        if (pictures.size() < appended || grows != (appended > 0)) {
          discarded = pictures.size() - std::min(pictures.size(), appended);
          forget();
          appended = 0;
        }
        for (size_t i = appended; i < pictures.size(); ++i)
          if (!counts(pictures[i])) ++discarded;
        if (!pictures.empty() && discarded > 0) {
          drop_unwanted();
          list_bytes = std::filesystem::file_size(list);
        }
        continued = pictures.size() - appended;
      } else {
        discarded = there;
      }
    }
    if (pictures.empty()) width = appended = list_bytes = 0;
    lines.close();
    open(list_bytes);
  }

  void open(uint64_t list_bytes) {
    rows_out.open(part, std::ios::binary | std::ios::app);
    list_out.open(list, std::ios::binary | std::ios::app);
    if (!rows_out || !list_out) fail();
    std::filesystem::resize_file(part, pictures.size() * width * sizeof(float));
    std::filesystem::resize_file(list, list_bytes);
    begun = list_bytes > 0;
  }

  /// Whether a row that an interrupted run left is still what is to be written.
  bool counts(const std::string& picture) const {
    return (wanted.empty() || wanted.contains(picture)) && !changed.contains(picture);
  }
  /// What changes with a file's content; empty for what is no file, as a picture in an archive.
  static std::string file_state(const std::string& picture) {
    std::error_code code;
    const auto size = std::filesystem::file_size(picture, code);
    if (code) return {};
    const auto time = std::filesystem::last_write_time(picture, code);
    return code ? std::string() : std::to_string(size) + ' ' + std::to_string(time.time_since_epoch().count());
  }

  /// Writes both files anew without the rows of pictures that are not wanted.
  void drop_unwanted() {
    const std::vector<std::string> all_pictures = std::exchange(pictures, {}),
                                   all_classes = std::exchange(class_names, {});
    known.clear();
    const std::string beside = part + ".tmp";
    {
      std::ifstream from(part, std::ios::binary);
      std::ofstream to(beside, std::ios::binary | std::ios::trunc);
      std::vector<char> row(width * sizeof(float));
      for (size_t i = 0; i < all_pictures.size(); ++i) {
        if (!from.read(row.data(), static_cast<std::streamsize>(row.size()))) fail_to_read();
        if (i >= appended && !counts(all_pictures[i])) continue;
        to.write(row.data(), static_cast<std::streamsize>(row.size()));
        remember(all_pictures[i], all_classes[i]);
      }
      if (!to.flush()) fail();
    }
    rewrite_list();
    if (std::rename(beside.c_str(), part.c_str()) != 0) fail();
  }

  /// Begins with the rows of the file that is to grow.
  void take_over(size_t expected_width) {
    try {
      read_features(
          path,
          [&](const std::string& maker) {
            if (maker != made_by)
              throw Error("was made by another model or other settings: " + maker, "write to another file",
                          ErrorCode::invalid_argument);
          },
          [&](const FeatureRow& row) {
            if (expected_width > 0 && row.features.size() != expected_width)
              refuse_width(row.features.size(), expected_width);
            add(row.path, row.class_name, row.features);
          });
    } catch (...) {
      forget();
      throw;
    }
    if (pictures.empty()) return;
    appended = pictures.size();
    flush();
    // Only now is it said that these rows are the file's: what was interrupted before begins anew.
    list_out.close();
    rewrite_list();
    list_out.open(list, std::ios::binary | std::ios::app);
    if (!list_out) fail();
  }

  void rewrite_list() const {
    std::ofstream anew(list, std::ios::binary | std::ios::trunc);
    anew << first_line();
    for (size_t i = 0; i < pictures.size(); ++i) anew << row_line(pictures[i], class_names[i]);
    if (!anew.flush()) fail();
  }

  std::string first_line() const { return line_of({{"made_by", made_by}, {"width", width}, {"kept", appended}}); }
  /// Bytes that are no UTF-8 are written as numbers: JSON has no other way to keep them.
  static std::string row_line(const std::string& picture, const std::string& class_name) {
    json row{{"class", class_name}, {"file", file_state(picture)}};
    if (is_utf8(picture))
      row["path"] = picture;
    else
      row["bytes"] = std::vector<uint8_t>(picture.begin(), picture.end());
    return line_of(row);
  }
  static std::string path_in(const json& row) {
    const json bytes = row.value("bytes", json::array());
    if (bytes.empty()) return row.value("path", "");
    std::string picture;
    for (const json& byte : bytes) picture += static_cast<char>(byte.is_number_unsigned() ? byte.get<unsigned>() : 0);
    return picture;
  }
  [[noreturn]] void refuse_width(size_t file, size_t model) const {
    throw Error(
        path + ": its rows have " + std::to_string(file) + " features, this model gives " + std::to_string(model),
        "write to another file", ErrorCode::invalid_argument);
  }

  void add(const std::string& picture, const std::string& class_name, std::span<const float> features) {
    if (!begun) {
      width = features.size();
      list_out << first_line();
      begun = true;
    }
    if (features.size() != width) refuse_width(width, features.size());
    rows_out.write(reinterpret_cast<const char*>(features.data()), static_cast<std::streamsize>(features.size_bytes()));
    list_out << row_line(picture, class_name);
    remember(picture, class_name);
    if (pictures.size() % kRowsAtOnce == 0) flush();
  }

  void flush() {
    if (!rows_out.flush() || !list_out.flush()) fail();
  }

  void each_row(const std::function<void(std::span<const float>)>& use) {
    flush();
    std::ifstream stream(part, std::ios::binary);
    std::vector<float> row(width);
    for (size_t i = 0; i < pictures.size(); ++i) {
      if (!stream.read(reinterpret_cast<char*>(row.data()), static_cast<std::streamsize>(width * sizeof(float))))
        fail_to_read();
      use(row);
    }
  }

  void remove_parts() {
    rows_out.close();
    list_out.close();
    std::remove(part.c_str());
    std::remove(list.c_str());
  }

  void remember(std::string picture, std::string class_name) {
    known.insert(picture);
    pictures.push_back(std::move(picture));
    class_names.push_back(std::move(class_name));
  }
  void forget() {
    known.clear();
    pictures.clear();
    class_names.clear();
  }
  [[noreturn]] void fail_to_read() const {
    throw Error(part + ": cannot be read", "remove it, and extract anew", ErrorCode::io);
  }
  [[noreturn]] void fail() const {
    throw Error(
        part + ": cannot be written (" + std::strerror(errno) + ")",
        errno == ENOSPC ? "free some disk space: the same command goes on where this one ended" : "check the path",
        ErrorCode::io);
  }

  std::string path, part, list, made_by;
  bool append;
  std::unordered_set<std::string> wanted;   // empty: all
  std::unordered_set<std::string> changed;  // pictures whose files are others now
  Lock lock;
  std::ofstream rows_out, list_out;
  std::vector<std::string> pictures, class_names;  // of each row
  std::unordered_set<std::string> known;
  size_t width = 0, appended = 0, continued = 0, discarded = 0;
  bool begun = false;  // the list has its first line
};

FeatureWriter::FeatureWriter(const std::string& path, const Settings& settings)
    : impl_(at_api_boundary([&] { return std::make_unique<Impl>(path, settings); })) {}
FeatureWriter::FeatureWriter(FeatureWriter&&) noexcept = default;
FeatureWriter& FeatureWriter::operator=(FeatureWriter&&) noexcept = default;
FeatureWriter::~FeatureWriter() {
  if (impl_ && impl_->pictures.empty()) impl_->remove_parts();
}

size_t FeatureWriter::kept() const { return impl_->appended; }
size_t FeatureWriter::continued() const { return impl_->continued; }
size_t FeatureWriter::discarded() const { return impl_->discarded; }
bool FeatureWriter::has(const std::string& picture) const { return impl_->known.contains(picture); }
size_t FeatureWriter::rows() const { return impl_->pictures.size(); }
size_t FeatureWriter::width() const { return impl_->width; }

void FeatureWriter::add(const std::string& picture, const std::string& class_name, std::span<const float> features) {
  at_api_boundary([&] { impl_->add(picture, class_name, features); });
}

std::vector<std::string> FeatureWriter::classes(const std::vector<std::string>& labels) const {
  std::vector<int64_t> numbers;
  std::vector<std::string> classes;
  number_classes(impl_->class_names, labels, numbers, classes);
  return classes;
}

Features FeatureWriter::features(const std::vector<std::string>& labels) const {
  return at_api_boundary([&] {
    Features features;
    features.rows = rows();
    features.width = width();
    features.paths = impl_->pictures;
    number_classes(impl_->class_names, labels, features.labels, features.classes);
    impl_->each_row([&](std::span<const float> row) {
      features.indices.push_back(features.indices.size());
      features.values.insert(features.values.end(), row.begin(), row.end());
    });
    return features;
  });
}

void FeatureWriter::finish(const std::vector<std::string>& labels) {
  at_api_boundary([&] {
    if (rows() == 0) throw Error("none of the pictures can be read", {}, ErrorCode::bad_data);
    FeatureTable table{width(), impl_->pictures, {},
                       {},      impl_->made_by,  [this](const auto& use) { impl_->each_row(use); }};
    number_classes(impl_->class_names, labels, table.labels, table.classes);
    write_features(table, impl_->path);
    impl_->remove_parts();
  });
}

}  // namespace graft
