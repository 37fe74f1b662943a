#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <ostream>

#include "graft/feature_extractor.h"
#include "runtime/core/api_boundary.h"
#include "runtime/core/atomic_file.h"
#include "runtime/core/npy.h"

namespace graft {
namespace {

std::string folder_of(const std::string& path) { return std::filesystem::path(path).parent_path().filename().string(); }

std::string extension_of(const std::string& path) {
  const std::string extension = std::filesystem::path(path).extension().string();
  if (extension != ".npy" && extension != ".npz" && extension != ".csv")
    throw Error(path + ": unknown format", "end the name in .npy, .npz or .csv", ErrorCode::unsupported);
  return extension;
}

void write_csv(const Features& features, const std::string& path) {
  write_atomically(path, [&](std::ostream& stream) {
    stream << "path,label";
    for (size_t d = 0; d < features.width; ++d) stream << ",f" << d;
    stream << "\n";
    stream.precision(9);
    for (size_t i = 0; i < features.rows; ++i) {
      std::string quoted;
      if (!features.paths.empty())
        for (const char c : features.paths[i]) quoted += c == '"' ? "\"\"" : std::string(1, c);
      stream << '"' << quoted << "\"," << features.labels[i];
      for (const float value : features.row(i)) stream << ',' << value;
      stream << "\n";
    }
  });
}

}  // namespace

std::vector<int64_t> class_labels(const std::vector<std::string>& paths, const std::vector<std::string>& labels) {
  std::map<std::string, int64_t> index;
  for (size_t i = 0; i < labels.size(); ++i) index[labels[i]] = static_cast<int64_t>(i);
  std::vector<std::string> folders;
  for (const std::string& p : paths) folders.push_back(folder_of(p));
  if (std::none_of(folders.begin(), folders.end(), [&](const std::string& f) { return index.contains(f); })) {
    index.clear();
    for (const std::string& f : folders) index[f] = 0;
    if (index.size() < 2) return std::vector<int64_t>(paths.size(), -1);
    int64_t next = 0;
    for (auto& [name, i] : index) i = next++;
  }
  std::vector<int64_t> result;
  for (const std::string& f : folders) result.push_back(index.contains(f) ? index[f] : -1);
  return result;
}

void check_features_path(const std::string& path) {
  at_api_boundary([&] {
    extension_of(path);
    const std::filesystem::path folder = std::filesystem::path(path).parent_path();
    std::error_code code;
    if (!folder.empty() && !std::filesystem::is_directory(folder, code))
      throw Error(path + ": its folder does not exist", "create " + folder.string(), ErrorCode::not_found);
    const std::string place = folder.empty() ? "." : folder.string();
    if (::access(place.c_str(), W_OK) != 0)
      throw Error(path + ": its folder cannot be written to", "choose another", ErrorCode::io);
  });
}

void save_features(const Features& features, const std::string& path) {
  at_api_boundary([&] {
    const std::string extension = extension_of(path);
    if (extension == ".csv") return write_csv(features, path);
    const auto rows = static_cast<int64_t>(features.rows), width = static_cast<int64_t>(features.width);
    const Tensor values = Tensor::copy_of<float>({rows, width}, features.values);
    if (extension == ".npy") {
      write_npy(path, values);
      if (features.paths.empty()) return;
      write_atomically(path + ".paths.txt", [&](std::ostream& stream) {  // a path a row
        for (const std::string& p : features.paths) stream << p << '\n';
      });
      return;
    }
    const Tensor labels = Tensor::copy_of<int64_t>({rows}, features.labels);
    write_npz(path, {{"features", &values}, {"labels", &labels}},
              {{"paths", features.paths}, {"classes", features.classes}});
  });
}

}  // namespace graft
