#include "apps/common.h"

#include <cmath>
#include <fstream>
#include <iostream>
#include <sstream>

#include "importer/metadata.h"
#include "runtime/core/error.h"

namespace graft::app {

void add_picture_options(CLI::App& command, PictureOptions& o) {
  command.add_option("--preprocess", o.preprocess,
                     "imagenet | tf | caffe | unit | FILE.json (default: what the model says, else imagenet)");
  command.add_option("--resize", o.resize, "Short side before the crop, in pixels (0: no resizing)")
      ->check(CLI::Range(0, 16384));
  command.add_option("--crop", o.crop, "Side of the crop, where the model leaves it open")->check(CLI::Range(1, 16384));
}

void add_picture_model(CLI::App& command, PictureModelOptions& o) {
  add_common(command, o.common);
  add_picture_options(command, o.pictures);
  command.add_option("model", o.model, "ONNX model")->required();
}

Preprocessing resolve_preprocessing(const Model& model, const PictureOptions& o, const CommonOptions& common) {
  const Model::Picture picture = with_place([&] { return model.path; }, [&] { return model.picture(); });
  if (picture.channels != 3 && picture.channels != 1) {
    throw Error(model.path + ": takes " + std::to_string(picture.channels) + " channels, pictures have 3, or 1 in grey",
                "is this the right model?");
  }
  const int64_t height = picture.height > 0 ? picture.height : o.crop > 0 ? o.crop : model.usual_side;
  const int64_t width = picture.width > 0 ? picture.width : o.crop > 0 ? o.crop : model.usual_side;
  if (o.crop > 0 && (height != o.crop || width != o.crop)) {
    throw Error("--crop " + std::to_string(o.crop) + ": " + model.path + " takes " + std::to_string(height) + "×" +
                    std::to_string(width),
                "leave --crop out");
  }
  Preprocessing p;
  if (o.preprocess.empty() && model.metadata.preprocessing) {
    p = *model.metadata.preprocessing;
    if (picture.height > 0 || o.crop > 0) {
      p.crop_height = height;
      p.crop_width = width;
    }
  } else if (o.preprocess.ends_with(".json")) {
    std::ifstream stream(o.preprocess);
    if (!stream) throw Error(o.preprocess + ": cannot be opened", "check the path");
    std::stringstream text;
    text << stream.rdbuf();
    p = preprocessing_from_json(text.str());
  } else {
    p = named_preprocessing(o.preprocess.empty() ? "imagenet" : o.preprocess, {picture.channels, height, width});
    if (o.preprocess.empty() && !common.quiet)
      std::cerr << "graft: note: " << model.path
                << " does not say how its pictures were prepared; taking --preprocess imagenet\n";
  }
  if (o.resize >= 0) p.resize = o.resize;
  if ((p.colour == Preprocessing::Colour::grey) != (picture.channels == 1)) {
    throw Error("the preprocessing makes " + std::string(picture.channels == 1 ? "3 channels" : "1 channel") +
                    " where " + model.path + " takes " + std::to_string(picture.channels),
                "write another \"colour\" (rgb, bgr, grey)");
  }
  return p;
}

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

std::vector<std::string> read_lines(const std::string& path) {
  std::ifstream stream(path);
  if (!stream) throw Error(path + ": cannot be opened", "check the path");
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

}  // namespace graft::app
