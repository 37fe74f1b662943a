#include "graft/preprocessing.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "apps/library/pipelines.h"
#include "graft/model.h"
#include "importer/metadata.h"
#include "importer/preprocessing_json.h"
#include "runtime/core/api_boundary.h"
#include "runtime/passes/float_input.h"
#include "runtime/passes/open_shapes.h"

namespace graft {
namespace {

Preprocessing from_file(const std::string& path, const Preprocessing& base) {
  std::ifstream stream(path);
  if (!stream) throw Error(path + ": cannot be opened", "check the path", ErrorCode::not_found);
  std::stringstream text;
  text << stream.rdbuf();
  return with_code(ErrorCode::corrupt_file, [&] {
    return with_place([&] { return path; }, [&] { return preprocessing_from_json(text.str(), base); });
  });
}

Preprocessing resolved(const OnnxModel& model, const PreprocessingSettings& s) {
  const std::string place = place_of(model);
  const OnnxModel::Picture picture = with_place([&] { return place; }, [&] { return model.picture(); });
  if (const Value& input = model.graph.value(model.graph.inputs[0]); first_image_dimension(input) == 1)
    throw Error(place + ": input \"" + input.name + "\" is " + input.shape.str() + ": channels stand last",
                "export it with N×C×H×W; graft infer runs this one on arrays", ErrorCode::unsupported);
  if (picture.channels != 3 && picture.channels != 1) {
    throw Error(place + ": takes " + std::to_string(picture.channels) + " channels, pictures have 3, or 1 in grey",
                "is this the right model?", ErrorCode::unsupported);
  }
  const int64_t height = picture.height > 0 ? picture.height : s.crop > 0 ? s.crop : model.usual_size.height;
  const int64_t width = picture.width > 0 ? picture.width : s.crop > 0 ? s.crop : model.usual_size.width;
  if (s.crop > 0 && (height != s.crop || width != s.crop)) {
    throw Error(place + " takes " + std::to_string(height) + "×" + std::to_string(width),
                "leave " + mention("crop") + " out")
        .about("crop", std::to_string(s.crop));
  }
  Preprocessing p;
  const bool unknown = s.name.empty() || s.name == "auto", takes_bytes = takes_whole_numbers(model.graph);
  if ((s.name.empty() || (takes_bytes && s.name == "auto")) && model.metadata.preprocessing) {
    p = *model.metadata.preprocessing;
    if (picture.height > 0 || s.crop > 0) {
      p.crop_height = height;
      p.crop_width = width;
    }
  } else if (s.name.ends_with(".json")) {
    p = from_file(s.name, named_preprocessing("imagenet", {3, height, width}));
    if ((picture.height > 0 || s.crop > 0) && (p.crop_height != height || p.crop_width != width))
      throw Error(s.name + " crops to " + std::to_string(p.crop_height) + "×" + std::to_string(p.crop_width) + ", " +
                      place + " takes " + std::to_string(height) + "×" + std::to_string(width),
                  "mend its size", ErrorCode::corrupt_file);
  } else {
    p = named_preprocessing(unknown ? "imagenet" : s.name, {picture.channels, height, width});
  }
  replace_what_is_set(s, p);
  if (takes_bytes) {  // no other numbers fit: what is said of them is left out, which the program tells
    p.scale = 1;
    p.mean.fill(0);
    p.std.fill(1);
  }
  if ((p.colour == Preprocessing::Colour::grey) != (picture.channels == 1)) {
    throw Error("the preprocessing makes " + std::string(picture.channels == 1 ? "3 channels" : "1 channel") +
                    " where " + place + " takes " + std::to_string(picture.channels),
                "write another \"colour\" (rgb, bgr, grey)");
  }
  return p;
}

}  // namespace

void replace_what_is_set(const PreprocessingSettings& s, Preprocessing& p) {
  if (s.resize >= 0) {
    p.resize = s.resize;
    p.always_resize = s.resize > 0;
  }
  if (s.interpolation) p.interpolation = *s.interpolation;
  if (s.fit) p.fit = *s.fit;
  if (s.background) p.background = s.background;
  if (s.profiles) p.profiles = *s.profiles;
  if (s.exact_decode) p.exact_decode = *s.exact_decode;
}

Preprocessing preprocessing_for(const Model& model, const PreprocessingSettings& settings) {
  return at_api_boundary([&] { return resolved(model.contents(), settings); });
}

}  // namespace graft
