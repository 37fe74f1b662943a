#include "augment/data/each_picture.h"
#include "runtime/core/processors.h"

#include <algorithm>
#include <atomic>
#include <thread>

namespace graft {

void each_picture(const std::vector<std::string>& paths, const DecodeOptions& options, int threads,
                  const std::function<void(size_t index, const Image& image)>& use,
                  const std::function<void(size_t index, const std::string& reason)>& failed) {
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i = next++; i < paths.size(); i = next++) {
      try {
        use(i, decode_image(paths[i], options));
      } catch (const std::exception& error) {
        failed(i, error.what());
      }
    }
  };
  const size_t wanted = threads > 0 ? static_cast<size_t>(threads) : static_cast<unsigned>(usable_processors());
  std::vector<std::thread> workers;
  for (size_t i = 0; i < std::min(wanted, paths.size()); ++i) workers.emplace_back(work);
  for (std::thread& worker : workers) worker.join();
}

}  // namespace graft
