#include "apps/serve/teaching.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "augment/codecs/codec.h"
#include "augment/data/class_folders.h"
#include "augment/data/file_kinds.h"
#include "augment/decode.h"
#include "graft/dataset.h"
#include "graft/error.h"
#include "graft/finetune.h"
#include "runtime/core/atomic_file.h"
#include "runtime/core/content_key.h"

namespace graft::app {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr size_t kLongestName = 100;
constexpr const char* kPrefix = "taught-";  // of every file that is put here; no other is ever taken away

std::span<const uint8_t> as_bytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

/// Whether a class may have this name: a folder of its own, and nothing that leads elsewhere.
bool is_class_name(const std::string& name) {
  return is_utf8(name) && part_named(name).empty() && kind_by_name(name) != FileKind::system && !name.empty() &&
         name.size() <= kLongestName && name[0] != '.' && name[0] != ' ' && name.back() != ' ' &&
         std::none_of(name.begin(), name.end(),
                      [](unsigned char c) { return c < 0x20 || c == 0x7f || c == '/' || c == '\\'; });
}

/// "taught-0123456789abcdef0123456789abcdef.jpeg"
bool is_own_name(const std::string& name) {
  const std::string prefix = kPrefix;
  constexpr size_t kDigits = 32;
  if (!name.starts_with(prefix) || name.size() < prefix.size() + kDigits + 2 || name[prefix.size() + kDigits] != '.')
    return false;
  const auto digits = name.substr(prefix.size(), kDigits), ending = name.substr(prefix.size() + kDigits + 1);
  return digits.find_first_not_of("0123456789abcdef") == std::string::npos &&
         std::all_of(ending.begin(), ending.end(), [](unsigned char c) { return std::isalnum(c); });
}

std::string ending_of(std::span<const uint8_t> bytes) {
  std::string ending;
  if (const Codec* const codec = codec_of(bytes))
    for (const char c : codec->name())
      if (std::isalnum(static_cast<unsigned char>(c)))
        ending += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return ending.empty() ? "picture" : ending;
}

constexpr const char *kOwnFolder = "graft-teach-", *kLock = "lock";

/// Takes away the folders of servers that were killed: nobody holds their locks.
void remove_abandoned() {
  std::error_code code;
  for (fs::directory_iterator at(fs::temp_directory_path(code), code), end; !code && at != end; at.increment(code)) {
    if (!at->path().filename().string().starts_with(kOwnFolder)) continue;
    const int lock = ::open((at->path() / kLock).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (lock < 0) continue;
    std::error_code gone;
    if (::flock(lock, LOCK_EX | LOCK_NB) == 0) fs::remove_all(at->path(), gone);
    ::close(lock);
  }
}

}  // namespace

/// What the page shows while a training goes on.
class Teaching::Told final : public Listener {
 public:
  explicit Told(Teaching& teaching) : teaching_(teaching) {}
  void progress(const std::string& phase, int64_t done, int64_t total) override { tell(phase, done, total); }
  void epoch(const EpochReport& e) override { tell("training", e.epoch, e.epochs); }
  bool stop() override { return teaching_.stop_; }

 private:
  void tell(const std::string& phase, int64_t done, int64_t total) {
    const std::lock_guard lock(teaching_.mutex_);
    teaching_.phase_ = phase;
    teaching_.done_ = done;
    teaching_.total_ = total;
  }
  Teaching& teaching_;
};

Teaching::Teaching(Settings settings) : settings_(std::move(settings)) {
  std::error_code code;
  fs::create_directories(settings_.folder, code);
  if (!fs::is_directory(settings_.folder, code) || ::access(settings_.folder.c_str(), R_OK | W_OK | X_OK) != 0)
    throw Error(settings_.folder + ": is no folder that may be written to", "name another", ErrorCode::io)
        .about("teach");
  for (const auto& [name, contents] : classes())
    if (!part_named(name).empty())
      throw Error(settings_.folder + ": is split already (" + name + ")", "name a folder of classes, or a new one",
                  ErrorCode::bad_data)
          .about("teach");
  remove_abandoned();
  std::string pattern = (fs::temp_directory_path() / (std::string(kOwnFolder) + "XXXXXX")).string();
  if (!::mkdtemp(pattern.data()))
    throw Error(pattern + ": cannot be made", "free room, or set TMPDIR", ErrorCode::io).about("teach");
  own_folder_ = pattern;
  lock_ = ::open((own_folder_ + "/" + kLock).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ::flock(lock_, LOCK_EX | LOCK_NB);
}

Teaching::~Teaching() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
  std::error_code code;
  fs::remove_all(own_folder_, code);
  ::close(lock_);
}

std::map<std::string, Teaching::Contents> Teaching::classes() const {
  std::map<std::string, Contents> found;
  std::error_code code;
  for (fs::directory_iterator folder(settings_.folder, code), end; !code && folder != end; folder.increment(code)) {
    const std::string name = folder->path().filename().string();
    std::error_code own;
    if (name.starts_with(".") || !is_utf8(name) || kind_by_name(name) == FileKind::system || !folder->is_directory(own))
      continue;
    Contents& contents = found[name];
    for (fs::directory_iterator file(folder->path(), own); !own && file != end; file.increment(own)) {
      std::error_code gone;
      if (!file->is_regular_file(gone)) continue;
      ++contents.pictures;
      if (const auto bytes = file->file_size(gone); !gone) contents.bytes += bytes;
    }
  }
  return found;
}

json Teaching::state() const {
  json list = json::array();
  for (const auto& [name, contents] : classes()) list.push_back({{"name", name}, {"pictures", contents.pictures}});
  const std::lock_guard lock(mutex_);
  return {{"classes", list}, {"running", running_}, {"phase", phase_},    {"done", done_},
          {"total", total_}, {"error", error_},     {"trained", trained_}};
}

/// Where the pictures lie is not for everyone who asks.
std::string Teaching::without_folder(std::string text) const {
  for (size_t at = text.find(settings_.folder); at != std::string::npos; at = text.find(settings_.folder))
    text.erase(at, settings_.folder.size() + (text.compare(at + settings_.folder.size(), 1, "/") == 0 ? 1 : 0));
  return text;
}

std::string Teaching::folder_of(const std::string& class_name) const {
  if (!is_class_name(class_name))
    throw Error("no class can be called so",
                "take at most " + std::to_string(kLongestName) +
                    " bytes of letters, digits and spaces, and no name of a part (train, val)");
  return (fs::path(settings_.folder) / class_name).string();
}

std::string Teaching::add(const std::string& class_name, const std::string& bytes) {
  const std::string folder = folder_of(class_name);
  try {
    decode_image(as_bytes(bytes));  // all of it: a picture that breaks off would end every training
  } catch (const Error& error) {
    throw Error(error.what(), {}, ErrorCode::bad_data);
  }
  Contents all;
  for (const auto& [name, contents] : classes()) {
    all.pictures += contents.pictures;
    all.bytes += contents.bytes;
  }
  if (all.pictures >= settings_.most_pictures || all.bytes + bytes.size() > settings_.most_bytes)
    throw Error("there are " + std::to_string(all.pictures) + " pictures already, and no more are taken", {},
                ErrorCode::unsupported);
  std::error_code code;
  fs::create_directories(folder, code);
  if (!fs::is_directory(fs::symlink_status(folder, code))) throw Error("the class cannot be kept", {}, ErrorCode::io);
  const std::string name =
      kPrefix + ContentHasher().bytes(bytes.data(), bytes.size()).key().text() + "." + ending_of(as_bytes(bytes));
  const fs::path path = fs::path(folder) / name;
  if (fs::exists(path, code)) return name;
  try {
    write_atomically(path.string(), [&](std::ostream& stream) {
      stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    });
  } catch (const Error&) {
    fs::remove(folder, code);  // refused where there is something in it
    throw Error("the picture cannot be kept", {}, ErrorCode::io);
  }
  return name;
}

std::vector<std::string> Teaching::pictures(const std::string& class_name) const {
  std::vector<std::pair<fs::file_time_type, std::string>> found;
  std::error_code code;
  const fs::path folder = folder_of(class_name);
  if (!fs::is_directory(fs::symlink_status(folder, code))) return {};
  for (fs::directory_iterator file(folder, code), end; !code && file != end; file.increment(code)) {
    std::error_code gone;
    if (const std::string name = file->path().filename().string(); is_own_name(name))
      found.emplace_back(file->last_write_time(gone), name);
  }
  std::sort(found.begin(), found.end());
  std::vector<std::string> names;
  for (auto& [time, name] : found) names.push_back(std::move(name));
  return names;
}

std::optional<std::string> Teaching::picture(const std::string& class_name, const std::string& picture) const {
  const fs::path folder = folder_of(class_name);
  std::error_code code;
  if (!is_own_name(picture) || !fs::is_directory(fs::symlink_status(folder, code)) ||
      !fs::is_regular_file(fs::symlink_status(folder / picture, code)))
    return std::nullopt;
  std::ifstream stream(folder / picture, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

bool Teaching::remove(const std::string& class_name, const std::string& picture) {
  if (!is_own_name(picture)) return false;
  const fs::path folder = folder_of(class_name);
  std::error_code code;
  if (!fs::is_directory(fs::symlink_status(folder, code)) || !fs::remove(folder / picture, code)) return false;
  fs::remove(folder, code);  // refused where there is something in it
  return true;
}

bool Teaching::start(std::function<void(const std::string& path)> trained) {
  std::unique_lock lock(mutex_);
  if (running_) return false;
  running_ = true;
  stop_ = false;
  error_.clear();
  phase_ = "reading";
  done_ = total_ = 0;
  std::thread before = std::move(thread_);
  lock.unlock();
  if (before.joinable()) before.join();  // it is over
  lock.lock();
  try {
    thread_ = std::thread([this, trained = std::move(trained)] {
      std::string problem;
      try {
        train(trained);
      } catch (const std::exception& error) {
        problem = without_folder(error.what());
      }
      const std::lock_guard own(mutex_);
      error_ = problem;
      phase_.clear();
      running_ = false;
    });
  } catch (const std::system_error&) {
    running_ = false;
    throw Error("no training can be begun now", "try again", ErrorCode::out_of_memory);
  }
  return true;
}

void Teaching::train(const std::function<void(const std::string& path)>& trained) {
  const Model base = Model::load(settings_.base);
  std::vector<std::string> paths, labels;
  for (const auto& [name, contents] : classes()) {
    if (contents.pictures == 0) continue;
    for (const std::string& path : list_pictures({(fs::path(settings_.folder) / name).string()}).paths) {
      paths.push_back(path);
      labels.push_back(name);
    }
  }
  std::map<std::string, size_t> counts;
  for (const std::string& label : labels) ++counts[label];
  if (std::count_if(counts.begin(), counts.end(), [](const auto& one) { return one.second > 1; }) < 2)
    throw Error("two classes with two pictures each are the least", "add pictures", ErrorCode::bad_data);
  const Dataset data = make_dataset(paths, labels);
  FinetuneSettings settings;
  settings.compute = settings_.compute;
  settings.compute.feature_folder = (fs::path(own_folder_) / "features").string();
  settings.preprocessing_is_guess = !base.preprocessing();
  settings.budget_seconds = settings_.budget_seconds;
  Told told(*this);
  const FinetuneResult result = finetune(base, data, settings, &told);
  const std::string path = (fs::path(own_folder_) / "model.onnx").string();
  result.model->save(path);
  trained(path);
  const std::lock_guard lock(mutex_);
  trained_ = {{"accuracy", result.best_score},
              {"pictures", data.validation.size()},
              {"unreadable", result.skipped.size()},
              {"seconds", result.seconds},
              {"conclusion", result.recipe.conclusion}};
}

std::optional<std::string> Teaching::model() const {
  const std::lock_guard lock(mutex_);
  if (trained_.is_null()) return std::nullopt;
  return (fs::path(own_folder_) / "model.onnx").string();
}

}  // namespace graft::app
