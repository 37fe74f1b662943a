#include "apps/library/feature_folder.h"

#include <sys/stat.h>

#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <sstream>
#include <unordered_map>

#include "apps/library/device.h"
#include "augment/decode.h"
#include "graft/version.h"
#include "importer/output_keys.h"
#include "importer/preprocessing_json.h"
#include "runtime/core/error.h"
#include "runtime/core/isa.h"
#include "runtime/core/parallel.h"
#include "runtime/core/thread_limit.h"
#include "runtime/cpu/vector/bf16_kernels.h"
#include "runtime/cpu/vector/dot_tiles.h"
#include "runtime/cpu/vector/split_tiles.h"

namespace graft {

namespace {

/// What changes when a file does; of a file in an archive the archive's. Empty for none.
std::string stamp_of(std::string path) {
  struct stat status {};
  while (::stat(path.c_str(), &status) != 0) {
    const size_t slash = path.rfind('/');
    if (slash == std::string::npos || slash == 0) return "";
    path.resize(slash);
  }
  std::ostringstream stamp;
  stamp << status.st_dev << ' ' << status.st_ino << ' ' << status.st_size << ' ' << status.st_mtim.tv_sec << '.'
        << status.st_mtim.tv_nsec << ' ' << status.st_ctim.tv_sec << '.' << status.st_ctim.tv_nsec;
  return stamp.str();
}

/// The stamps of files when this process first read them.
class FirstStamps {
 public:
  /// Whether `stamp` is the file's first, or was found to be now.
  bool holds(const std::string& path, const std::string& stamp) {
    const std::lock_guard lock(mutex_);
    return !stamp.empty() && stamps_.try_emplace(path, stamp).first->second == stamp;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, std::string> stamps_;
};

FirstStamps& first_stamps() {
  static FirstStamps stamps;
  return stamps;
}

}  // namespace

bool is_unchanged(const std::string& path) { return first_stamps().holds(path, stamp_of(path)); }

std::shared_ptr<FeatureFiles> feature_files(const ComputeSettings& settings, const Backend& backend) {
  if (settings.feature_folder.empty()) return nullptr;
  return std::make_shared<FeatureFiles>(FeatureFiles::Settings{
      .folder = settings.feature_folder,
      .limit_bytes = settings.feature_folder_bytes,
      .computed_by = std::string(version()) + ' ' + std::string(backend.name()) + ' ' +
                     precision_of(settings, backend) + ' ' + device_info(settings).description + ' ' +
                     std::to_string(static_cast<int>(cpu::best_isa())) + (cpu::split_tiles() ? " tiles" : "") +
                     (cpu::bf16_kernels() ? " bf16" : "") + (cpu::int8_tiles() ? " int8" : "") + ' ' +
                     std::string(cpu::isa_cap()),
      .output_keys = output_keys});
}

std::string not_kept(const FeatureFiles& files) { return "features are not kept on disk: " + files.trouble(); }

void tell_feature_files(const FeatureFiles& files, Listener& listener) {
  if (files.found() > 0)
    listener.note("features of " + std::to_string(files.found()) + " views were on disk, " +
                  std::to_string(files.computed()) + " were computed: " + files.folder());
  else if (files.kept() > 0)
    listener.note("features are kept for the next run: " + files.folder());
  if (!files.trouble().empty()) listener.note(not_kept(files));
}

std::string pipeline_text(const Preprocessing& preprocessing, const std::string& recipe) {
  return to_json(preprocessing) + '\n' + recipe;
}

std::vector<std::optional<ContentKey>> picture_keys(const std::vector<LoadRequest>& requests,
                                                    const std::string& pipeline, int threads) {
  // Of each file once, however many views of it are asked for.
  std::map<std::string, size_t> places;
  std::vector<const LoadRequest*> files;
  std::vector<size_t> file_of;
  for (const LoadRequest& request : requests) {
    size_t place = files.size();
    if (!request.bytes) place = places.emplace(request.path, place).first->second;
    if (place == files.size()) files.push_back(&request);
    file_of.push_back(place);
  }
  std::vector<std::optional<ContentKey>> contents(files.size());
  std::optional<ThreadLimit> limit;
  if (threads > 0) limit.emplace(threads);
  parallel_for(static_cast<int64_t>(files.size()), 1, [&](int64_t first, int64_t last) {
    for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) {
      try {
        std::vector<uint8_t> read;
        if (!files[i]->bytes) {
          if (!is_unchanged(files[i]->path)) continue;
          read = read_picture_file(files[i]->path);
          if (!is_unchanged(files[i]->path)) continue;  // written to meanwhile
        }
        const std::span<const uint8_t> bytes = files[i]->bytes.value_or(std::span<const uint8_t>(read));
        contents[i] = ContentHasher().bytes(bytes.data(), bytes.size()).key();
      } catch (const Error&) {  // the loader says what is wrong with it
      }
    }
  });
  std::vector<std::optional<ContentKey>> keys(requests.size());
  for (size_t i = 0; i < requests.size(); ++i)
    if (const auto& content = contents[file_of[i]])
      keys[i] = ContentHasher().add(std::string_view(pipeline)).add(requests[i].random_key).add(*content).key();
  return keys;
}

}  // namespace graft
