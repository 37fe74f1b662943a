#include "finetune/features/feature_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <map>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "runtime/core/error.h"

namespace graft {
namespace {

namespace fs = std::filesystem;

constexpr size_t kPendingBytes = size_t{8} << 20;  // rows that wait to be written

struct Header {
  char magic[8] = {'g', 'r', 'a', 'f', 't', 'f', 'k', '1'};
  uint64_t width = 0;  // floats of a row
  double seconds = 0;  // that a picture takes
  uint64_t reserved[5] = {};
};
static_assert(sizeof(Header) == 64);

struct Record {
  ContentKey key;
  uint64_t check = 0;  // of the row
};
static_assert(sizeof(Record) == 24);

struct KeyHash {
  size_t operator()(const ContentKey& key) const { return static_cast<size_t>(key.low); }
};

/// As ContentKey::text() makes them: whatever else lies in the folder is not ours.
bool is_table_name(const std::string& name) {
  return name.size() == 32 && name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

[[noreturn]] void fail(const std::string& path) {
  throw Error(path + ": " + std::generic_category().message(errno), {}, ErrorCode::io);
}

class Descriptor {
 public:
  /// Makes the file where it is not there; one that may not be written is opened for reading.
  explicit Descriptor(const std::string& path)
      : path_(path), fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
    if (fd_ < 0 && (errno == EACCES || errno == EROFS || errno == EPERM)) {
      const int why = errno;
      writable_ = false;
      fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
      if (fd_ < 0) errno = why;
    }
    if (fd_ < 0) fail(path_);
  }
  ~Descriptor() { ::close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  const std::string& path() const { return path_; }
  int get() const { return fd_; }
  bool writable() const { return writable_; }
  uint64_t size() const {
    struct stat status {};
    if (::fstat(fd_, &status) != 0) fail(path_);
    return static_cast<uint64_t>(status.st_size);
  }
  /// Whether no other program has removed it since it was opened.
  bool is_at_its_name() const {
    struct stat own = {}, named = {};
    return ::fstat(fd_, &own) == 0 && ::stat(path_.c_str(), &named) == 0 && own.st_ino == named.st_ino &&
           own.st_dev == named.st_dev;
  }
  /// False where the file ends before.
  bool read(uint64_t at, void* to, size_t bytes) const {
    for (auto* place = static_cast<char*>(to); bytes > 0;) {
      const ssize_t n = ::pread(fd_, place, bytes, static_cast<off_t>(at));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail(path_);
      if (n == 0) return false;
      place += n, at += static_cast<uint64_t>(n), bytes -= static_cast<size_t>(n);
    }
    return true;
  }
  void write(uint64_t at, const void* from, size_t bytes) const {
    for (const auto* place = static_cast<const char*>(from); bytes > 0;) {
      const ssize_t n = ::pwrite(fd_, place, bytes, static_cast<off_t>(at));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail(path_);
      place += n, at += static_cast<uint64_t>(n), bytes -= static_cast<size_t>(n);
    }
  }

 private:
  std::string path_;
  int fd_;
  bool writable_ = true;
};

/// Another program made room between the opening of a table's two files.
struct Removed {};

/// Holds a file's lock, which a killed holder gives up.
class FileLock {
 public:
  explicit FileLock(const Descriptor& file) : file_(file) {
    while (::flock(file.get(), LOCK_EX) != 0)
      if (errno != EINTR) fail(file.path());
  }
  ~FileLock() { ::flock(file_.get(), LOCK_UN); }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  const Descriptor& file_;
};

}  // namespace

/// The rows of one value.
class StoredFeatures::File {
 public:
  File(const std::string& folder, std::string name, size_t width)
      : name_(std::move(name)),
        keys_(folder + "/" + name_ + ".keys"),
        rows_(folder + "/" + name_ + ".rows"),
        width_(width) {
    const FileLock lock(keys_);
    if (!keys_.is_at_its_name() || !rows_.is_at_its_name()) throw Removed{};
    Header header;
    if (keys_.size() < sizeof header && writable()) {
      header.width = width;
      keys_.write(0, &header, sizeof header);
    }
    if (!keys_.read(0, &header, sizeof header) || std::memcmp(header.magic, Header{}.magic, sizeof header.magic) != 0 ||
        header.width != width)
      throw Error(keys_.path() + ": is not what graft keeps there", "remove it", ErrorCode::corrupt_file);
    seconds_ = header.seconds;
    std::vector<Record> records(std::min(count(), rows_.size() / row_bytes()));
    if (!keys_.read(sizeof header, records.data(), records.size() * sizeof(Record))) records.clear();
    for (size_t i = 0; i < records.size(); ++i) index_.insert_or_assign(records[i].key, Place{i, records[i].check});
    ::futimens(keys_.get(), nullptr);  // used now: others are removed first
  }

  const std::string& name() const { return name_; }
  bool writable() const { return keys_.writable() && rows_.writable(); }
  size_t width() const { return width_; }
  double seconds() const { return seconds_; }

  bool read(const ContentKey& key, float* row) {
    const auto found = index_.find(key);
    if (found == index_.end()) return false;
    if (rows_.read(found->second.row * row_bytes(), row, row_bytes()) &&
        checksum(row, row_bytes()) == found->second.check)
      return true;
    index_.erase(found);  // lost with the power: it is computed and appended again
    return false;
  }

  void add(const ContentKey& key, const float* row) {
    new_rows_.insert(new_rows_.end(), row, row + width_);
    new_records_.push_back({key, checksum(row, row_bytes())});
  }

  void write() {
    if (new_records_.empty()) return;
    const FileLock lock(keys_);
    const uint64_t first = count();  // what a killed writer left behind it is written over
    rows_.write(first * row_bytes(), new_rows_.data(), new_rows_.size() * sizeof(float));
    keys_.write(sizeof(Header) + first * sizeof(Record), new_records_.data(), new_records_.size() * sizeof(Record));
    for (size_t i = 0; i < new_records_.size(); ++i)
      index_.insert_or_assign(new_records_[i].key, Place{first + i, new_records_[i].check});
    forget();
  }

  void forget() {
    new_rows_.clear();
    new_records_.clear();
  }

  void set_seconds(double seconds) {
    seconds_ = seconds;
    keys_.write(offsetof(Header, seconds), &seconds, sizeof seconds);
  }

 private:
  struct Place {
    uint64_t row, check;
  };
  size_t row_bytes() const { return width_ * sizeof(float); }
  uint64_t count() const { return (keys_.size() - sizeof(Header)) / sizeof(Record); }

  std::string name_;
  Descriptor keys_, rows_;
  size_t width_;
  double seconds_ = 0;
  std::unordered_map<ContentKey, Place, KeyHash> index_;
  std::vector<float> new_rows_;
  std::vector<Record> new_records_;
};

std::unique_ptr<StoredFeatures> FeatureFiles::open(const Graph& trunk, const OpenDims& dims,
                                                   const std::vector<size_t>& widths) {
  if (!usable_) return nullptr;
  const auto keys = settings_.output_keys(trunk);
  std::vector<std::unique_ptr<StoredFeatures::File>> outputs;
  try {
    for (size_t o = 0; o < keys.size(); ++o) {
      if (!keys[o] || widths.at(o) == 0) return nullptr;
      const ContentKey name = ContentHasher()
                                  .add(*keys[o])
                                  .add(dims.batch)
                                  .add(dims.height)
                                  .add(dims.width)
                                  .add(std::string_view(settings_.computed_by))
                                  .key();
      fs::create_directories(settings_.folder);
      for (int tries = 0; outputs.size() == o && tries < 10; ++tries) {
        try {
          outputs.push_back(std::make_unique<StoredFeatures::File>(settings_.folder, name.text(), widths[o]));
        } catch (const Removed&) {  // once more, with new files
        }
      }
      if (outputs.size() == o) return nullptr;
    }
  } catch (const fs::filesystem_error& error) {
    trouble_ = settings_.folder + ": " + error.code().message();
    usable_ = false;
  } catch (const std::exception& error) {
    trouble_ = error.what();
    usable_ = false;
  }
  if (!usable_) return nullptr;
  return std::unique_ptr<StoredFeatures>(new StoredFeatures(*this, std::move(outputs)));
}

bool FeatureFiles::make_room(uint64_t more, const std::vector<std::string>& own) {
  struct Table {
    fs::file_time_type used = fs::file_time_type::min();
    uint64_t bytes = 0;
  };
  std::map<std::string, Table> tables;
  uint64_t all = more;
  std::error_code code;
  for (fs::directory_iterator at(settings_.folder, code), end; !code && at != end; at.increment(code)) {
    const fs::directory_entry& entry = *at;
    const fs::path& path = entry.path();
    if ((path.extension() != ".keys" && path.extension() != ".rows") || !is_table_name(path.stem().string())) continue;
    std::error_code gone;
    const uint64_t bytes = entry.file_size(gone);
    if (gone) continue;
    Table& table = tables[path.stem().string()];
    table.bytes += bytes;
    all += bytes;
    if (path.extension() == ".keys") table.used = entry.last_write_time(gone);
  }
  while (all > settings_.limit_bytes) {
    const std::pair<const std::string, Table>* oldest = nullptr;
    for (const auto& table : tables)
      if (std::find(own.begin(), own.end(), table.first) == own.end() &&
          (!oldest || table.second.used < oldest->second.used))
        oldest = &table;
    if (!oldest) return false;
    // Whoever has them open reads on, and what is appended to them goes with them.
    for (const char* ending : {".keys", ".rows"})
      fs::remove(fs::path(settings_.folder) / (oldest->first + ending), code);
    all -= std::min(all, oldest->second.bytes);
    tables.erase(std::string(oldest->first));
  }
  return true;
}

StoredFeatures::StoredFeatures(FeatureFiles& files, std::vector<std::unique_ptr<File>> outputs)
    : files_(files), outputs_(std::move(outputs)) {
  for (const auto& file : outputs_)
    if (!file->writable()) give_up(files_.folder() + ": may not be written, only read");
}

StoredFeatures::~StoredFeatures() { flush(); }

bool StoredFeatures::read(const ContentKey& picture, float* row) {
  bool all = true;
  try {
    for (const auto& file : outputs_) {
      all = all && file->read(picture, row);
      row += file->width();
    }
  } catch (const Error& error) {
    give_up(error.what());
    all = false;
  }
  files_.found_ += all && !files_.own_.contains(name_of(picture));
  return all;
}

std::string StoredFeatures::name_of(const ContentKey& picture) const {
  ContentHasher name;
  for (const auto& file : outputs_) name.add(file->name());
  return name.add(picture).key().text();
}

void StoredFeatures::count_computed(size_t rows) { files_.computed_ += rows; }

void StoredFeatures::add(const ContentKey& picture, const float* row) {
  if (!writes_) return;
  files_.own_.insert(name_of(picture));
  ++pending_rows_;
  for (const auto& file : outputs_) {
    file->add(picture, row);
    row += file->width();
    pending_bytes_ += file->width() * sizeof(float) + sizeof(Record);
  }
  if (pending_bytes_ >= kPendingBytes) flush();
}

void StoredFeatures::flush() {
  if (pending_bytes_ == 0 || !writes_) return;
  std::vector<std::string> own;
  for (const auto& file : outputs_) own.push_back(file->name());
  try {
    if (files_.make_room(pending_bytes_, own)) {
      for (const auto& file : outputs_) file->write();
      files_.kept_ += pending_rows_;
    } else {
      give_up("they would take more than the " + std::to_string(files_.settings_.limit_bytes / 1024) +
              " KiB that they may in " + files_.folder());
    }
  } catch (const std::exception& error) {
    give_up(error.what());
  }
  pending_bytes_ = pending_rows_ = 0;
}

void StoredFeatures::give_up(const std::string& why) {
  writes_ = false;
  if (files_.trouble_.empty()) files_.trouble_ = why;
  for (const auto& file : outputs_) file->forget();
}

double StoredFeatures::seconds_per_picture() const {
  double most = 0;  // another run may have computed some of the outputs alone
  for (const auto& file : outputs_)
    if (std::isfinite(file->seconds())) most = std::max(most, file->seconds());
  return most;
}

void StoredFeatures::set_seconds_per_picture(double seconds) {
  if (!writes_) return;
  try {
    for (const auto& file : outputs_) file->set_seconds(seconds);
  } catch (const Error& error) {
    give_up(error.what());
  }
}

}  // namespace graft
