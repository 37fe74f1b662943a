#include "runtime/core/registry.h"
#include "augment/transforms/transform.h"

namespace graft {
namespace {

const Registry<TransformPtr, const TransformContext&>& registry() {
  static const Registry<TransformPtr, const TransformContext&> table(
      "transform",
      {
          {"flip", [](const TransformContext&) { return make_flip(); }},
          {"vflip", [](const TransformContext&) { return make_vertical_flip(); }},
          {"crop", [](const TransformContext& c) { return make_random_crop(c); }},
          {"center-crop", [](const TransformContext& c) { return make_center_crop(c); }},
          {"scale-crop", [](const TransformContext& c) { return make_scale_crop(c); }},
          {"resized-crop", [](const TransformContext& c) { return make_resized_crop(c, 0.25f); }},
          {"color-jitter", [](const TransformContext&) { return make_colour_jitter(0.4f, 0.4f, 0.4f, 0.05f); }},
          {"pca-lighting", [](const TransformContext& c) { return make_pca_lighting(c.colour_axes, 0.1f); }},
      });
  return table;
}

}  // namespace

TransformPtr make_transform(const std::string& name, const TransformContext& context) {
  return registry().make(name, context);
}

std::vector<std::string> transform_names() { return registry().names(); }

}  // namespace graft
