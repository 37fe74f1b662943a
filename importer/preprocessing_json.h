#pragma once

#include <string>

#include "graft/preprocessing.h"

namespace graft {

/// Preprocessing as JSON text: what model files carry, and what preprocessing_from_json reads again.
std::string to_json(const Preprocessing& preprocessing);

/// Preprocessing from JSON text. Three kinds are told apart by their keys: graft's own (docs/preprocessing.md),
/// preprocessor_config.json of Hugging Face's image processors, and config.json of timm's networks. What a text leaves
/// out is as in `base`; a resize that nothing is said of is the crop's shorter side over 0.875. Throws Error naming the
/// key that makes no sense, or that is not known (in graft's own).
Preprocessing preprocessing_from_json(const std::string& text, const Preprocessing& base = {});

/// "nearest" | "bilinear" | "bicubic" | "lanczos", as PIL calls them; "crop" | "squash" | "letterbox". Throw Error for
/// other names.
Interpolation interpolation_named(const std::string& name);
Fit fit_named(const std::string& name);
std::string name_of(Interpolation interpolation);
std::string name_of(Fit fit);
/// "#rrggbb", or three numbers in 0…255 with commas between them. Throws Error.
std::array<uint8_t, 3> colour_from_text(const std::string& text);

}  // namespace graft
