#include "apps/library/pipelines.h"

namespace graft {

std::string place_of(const OnnxModel& model) { return model.path.empty() ? "the model" : model.path; }

TransformContext transform_context(const Preprocessing& p) {
  TransformContext context;
  context.height = p.crop_height;
  context.width = p.crop_width;
  context.short_side = p.resize;
  return context;
}

Normalisation normalisation(const Preprocessing& p) {
  using Colour = Preprocessing::Colour;
  const auto order = p.colour == Colour::grey  ? Normalisation::Order::grey
                     : p.colour == Colour::bgr ? Normalisation::Order::bgr
                                               : Normalisation::Order::rgb;
  return {p.scale, p.mean, p.std, order};
}

Pipeline evaluation_pipeline(const Preprocessing& p) {
  return Pipeline(make_recipe("none", transform_context(p)), normalisation(p), p.crop_height, p.crop_width);
}

}  // namespace graft
