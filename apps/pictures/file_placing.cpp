#include "apps/pictures/file_placing.h"

#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "runtime/core/error.h"

namespace graft::app {
namespace {

namespace fs = std::filesystem;

/// A label as the name of one folder.
std::string folder_name(std::string label) {
  for (char& c : label)
    if (c == '/' || c == '\0') c = '_';
  if (label.empty() || label == "." || label == "..") label = "_" + label;
  constexpr size_t kLongest = 200;  // bytes; file systems allow 255
  if (label.size() > kLongest) label.resize(kLongest);
  return label;
}

bool same_bytes(const fs::path& a, const fs::path& b) {
  std::error_code code;
  if (fs::file_size(a, code) != fs::file_size(b, code) || code) return false;
  std::ifstream one(a, std::ios::binary), other(b, std::ios::binary);
  return std::equal(std::istreambuf_iterator<char>(one), {}, std::istreambuf_iterator<char>(other), {});
}

/// The first of NAME, NAME-2, NAME-3, … that `take` gets, or that holds the same already.
template <typename Take>
fs::path first_free(const fs::path& folder, const fs::path& file, const Take& take) {
  for (int i = 1;; ++i) {
    const std::string number = i == 1 ? "" : "-" + std::to_string(i);
    fs::path wanted = folder / (file.stem().string() + number + file.extension().string());
    if ((fs::exists(wanted) && same_bytes(wanted, file)) || take(wanted)) return wanted;
  }
}

/// A name for a file that is not whole yet; what is left under it goes with the object.
class Beside {
 public:
  explicit Beside(const fs::path& folder) : path_(folder / (".graft-" + std::to_string(getpid()) + ".part")) {}
  ~Beside() {
    std::error_code code;
    fs::remove(path_, code);
  }
  Beside(const Beside&) = delete;
  Beside& operator=(const Beside&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// Renames without replacing; false where the name is taken.
bool renamed(const fs::path& from, const fs::path& to) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return true;
  if (errno == EEXIST) return false;
  if (errno != EINVAL && errno != ENOSYS)
    throw fs::filesystem_error("cannot be renamed", from, to, std::error_code(errno, std::generic_category()));
  // A file system that cannot promise it: nobody else writes here, so a look before is as good as it gets.
  if (fs::exists(to)) return false;
  fs::rename(from, to);
  return true;
}

}  // namespace

void require_folder(const std::string& folder) {
  std::error_code code;
  fs::create_directories(folder, code);
  if (code)
    throw Error(folder + ": pictures cannot be put into it (" + code.message() + ")",
                "choose a folder you may write to", ErrorCode::io);
}

std::string place_file(const std::string& path, const std::string& folder, const std::string& label, Placing how) {
  const fs::path to = fs::path(folder) / folder_name(label);
  try {
    fs::create_directories(to);
    if (how == Placing::link)
      return first_free(to, path,
                        [&](const fs::path& name) {
                          std::error_code code;
                          fs::create_symlink(fs::absolute(path), name, code);
                          if (code && code != std::errc::file_exists)
                            throw fs::filesystem_error("cannot be linked", name, code);
                          return !code;
                        })
          .string();
    const Beside beside(to);
    fs::copy_file(path, beside.path(), fs::copy_options::overwrite_existing);
    const fs::path placed = first_free(to, path, [&](const fs::path& name) { return renamed(beside.path(), name); });
    if (how == Placing::move && !fs::equivalent(path, placed)) fs::remove(path);
    return placed.string();
  } catch (const fs::filesystem_error& error) {
    throw Error(path + ": cannot be put into " + to.string() + " (" + error.code().message() + ")",
                "choose a folder you may write to", ErrorCode::io);
  }
}

void add_placing(CLI::App& command, PlacingOptions& options, const std::string& help) {
  const auto add = [&](const char* name, Placing how, const std::string& text) {
    command
        .add_option_function<std::string>(
            name,
            [&options, how](const std::string& folder) {
              if (options.how != Placing::none && options.how != how)
                throw CLI::ValidationError("--copy-to, --link-to, --move-to", "leave two of them out");
              options = {how, folder};
            },
            text)
        ->type_name("FOLDER");
  };
  add("--copy-to", Placing::copy, help);
  add("--link-to", Placing::link, "The same with symbolic links");
  add("--move-to", Placing::move, "The same, and they are gone where they were");
}

}  // namespace graft::app
