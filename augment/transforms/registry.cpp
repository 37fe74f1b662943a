#include <map>

#include "augment/transforms/transform.h"
#include "runtime/base/error.h"

namespace graft {
namespace {

using Factory = std::function<TransformPtr(const TransformContext&)>;

const std::map<std::string, Factory>& registry() {
  static const std::map<std::string, Factory> table{
      {"flip", [](const TransformContext&) { return make_flip(); }},
      {"vflip", [](const TransformContext&) { return make_vertical_flip(); }},
      {"crop", [](const TransformContext& c) { return make_random_crop(c); }},
      {"center-crop", [](const TransformContext& c) { return make_center_crop(c); }},
      {"scale-crop", [](const TransformContext& c) { return make_scale_crop(c); }},
      {"resized-crop", [](const TransformContext& c) { return make_resized_crop(c, 0.25f); }},
      {"color-jitter", [](const TransformContext&) { return make_colour_jitter(0.4f, 0.4f, 0.4f, 0.05f); }},
      {"pca-lighting", [](const TransformContext& c) { return make_pca_lighting(c.colour_axes, 0.1f); }},
  };
  return table;
}

}  // namespace

TransformPtr make_transform(const std::string& name, const TransformContext& context) {
  const auto it = registry().find(name);
  if (it != registry().end()) return it->second(context);
  std::string known;
  for (const auto& known_name : transform_names()) known += " " + known_name;
  throw Error("unknown transform \"" + name + "\"", "known are" + known);
}

std::vector<std::string> transform_names() {
  std::vector<std::string> names;
  for (const auto& [name, factory] : registry()) names.push_back(name);
  return names;
}

}  // namespace graft
