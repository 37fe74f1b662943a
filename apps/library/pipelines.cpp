#include "apps/library/pipelines.h"

#include <algorithm>
#include <cmath>

#include "augment/test_views.h"

namespace graft {

std::string place_of(const OnnxModel& model) { return model.path.empty() ? "the model" : model.path; }

TransformContext transform_context(const Preprocessing& p) {
  TransformContext context;
  context.height = p.crop_height;
  context.width = p.crop_width;
  context.short_side = p.resize;
  context.sampling.interpolation = p.interpolation;
  context.fit = p.fit;
  context.always_resize = p.always_resize;
  // The mean becomes 0: bars then say as little as padding does.
  for (size_t c = 0; c < 3; ++c) {
    const size_t channel = p.colour == Preprocessing::Colour::bgr ? 2 - c : c;
    context.sampling.fill[c] = p.background
                                   ? (*p.background)[c]
                                   : static_cast<uint8_t>(std::clamp(std::lround(p.mean[channel] / p.scale), 0L, 255L));
  }
  return context;
}

Normalisation normalisation(const Preprocessing& p) {
  using Colour = Preprocessing::Colour;
  const auto order = p.colour == Colour::grey  ? Normalisation::Order::grey
                     : p.colour == Colour::bgr ? Normalisation::Order::bgr
                                               : Normalisation::Order::rgb;
  return {p.scale, p.mean, p.std, order};
}

Pipeline make_pipeline(const std::string& recipe, const TransformContext& context, const Preprocessing& p) {
  return Pipeline(make_recipe(recipe, context), normalisation(p), p.crop_height, p.crop_width,
                  {.profiles = p.profiles, .background = p.background}, p.exact_decode);
}

Pipeline evaluation_pipeline(const Preprocessing& p, const std::string& views) {
  return Pipeline(make_test_views(views, transform_context(p)), normalisation(p), p.crop_height, p.crop_width,
                  {.profiles = p.profiles, .background = p.background}, p.exact_decode);
}

}  // namespace graft
