#include "augment/transforms/autocontrast.h"
#include "augment/transforms/blur.h"
#include "augment/transforms/center_crop.h"
#include "augment/transforms/color_jitter.h"
#include "augment/transforms/crop.h"
#include "augment/transforms/equalize.h"
#include "augment/transforms/erase.h"
#include "augment/transforms/flip.h"
#include "augment/transforms/gray.h"
#include "augment/transforms/jpeg.h"
#include "augment/transforms/lens.h"
#include "augment/transforms/noise.h"
#include "augment/transforms/now_and_then.h"
#include "augment/transforms/pca_lighting.h"
#include "augment/transforms/perspective.h"
#include "augment/transforms/posterize.h"
#include "augment/transforms/randaugment.h"
#include "augment/transforms/resized_crop.h"
#include "augment/transforms/rotate.h"
#include "augment/transforms/sharpness.h"
#include "augment/transforms/shear.h"
#include "augment/transforms/solarize.h"
#include "augment/transforms/stretch.h"
#include "augment/transforms/translate.h"
#include "augment/transforms/trivialaugment.h"

namespace graft {
namespace {

/// Every transform.
using All =
    TypeList<transforms::HorizontalFlip, transforms::VerticalFlip, transforms::PlainCrop, transforms::CenterCrop,
             transforms::ScaleCrop, transforms::ResizedCrop, transforms::Translate, transforms::Rotate,
             transforms::Stretch, transforms::Shear, transforms::Perspective, transforms::LensDistortion,
             transforms::ColourJitter, transforms::PcaLighting, transforms::Grey, transforms::Posterize,
             transforms::Solarize, transforms::AutoContrast, transforms::Equalize, transforms::Sharpness,
             transforms::GaussianBlur, transforms::GaussianNoise, transforms::JpegArtefacts, transforms::RandomErasing,
             transforms::RandAugment, transforms::TrivialAugment>;

template <typename Kind>
TransformPtr make(const typename Kind::Options& options, const TransformContext& context) {
  auto transform = std::make_unique<Kind>(options, context);
  if constexpr (requires { options.probability; })
    if (options.probability < 1)
      return std::make_unique<transforms::NowAndThen>(std::move(transform), options.probability);
  return transform;
}

const Components<TransformPtr, TransformContext>& table() {
  static const Components<TransformPtr, TransformContext> transforms = [] {
    Components<TransformPtr, TransformContext> all("transform", "augment");
    for_each_type(All{}, [&]<typename Kind>() { all.add<Kind>(make<Kind>); });
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
