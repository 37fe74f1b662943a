#include "augment/transforms/color_jitter.h"
#include "augment/transforms/crop.h"
#include "augment/transforms/flip.h"
#include "augment/transforms/pca_lighting.h"
#include "augment/transforms/resized_crop.h"

namespace graft {
namespace {

/// Every transform.
using All =
    TypeList<transforms::HorizontalFlip, transforms::VerticalFlip, transforms::PlainCrop, transforms::CenterCrop,
             transforms::ScaleCrop, transforms::ResizedCrop, transforms::ColourJitter, transforms::PcaLighting>;

const Components<TransformPtr, TransformContext>& table() {
  static const Components<TransformPtr, TransformContext> transforms = [] {
    Components<TransformPtr, TransformContext> all("transform", "augment");
    for_each_type(All{}, [&]<typename Kind>() {
      all.add<Kind>([](const typename Kind::Options& options, const TransformContext& context) -> TransformPtr {
        return std::make_unique<Kind>(options, context);
      });
    });
    return all;
  }();
  return transforms;
}

}  // namespace

TransformPtr make_transform(const Choice& transform, const TransformContext& context) {
  return table().make(transform, context);
}

const std::vector<ComponentInfo>& transform_components() { return table().infos(); }

std::vector<std::string> transform_names() { return table().names(); }

}  // namespace graft
