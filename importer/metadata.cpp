#include "importer/metadata.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "importer/preprocessing_json.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

constexpr const char* kLabels = "graft.labels";
constexpr const char* kPreprocessing = "graft.preprocessing";
constexpr const char* kTask = "graft.task";

using nlohmann::json;

template <typename Body>
auto parsed(const char* what, const std::string& text, Body body) {
  try {
    return body(json::parse(text));
  } catch (const json::exception& e) {
    throw Error(std::string(what) + " is not what graft writes (" + e.what() + ")");
  }
}

/// A Python string's contents; `at` stands on its first quote and goes behind its last. Throws Error where it has none.
std::string python_string(const std::string& text, size_t& at) {
  const char quote = at < text.size() ? text[at] : 0;
  if (quote != '\'' && quote != '"') throw Error("no string");
  std::string contents;
  for (++at; at < text.size() && text[at] != quote; ++at) {
    if (text[at] == '\\' && at + 1 < text.size()) ++at;
    contents += text[at];
  }
  if (at >= text.size()) throw Error("a string without its end");
  ++at;
  return contents;
}

/// {0: 'ant', 1: "bee"} with all numbers from 0 on. Throws Error for anything else.
std::vector<std::string> python_names(const std::string& text) {
  std::vector<std::string> names;
  size_t at = 0;
  const auto skip = [&](const std::string& wanted) {
    while (at < text.size() && text[at] == ' ') ++at;
    if (text.compare(at, wanted.size(), wanted) != 0) throw Error("other text");
    at += wanted.size();
    while (at < text.size() && text[at] == ' ') ++at;
  };
  skip("{");
  while (true) {
    skip(std::to_string(names.size()));
    skip(":");
    names.push_back(python_string(text, at));
    while (at < text.size() && text[at] == ' ') ++at;
    if (at < text.size() && text[at] == '}') return names;
    skip(",");
  }
}

/// Names of classes as other programs leave them: a JSON list, or a Python dictionary. Empty for anything else.
std::vector<std::string> foreign_labels(const std::string& text) {
  const json list = json::parse(text, nullptr, false);
  if (list.is_array() && std::all_of(list.begin(), list.end(), [](const json& j) { return j.is_string(); }))
    return list.get<std::vector<std::string>>();
  try {
    return python_names(text);
  } catch (const Error&) {
    return {};
  }
}

}  // namespace

Metadata metadata_from_properties(const std::map<std::string, std::string>& properties) {
  Metadata metadata;
  for (const auto& [key, value] : properties) {
    if (key == kLabels) {
      metadata.labels = parsed("labels", value, [](const json& j) { return j.get<std::vector<std::string>>(); });
    } else if (key == kPreprocessing) {
      metadata.preprocessing = preprocessing_from_json(value);
    } else if (key == kTask) {
      metadata.task = value;
    } else {
      metadata.other[key] = value;
    }
  }
  for (const char* key : {"names", "labels", "classes", "class_names"})
    if (const auto said = properties.find(key); metadata.labels.empty() && said != properties.end())
      metadata.labels = foreign_labels(said->second);
  return metadata;
}

std::map<std::string, std::string> properties_from_metadata(const Metadata& metadata) {
  auto properties = metadata.other;
  if (!metadata.labels.empty())
    properties[kLabels] = json(metadata.labels).dump(-1, ' ', false, json::error_handler_t::replace);
  if (!metadata.task.empty()) properties[kTask] = metadata.task;
  if (metadata.preprocessing) properties[kPreprocessing] = to_json(*metadata.preprocessing);
  return properties;
}

const std::vector<std::string>& preprocessing_names() {
  static const std::vector<std::string> names{"imagenet", "tf", "unit", "caffe", "raw"};
  return names;
}

Preprocessing named_preprocessing(const std::string& name, const OnnxModel::Picture& picture) {
  const int64_t height = picture.height, width = picture.width;
  if (picture.channels == 1) {  // the mean over the three colours' numbers
    Preprocessing p = named_preprocessing(name, {3, height, width});
    p.colour = Preprocessing::Colour::grey;
    p.mean.fill((p.mean[0] + p.mean[1] + p.mean[2]) / 3);
    p.std.fill((p.std[0] + p.std[1] + p.std[2]) / 3);
    return p;
  }
  Preprocessing p;
  p.crop_height = height;
  p.crop_width = width;
  p.resize = std::llround(static_cast<double>(std::min(height, width)) / 0.875);
  if (name == "imagenet") return p;
  if (name == "tf") {
    p.scale = 1.0f / 127.5f;
    p.mean = {1, 1, 1};
    p.std = {1, 1, 1};
    return p;
  }
  if (name == "caffe") {
    p.colour = Preprocessing::Colour::bgr;
    p.scale = 1;
    p.mean = {104, 117, 123};
    p.std = {1, 1, 1};
    return p;
  }
  if (name == "unit") {
    p.mean = {0, 0, 0};
    p.std = {1, 1, 1};
    return p;
  }
  if (name == "raw") {
    p.scale = 1;
    p.mean = {0, 0, 0};
    p.std = {1, 1, 1};
    return p;
  }
  std::string names;
  for (const std::string& known : preprocessing_names()) names += known + ", ";
  throw Error("unknown preprocessing \"" + name + "\"", "use " + names + "or a JSON file", ErrorCode::not_found);
}

}  // namespace graft
