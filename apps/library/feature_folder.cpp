#include "apps/library/feature_folder.h"

#include <map>
#include <optional>
#include <span>

#include "apps/library/device.h"
#include "augment/decode.h"
#include "graft/version.h"
#include "importer/output_keys.h"
#include "importer/preprocessing_json.h"
#include "runtime/core/error.h"
#include "runtime/core/isa.h"
#include "runtime/core/parallel.h"
#include "runtime/core/thread_limit.h"

namespace graft {

std::shared_ptr<FeatureFiles> feature_files(const ComputeSettings& settings, const Backend& backend) {
  if (settings.feature_folder.empty()) return nullptr;
  return std::make_shared<FeatureFiles>(FeatureFiles::Settings{
      .folder = settings.feature_folder,
      .limit_bytes = settings.feature_folder_bytes,
      .computed_by = std::string(version()) + ' ' + std::string(backend.name()) + ' ' +
                     precision_of(settings, backend) + ' ' + std::to_string(static_cast<int>(cpu::best_isa())) + ' ' +
                     std::string(cpu::isa_cap()),
      .output_keys = output_keys});
}

std::string not_kept(const FeatureFiles& files) { return "features are not kept on disk: " + files.trouble(); }

void tell_feature_files(const FeatureFiles& files, Listener& listener) {
  if (files.found() > 0)
    listener.note("features of " + std::to_string(files.found()) + " views were on disk, " +
                  std::to_string(files.computed()) + " were computed: " + files.folder());
  else if (files.computed() > 0 && files.trouble().empty())
    listener.note("features are kept for the next run: " + files.folder());
  if (!files.trouble().empty()) listener.note(not_kept(files));
}

std::string pipeline_text(const Preprocessing& preprocessing, const std::string& recipe, const std::string& views) {
  return to_json(preprocessing) + '\n' + recipe + '\n' + views;
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
        if (!files[i]->bytes) read = read_picture_file(files[i]->path);
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
