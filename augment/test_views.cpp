#include "augment/test_views.h"

#include <algorithm>
#include <sstream>

#include "augment/transforms/center_crop.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

using transforms::CropPlace;
using transforms::EvaluationCrop;

constexpr int64_t kLargestSide = 16384;

Error wrong(const std::string& text, const std::string& problem) {
  return Error("\"" + text + "\" " + problem,
               "give center, flip, five-crop, ten-crop or multi-scale, with short sides behind it: ten-crop:256:320")
      .about("views");
}

std::vector<int64_t> sides_in(std::istringstream& words, const std::string& text, int64_t least) {
  std::vector<int64_t> sides;
  for (std::string word; std::getline(words, word, ':');) {
    const bool number = !word.empty() && word.size() < 6 &&
                        std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
    const int64_t side = number ? std::stoll(word) : 0;
    if (side < least || side > kLargestSide)
      throw wrong(text,
                  "needs sides from " + std::to_string(least) + ", the crop's, to " + std::to_string(kLargestSide));
    sides.push_back(side);
  }
  return sides;
}

}  // namespace

std::vector<std::vector<TransformPtr>> make_test_views(const std::string& text, const TransformContext& context) {
  if (text.ends_with(':')) throw wrong(text, "ends without a side");
  std::istringstream words(text);
  std::string name = "center";
  if (!text.empty()) std::getline(words, name, ':');
  const bool corners = name == "five-crop" || name == "ten-crop", scales = name == "multi-scale";
  if (!corners && !scales && name != "center" && name != "flip") throw wrong(text, "is no views of a picture");
  const int64_t crop = std::min(context.width, context.height);
  std::vector<int64_t> sides = sides_in(words, text, crop);
  if (context.fit == Fit::letterbox && (corners || scales || !sides.empty()))
    throw Error("letterboxed pictures are whole in every view", "choose center or flip, or another --fit")
        .about("views");
  const bool resized = corners || !sides.empty();  // also what has the crop's size already
  if (sides.empty()) {
    if (scales)  // [Szegedy et al. 2014]'s, for crops of 224
      for (const int64_t side : {256, 288, 320, 352}) sides.push_back((side * crop + 112) / 224);
    else if (corners && context.short_side > 0 && context.short_side <= crop && !context.always_resize)
      sides.push_back(crop * 8 / 7);
    else
      sides.push_back(context.short_side);
  }
  std::vector<CropPlace> places{CropPlace::middle};
  if (corners)
    places = {CropPlace::top_left, CropPlace::top_right, CropPlace::bottom_left, CropPlace::bottom_right,
              CropPlace::middle};
  std::vector<std::vector<TransformPtr>> views;
  for (const int64_t side : sides)
    for (const bool mirrored : {false, true}) {
      if (mirrored && (name == "center" || name == "five-crop")) continue;
      for (const CropPlace place : places) {
        TransformContext own = context;
        own.short_side = side;
        own.always_resize = context.always_resize || resized || scales;
        views.emplace_back();
        views.back().push_back(std::make_unique<EvaluationCrop>(own, place, mirrored));
      }
    }
  return views;
}

}  // namespace graft
