#include "importer/preprocessing_json.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>

#include "runtime/core/error.h"
#include "runtime/core/json_integer.h"

namespace graft {
namespace {

using nlohmann::json;

constexpr int64_t kLargest = 1 << 14;
constexpr double kUsualCropPart = 0.875;

constexpr const char* kColours[] = {"rgb", "bgr", "grey"};                                // Preprocessing::Colour
constexpr const char* kInterpolations[] = {"nearest", "bilinear", "bicubic", "lanczos"};  // Interpolation
constexpr const char* kFits[] = {"crop", "squash", "letterbox"};                          // Fit

template <typename Enum, size_t N>
Enum named(const char* const (&names)[N], const std::string& name, const char* what) {
  const auto it = std::find(std::begin(names), std::end(names), name);
  if (it != std::end(names)) return static_cast<Enum>(it - std::begin(names));
  std::string known;
  for (size_t i = 0; i < N; ++i) known += (i == 0 ? "" : i + 1 == N ? " and " : ", ") + std::string(names[i]);
  throw Error("unknown " + std::string(what) + " \"" + name + "\"", known + " are known");
}

/// Reads what stands under a key of an object, if it is there. Errors name the key.
class Object {
 public:
  explicit Object(const json& object, std::string path = {}) : object_(object), path_(std::move(path)) {
    if (!object.is_object())
      throw Error((path_.empty() ? "" : "\"" + path_ + "\": ") + std::string("is no JSON object"));
  }
  bool has(const char* key) const { return object_.contains(key) && !object_.at(key).is_null(); }
  void read(const char* key, const std::function<void(const json&)>& body) const {
    if (!has(key)) return;
    try {
      body(object_.at(key));
    } catch (const json::exception&) {
      throw Error("\"" + path_ + key + "\" is " + object_.at(key).dump(-1, ' ', false, json::error_handler_t::replace) +
                  ", which makes no sense there");
    } catch (const Error& error) {
      throw Error("\"" + path_ + key + "\": " + error.what());
    }
  }
  void only(std::initializer_list<const char*> known) const {
    for (auto it = object_.begin(); it != object_.end(); ++it)
      if (std::none_of(known.begin(), known.end(), [&](const char* k) { return it.key() == k; }))
        throw Error("\"" + path_ + it.key() + "\" is not known here", "docs/preprocessing.md lists the keys");
  }

 private:
  const json& object_;
  std::string path_;
};

int64_t side(const json& j, int64_t least = 1) {
  const auto n = json_integer(j);
  if (n < least || n > kLargest)
    throw Error("is " + std::to_string(n) + ", sides lie in " + std::to_string(least) + "…" + std::to_string(kLargest));
  return n;
}

float finite(const json& j) {
  const auto v = j.get<double>();
  if (!std::isfinite(static_cast<float>(v))) throw Error("is no finite number");
  return static_cast<float>(v);
}

/// Three numbers, or one for all channels.
std::array<float, 3> channels(const json& j) {
  std::array<float, 3> values{};
  if (j.is_number()) {
    values.fill(finite(j));
    return values;
  }
  if (!j.is_array() || (j.size() != 3 && j.size() != 1))
    throw Error("has " + std::to_string(j.size()) + " numbers where one or three belong");
  for (size_t c = 0; c < 3; ++c) values[c] = finite(j.at(j.size() == 1 ? 0 : c));
  return values;
}

void check_std(const std::array<float, 3>& std) {
  for (const float s : std)
    if (!(s > 0)) throw Error("must be positive");
}

/// height and width of [h, w], a number, or {"height", "width"}.
void read_size(const json& j, int64_t& height, int64_t& width) {
  if (j.is_object()) {
    height = side(j.at("height"));
    width = side(j.at("width"));
  } else if (j.is_array()) {
    if (j.size() != 2) throw Error("has " + std::to_string(j.size()) + " numbers where height and width belong");
    height = side(j.at(0));
    width = side(j.at(1));
  } else {
    height = width = side(j);
  }
}

double crop_part(const json& j) {
  const double part = static_cast<double>(finite(j));
  if (!(part > 0.01 && part <= 1)) throw Error("is " + j.dump() + ", parts lie above 0 and up to 1");
  return part;
}

int64_t usual_resize(const Preprocessing& p, double part = kUsualCropPart) {
  return std::llround(static_cast<double>(std::min(p.crop_height, p.crop_width)) / part);
}

Preprocessing own(const json& j, const Preprocessing& base) {
  const Object object(j);
  object.only({"resize", "crop", "interpolation", "fit", "always_resize", "colour", "scale", "mean", "std",
               "background", "icc", "exact_decode"});
  Preprocessing p = base;
  object.read("crop", [&](const json& v) { read_size(v, p.crop_height, p.crop_width); });
  p.resize = usual_resize(p);
  object.read("resize", [&](const json& v) { p.resize = side(v, 0); });
  object.read("interpolation", [&](const json& v) { p.interpolation = interpolation_named(v.get<std::string>()); });
  object.read("fit", [&](const json& v) { p.fit = fit_named(v.get<std::string>()); });
  object.read("always_resize", [&](const json& v) { p.always_resize = v.get<bool>(); });
  object.read("colour", [&](const json& v) {
    p.colour = named<Preprocessing::Colour>(kColours, v.get<std::string>(), "colour");
  });
  object.read("scale", [&](const json& v) {
    p.scale = finite(v);
    if (!(p.scale > 0)) throw Error("must be positive");
  });
  object.read("mean", [&](const json& v) { p.mean = channels(v); });
  object.read("std", [&](const json& v) { check_std(p.std = channels(v)); });
  object.read("background", [&](const json& v) {
    std::array<uint8_t, 3> colour{};
    for (size_t c = 0; c < 3; ++c) {
      const auto level = json_integer(v.at(c));
      if (level < 0 || level > 255) throw Error("colours lie in 0…255");
      colour[c] = static_cast<uint8_t>(level);
    }
    p.background = colour;
  });
  object.read("icc", [&](const json& v) { p.profiles = v.get<bool>(); });
  object.read("exact_decode", [&](const json& v) { p.exact_decode = v.get<bool>(); });
  return p;
}

/// PIL.Image.Resampling.
Interpolation of_pil(const json& j) {
  switch (json_integer(j)) {
    case 0:
      return Interpolation::nearest;
    case 1:
      return Interpolation::lanczos;
    case 2:
      return Interpolation::bilinear;
    case 3:
      return Interpolation::bicubic;
    default:
      throw Error("is " + j.dump() + "; 0 nearest, 1 lanczos, 2 bilinear and 3 bicubic are known");
  }
}

/// preprocessor_config.json. [transformers: image_processing_utils, convnext and vit image processors]
Preprocessing hugging_face(const json& j, const Preprocessing& base) {
  const Object object(j);
  Preprocessing p = base;
  const auto says = [&](const char* key, bool otherwise) {
    object.read(key, [&](const json& v) { otherwise = v.get<bool>(); });
    return otherwise;
  };
  object.read("resample", [&](const json& v) { p.interpolation = of_pil(v); });
  const bool crops = says("do_center_crop", object.has("crop_size") && !object.has("crop_pct"));
  if (crops) object.read("crop_size", [&](const json& v) { read_size(v, p.crop_height, p.crop_width); });
  for (const char* key : {"do_pad", "do_thumbnail", "do_align_long_axis"})
    if (says(key, false))
      throw Error("\"" + std::string(key) + "\" is not known here", "set it to false if you can do without");
  if (says("do_flip_channel_order", false)) p.colour = Preprocessing::Colour::bgr;
  if (says("do_resize", true)) {
    p.always_resize = true;
    double part = kUsualCropPart;
    object.read("crop_pct", [&](const json& v) { part = crop_part(v); });
    object.read("size", [&](const json& v) {
      const bool deit = j.value("feature_extractor_type", "") == "DeiTFeatureExtractor";  // its number is of both sides
      const bool shortest = (v.is_object() && v.contains("shortest_edge")) || (v.is_number() && object.has("crop_pct"));
      const auto edge_of = [&] { return side(v.is_number() ? v : v.at("shortest_edge")); };
      if (v.is_object() && v.contains("longest_edge") && !shortest)
        throw Error("resizes the longest side, which is not known here",
                    "write \"fit\": \"letterbox\" in graft's own JSON");
      if (shortest && object.has("crop_pct")) {  // ConvNeXT: below 384 resized by the part and cropped, else squashed
        const int64_t edge = edge_of();
        p.crop_height = p.crop_width = edge;
        p.fit = edge < 384 ? Fit::crop : Fit::squash;
        p.resize = edge < 384 ? static_cast<int64_t>(static_cast<double>(edge) / part) : edge;
      } else if (shortest || (v.is_number() && crops && !deit)) {
        p.fit = Fit::crop;
        p.resize = edge_of();
        if (!crops) p.crop_height = p.crop_width = p.resize;
      } else {
        int64_t height = 0, width = 0;
        read_size(v, height, width);
        p.fit = Fit::squash;
        if (!crops) {
          p.crop_height = height;
          p.crop_width = width;
        }
        if (height * p.crop_width != width * p.crop_height)
          throw Error("has other proportions than \"crop_size\"", "write graft's own JSON");
        p.resize = std::min(height, width);
      }
    });
  } else {
    p.resize = 0;
  }
  p.scale = 1;
  if (says("do_rescale", true)) {
    p.scale = 1.0f / 255;
    object.read("rescale_factor", [&](const json& v) {
      p.scale = finite(v);
      if (!(p.scale > 0)) throw Error("must be positive");
    });
  }
  if (says("do_normalize", true)) {
    object.read("image_mean", [&](const json& v) { p.mean = channels(v); });
    object.read("image_std", [&](const json& v) { check_std(p.std = channels(v)); });
  } else {
    p.mean = {0, 0, 0};
    p.std = {1, 1, 1};
  }
  if (says("rescale_offset", false))  // pixels · factor - 1
    for (float& m : p.mean) m += 1;
  return p;
}

/// config.json of a network on the hub, or the pretrained_cfg in it. [timm: data/config.py, data/transforms_factory.py]
Preprocessing timm(const json& whole, const Preprocessing& base) {
  const json& j = whole.contains("pretrained_cfg") ? whole.at("pretrained_cfg") : whole;
  const Object object(j, whole.contains("pretrained_cfg") ? "pretrained_cfg." : "");
  Preprocessing p = base;
  p.scale = 1.0f / 255;
  p.interpolation = Interpolation::bicubic;
  p.always_resize = true;
  object.read("input_size", [&](const json& v) {
    p.crop_height = side(v.at(1));
    p.crop_width = side(v.at(2));
  });
  object.read("interpolation", [&](const json& v) { p.interpolation = interpolation_named(v.get<std::string>()); });
  double part = kUsualCropPart;
  object.read("crop_pct", [&](const json& v) { part = crop_part(v); });
  p.resize = static_cast<int64_t>(std::floor(static_cast<double>(std::min(p.crop_height, p.crop_width)) / part));
  object.read("crop_mode", [&](const json& v) {
    const auto mode = v.get<std::string>();
    if (mode != "center" && mode != "squash" && mode != "border")
      throw Error("is \"" + mode + "\"", "center, squash and border are known");
    p.fit = mode == "center" ? Fit::crop : mode == "squash" ? Fit::squash : Fit::letterbox;
  });
  object.read("mean", [&](const json& v) { p.mean = channels(v); });
  object.read("std", [&](const json& v) { check_std(p.std = channels(v)); });
  return p;
}

Preprocessing read(const json& j, const Preprocessing& base) {
  if (!j.is_object() || j.empty()) throw Error("says nothing", "docs/preprocessing.md lists the keys");
  const auto has = [&](const char* key) { return j.contains(key); };
  if (has("pretrained_cfg") || (has("input_size") && (has("mean") || has("crop_pct")))) return timm(j, base);
  if (has("image_processor_type") || has("feature_extractor_type") || has("image_mean") || has("do_resize") ||
      has("do_normalize") || has("do_center_crop") || has("do_rescale") || has("crop_size") || has("size")) {
    for (const char* key : {"resize", "crop", "colour", "fit", "scale", "mean", "std"})
      if (has(key))
        throw Error("\"" + std::string(key) + "\" is graft's own key among those of Hugging Face",
                    "write one kind alone");
    return hugging_face(j, base);
  }
  return own(j, base);
}

}  // namespace

Interpolation interpolation_named(const std::string& name) {
  const std::string suffix = "-antialiased";  // as older model files say it
  return named<Interpolation>(
      kInterpolations, name.ends_with(suffix) ? name.substr(0, name.size() - suffix.size()) : name, "interpolation");
}

Fit fit_named(const std::string& name) { return named<Fit>(kFits, name, "fit"); }
std::string name_of(Interpolation interpolation) { return kInterpolations[static_cast<size_t>(interpolation)]; }
std::string name_of(Fit fit) { return kFits[static_cast<size_t>(fit)]; }

std::array<uint8_t, 3> colour_from_text(const std::string& text) {
  unsigned red = 0, green = 0, blue = 0;
  int used = 0;
  const bool hex = text.size() == 7 && std::sscanf(text.c_str(), "#%2x%2x%2x%n", &red, &green, &blue, &used) == 3;
  const bool numbers = !hex && std::sscanf(text.c_str(), "%u,%u,%u%n", &red, &green, &blue, &used) == 3;
  if ((!hex && !numbers) || static_cast<size_t>(used) != text.size() || std::max({red, green, blue}) > 255)
    throw Error("\"" + text + "\" is no colour", "write #rrggbb, or 255,255,255");
  return {static_cast<uint8_t>(red), static_cast<uint8_t>(green), static_cast<uint8_t>(blue)};
}

std::string to_json(const Preprocessing& p) {
  json j{{"resize", p.resize},
         {"crop", {p.crop_height, p.crop_width}},
         {"interpolation", name_of(p.interpolation)},
         {"colour", kColours[static_cast<size_t>(p.colour)]},
         {"scale", p.scale},
         {"mean", p.mean},
         {"std", p.std}};
  if (p.fit != Fit::crop) j["fit"] = name_of(p.fit);
  if (p.always_resize) j["always_resize"] = true;
  if (p.background) j["background"] = *p.background;
  if (!p.profiles) j["icc"] = false;
  if (p.exact_decode) j["exact_decode"] = true;
  return j.dump();
}

Preprocessing preprocessing_from_json(const std::string& text, const Preprocessing& base) {
  try {
    return read(json::parse(text), base);
  } catch (const json::exception& e) {
    throw Error("preprocessing: is no JSON (" + std::string(e.what()) + ")");
  } catch (const Error& e) {
    throw Error("preprocessing: " + std::string(e.what()));
  }
}

}  // namespace graft
