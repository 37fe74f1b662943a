#include "apps/models/model_reference.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <vector>

#include "apps/cli/environment.h"
#include "apps/cli/progress.h"
#include "apps/library/sha256.h"
#include "apps/models/download.h"
#include "models/zoo.h"
#include "runtime/core/error.h"

namespace graft::app {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHub = "https://huggingface.co";
constexpr size_t kLargestText = 16 << 20;

/// The hub and what stands in for it, in the order in which they are tried.
std::vector<std::string> hubs() {
  std::vector<std::string> found;
  std::stringstream mirrors(environment("GRAFT_MIRRORS"));
  for (std::string mirror; mirrors >> mirror;) found.push_back(mirror);
  const std::string endpoint = environment("HF_ENDPOINT");
  if (!endpoint.empty()) found.push_back(endpoint);
  if (found.empty()) found.emplace_back(kHub);
  for (std::string& hub : found)
    while (hub.ends_with("/")) hub.pop_back();
  return found;
}

/// What a reference stands for.
struct Source {
  std::vector<std::string> urls;    // tried in turn
  std::string path;                 // in the cache
  int64_t bytes = 0;                // 0: not known
  std::vector<std::string> sha256;  // of which one must be its own; none: any
  std::vector<const ZooModel*> rows;
  bool of_hub = false;
};

std::vector<std::string> at_hubs(const std::string& url) {
  if (!url.starts_with(kHub)) return {url};
  std::vector<std::string> urls;
  for (const std::string& hub : hubs()) urls.push_back(hub + url.substr(std::string(kHub).size()));
  return urls;
}

std::string path_of(const ZooModel& model) {
  return model_cache() + "/zoo/" + std::string(model.source) + "/" + std::string(model.name) + ".onnx";
}

Source zoo_source(const std::string& name) {
  const auto rows = zoo_models_named(name);
  if (rows.empty()) {
    const std::string nearest =
        nearest_zoo_name(name.substr(name.find('/') == std::string::npos ? 0 : name.find('/') + 1));
    throw Error(
        "zoo:" + name + ": no model has this name",
        nearest.empty() ? "graft pull --list shows all" : "is " + nearest + " meant? graft pull --list shows all",
        ErrorCode::not_found);
  }
  if (rows.size() > 1) {
    std::string names;
    for (const ZooModel* row : rows) names += (names.empty() ? "" : ", ") + row->reference();
    throw Error("zoo:" + name + ": several models have this name", "say which: " + names, ErrorCode::not_found);
  }
  Source source;
  source.rows = rows;
  // Two rows share one address: what comes may be either.
  for (const ZooModel& other : zoo_models())
    if (&other != rows[0] && other.url == rows[0]->url) source.rows.push_back(&other);
  source.urls = at_hubs(std::string(rows[0]->url));
  source.path = path_of(*rows[0]);
  source.bytes = source.rows.size() == 1 ? rows[0]->bytes : 0;
  for (const ZooModel* row : source.rows) source.sha256.emplace_back(row->sha256);
  source.of_hub = true;
  return source;
}

bool is_plain_name(const std::string& text) {
  return !text.empty() && text != "." && text != ".." && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '_' || c == '.';
  });
}

/// A folder's parts, none of which leads out of it.
std::vector<std::string> parts_of(const std::string& text) {
  std::vector<std::string> parts;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, '/');) parts.push_back(part);
  return parts;
}

class Puller {
 public:
  Puller(const PullOptions& options, const CommonOptions& common)
      : options_(options), progress_(common.quiet), quiet_(common.quiet) {}

  Pulled pull(const std::string& reference) {
    const Source source = source_of(reference);
    Pulled pulled;
    pulled.path = source.path;
    if (!source.rows.empty()) pulled.name = source.rows[0]->reference();
    if (!options_.from.empty()) return take_from(source, std::move(pulled));
    if (!options_.again && is_there(source, pulled)) return pulled;
    std::optional<Error> failure;
    for (const std::string& url : source.urls) {
      try {
        return fetch(source, url, pulled);
      } catch (const Error& e) {
        if (url != source.urls.back()) tell(std::string(e.what()) + ": the next mirror is tried");
        failure = e;
      }
    }
    throw *failure;
  }

 private:
  /// Whether the cache has it: under its own name, or under that of the row whose file its address serves.
  bool is_there(const Source& source, Pulled& pulled) const {
    std::vector<std::pair<std::string, std::string>> places{{source.path, pulled.name}};
    for (const ZooModel* row : source.rows) places.emplace_back(path_of(*row), row->reference());
    for (const auto& [path, name] : places) {
      std::error_code error;
      const auto bytes = static_cast<int64_t>(fs::file_size(path, error));
      if (error || (source.bytes > 0 && bytes != source.bytes)) continue;
      if (!options_.sha256.empty() && sha256_of_file(path) != options_.sha256) continue;
      pulled.path = path;
      pulled.name = name;
      pulled.bytes = bytes;
      pulled.was_there = true;
      pulled.verified = !source.sha256.empty();
      return true;
    }
    return false;
  }

  void tell(const std::string& note) {
    if (!quiet_) progress_.line("graft: note: " + note);
  }

  Download request(const std::string& url, bool of_hub) {
    Download d;
    d.url = url;
    d.tries = options_.tries;
    d.first_wait = options_.first_wait;
    d.stalled_after = options_.stalled_after;
    d.note = [this](const std::string& note) { tell(note); };
    // A token is for the hub that it was made for, or the one that its owner named in its place; never for a mirror.
    const std::string endpoint = environment("HF_ENDPOINT");
    if (of_hub && url.starts_with(endpoint.empty() ? std::string(kHub) + "/" : endpoint))
      d.token = environment("HF_TOKEN");
    return d;
  }

  Source source_of(const std::string& reference) {
    Source source;
    if (reference.starts_with("zoo:")) {
      source = zoo_source(reference.substr(4));
    } else if (reference.starts_with("hf:")) {
      source = hub_source(reference);
    } else {
      source.urls = {reference};
      std::string name = reference.substr(0, reference.find_first_of("?#"));
      name = name.substr(name.rfind('/') + 1);
      if (!is_plain_name(name)) name = "model.onnx";
      source.path = model_cache() + "/url/" + sha256_of(reference).substr(0, 16) + "/" + name;
    }
    if (!options_.sha256.empty()) source.sha256 = {options_.sha256};
    return source;
  }

  /// hf:OWNER/REPO[@REVISION][/FILE]
  Source hub_source(const std::string& reference) {
    auto parts = parts_of(reference.substr(3));
    const auto refuse = [&] {
      throw Error(reference + ": is not hf:OWNER/REPO, with @REVISION and /FILE where they are needed", {},
                  ErrorCode::invalid_argument);
    };
    if (parts.size() < 2) refuse();
    std::string revision = "main";
    if (const size_t at = parts[1].find('@'); at != std::string::npos) {
      revision = parts[1].substr(at + 1);
      parts[1].erase(at);
    }
    if (!is_plain_name(revision) || !std::all_of(parts.begin(), parts.end(), is_plain_name)) refuse();
    const std::string repository = parts[0] + "/" + parts[1];
    std::string file;
    for (size_t i = 2; i < parts.size(); ++i) file += (file.empty() ? "" : "/") + parts[i];
    const Entry entry = entry_of(repository, revision, file);
    Source source;
    source.of_hub = true;
    source.bytes = entry.bytes;
    if (!entry.sha256.empty()) source.sha256 = {entry.sha256};
    source.path = model_cache() + "/hf/" + repository + "/" + revision + "/" + entry.file;
    for (const std::string& hub : hubs())
      source.urls.push_back(hub + "/" + repository + "/resolve/" + revision + "/" + entry.file);
    return source;
  }

  struct Entry {
    std::string file, sha256;
    int64_t bytes = 0;
  };

  /// A file of a repository with what its hub says of it; `file` empty: the one model that there is.
  Entry entry_of(const std::string& repository, const std::string& revision, const std::string& file) {
    std::string text;
    std::optional<Error> failure;
    for (const std::string& hub : hubs()) {
      const std::string url = hub + "/api/models/" + repository + "/revision/" + revision + "?blobs=true";
      try {
        text = download_text(request(url, true), kLargestText);
        failure.reset();
        if (!text.empty()) break;  // another mirror may have what this one has not
      } catch (const Error& e) {
        failure = e;
      }
    }
    if (failure) throw *failure;
    if (text.empty()) throw Error("hf:" + repository + ": is not there", "look at its name", ErrorCode::not_found);
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_object() || !json.contains("siblings") || !json["siblings"].is_array())
      throw Error("hf:" + repository + ": the hub's answer lists no files", {}, ErrorCode::corrupt_file);
    std::vector<Entry> models;
    for (const auto& sibling : json["siblings"]) {
      Entry entry;
      if (!sibling.is_object() || !sibling.contains("rfilename") || !sibling["rfilename"].is_string()) continue;
      entry.file = sibling["rfilename"];
      if (file.empty() ? !entry.file.ends_with(".onnx") : entry.file != file) continue;
      const auto path = parts_of(entry.file);
      if (path.empty() || !std::all_of(path.begin(), path.end(), is_plain_name)) continue;
      if (const auto bytes = sibling.find("size"); bytes != sibling.end() && bytes->is_number_unsigned())
        entry.bytes = static_cast<int64_t>(std::min<uint64_t>(bytes->get<uint64_t>(), INT64_MAX));
      if (const auto lfs = sibling.find("lfs"); lfs != sibling.end() && lfs->is_object())
        if (const auto sum = lfs->find("sha256"); sum != lfs->end() && sum->is_string()) entry.sha256 = *sum;
      models.push_back(std::move(entry));
    }
    if (models.size() == 1) return models[0];
    if (models.empty())
      throw Error("hf:" + repository + ": has " + (file.empty() ? "no ONNX file" : "no \"" + file + "\""), {},
                  ErrorCode::not_found);
    for (const Entry& entry : models)
      if (entry.file == "model.onnx" || entry.file == "onnx/model.onnx") return entry;
    std::string names;
    for (const Entry& entry : models) names += (names.empty() ? "" : ", ") + entry.file;
    throw Error("hf:" + repository + ": has several ONNX files", "name one behind it: " + names, ErrorCode::not_found);
  }

  Pulled fetch(const Source& source, const std::string& url, Pulled pulled) {
    Download d = request(url, source.of_hub);
    d.path = source.path;
    d.bytes = source.bytes;
    d.sha256 = source.sha256;
    d.progress = [this](int64_t done, int64_t all) {
      progress_.show("fetching", done >> 20, std::max(all, done) >> 20);
    };
    const Downloaded done = download(d);
    pulled.url = url;
    pulled.bytes = done.bytes;
    pulled.sha256 = done.sha256;
    pulled.tries = done.tries;
    pulled.resumed_at = done.resumed_at;
    pulled.verified = !source.sha256.empty();
    if (!pulled.verified) {
      require_onnx(source.path, url);
      tell("nothing says which checksum the file should have: it has the SHA-256 " + done.sha256);
    }
    return put_in_its_place(source, std::move(pulled));
  }

  /// A page that says that something went wrong is no model, whatever its name.
  static void require_onnx(const std::string& path, const std::string& from) {
    constexpr int kVersionField = 0x08;  // what a ModelProto begins with: its first field, as every writer has it
    std::ifstream file(path, std::ios::binary);
    const bool fits = !path.ends_with(".onnx") || file.get() == kVersionField;
    if (fits) return;
    file.close();
    fs::remove(path);
    throw Error(from + ": what came is no ONNX file", "look at the address in a browser", ErrorCode::corrupt_file);
  }

  /// Of rows that share an address, the checksum says which came.
  Pulled put_in_its_place(const Source& source, Pulled pulled) {
    for (const ZooModel* row : source.rows) {
      if (row->sha256 != pulled.sha256) continue;
      const std::string own = path_of(*row);
      pulled.name = row->reference();
      if (own == pulled.path) break;
      tell("what is served there is " + row->reference() + " by its checksum");
      fs::create_directories(fs::path(own).parent_path());
      fs::rename(pulled.path, own);
      pulled.path = own;
    }
    return pulled;
  }

  Pulled take_from(const Source& source, Pulled pulled) {
    pulled.sha256 = sha256_of_file(options_.from);
    if (!source.sha256.empty() &&
        std::find(source.sha256.begin(), source.sha256.end(), pulled.sha256) == source.sha256.end())
      throw Error(options_.from + ": has the SHA-256 " + pulled.sha256 + ", not " + source.sha256[0],
                  "it is another file", ErrorCode::corrupt_file);
    std::error_code error;
    if (fs::exists(source.path, error) && !options_.again && sha256_of_file(source.path) != pulled.sha256)
      throw Error(source.path + ": is another file", "--again replaces it", ErrorCode::io);
    if (source.sha256.empty()) {
      tell("nothing says which checksum the file should have: it has the SHA-256 " + pulled.sha256);
    }
    fs::create_directories(fs::path(source.path).parent_path());
    const std::string part = source.path + ".part";
    fs::copy_file(options_.from, part, fs::copy_options::overwrite_existing);
    fs::rename(part, source.path);
    pulled.bytes = static_cast<int64_t>(fs::file_size(source.path));
    pulled.verified = !source.sha256.empty();
    return put_in_its_place(source, std::move(pulled));
  }

  PullOptions options_;
  Progress progress_;
  bool quiet_;
};

}  // namespace

std::string model_cache() {
  if (const std::string own = environment("GRAFT_CACHE"); !own.empty()) return own;
  const std::string usual = cache_folder("models");
  if (usual.empty())
    throw Error("there is no folder for models", "name one in the environment variable GRAFT_CACHE", ErrorCode::io);
  return usual;
}

bool is_model_reference(const std::string& text) {
  return text.starts_with("zoo:") || text.starts_with("hf:") || text.starts_with("https://") ||
         text.starts_with("http://");
}

Pulled pull_model(const std::string& reference, const PullOptions& options, const CommonOptions& common) {
  try {
    return Puller(options, common).pull(reference);
  } catch (const fs::filesystem_error& e) {
    throw Error(e.path1().string() + ": cannot be written: " + e.code().message(), {}, ErrorCode::io);
  }
}

std::string local_model(const std::string& text, const CommonOptions& common) {
  return is_model_reference(text) ? pull_model(text, {}, common).path : text;
}

}  // namespace graft::app
