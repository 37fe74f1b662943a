#include "models/zoo.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numeric>

#include "runtime/core/error.h"

// The two tables, as they stand in models/zoo.
#define GRAFT_EMBED(symbol, path)                                                                               \
  asm(".section .rodata\n.global " #symbol "_begin\n" #symbol "_begin:\n.incbin \"" path "\"\n.global " #symbol \
      "_end\n" #symbol "_end:\n.byte 0\n.previous\n");                                                          \
  extern "C" const char symbol##_begin[], symbol##_end[]
GRAFT_EMBED(graft_zoo_registry, GRAFT_ZOO_FOLDER "/registry.tsv");
GRAFT_EMBED(graft_imagenet_labels, GRAFT_ZOO_FOLDER "/imagenet_labels.txt");
#undef GRAFT_EMBED

namespace graft {
namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

template <typename T>
T number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    throw Error("the table of models holds \"" + std::string(text) + "\" for a number");
  return value;
}

std::array<float, 3> triple(std::string_view text) {
  const auto parts = split(text, ',');
  if (parts.size() != 3) throw Error("the table of models holds \"" + std::string(text) + "\" for three numbers");
  return {number<float>(parts[0]), number<float>(parts[1]), number<float>(parts[2])};
}

std::vector<ZooModel> parsed(std::string_view table) {
  std::vector<ZooModel> models;
  for (std::string_view line : split(table, '\n')) {
    if (line.empty()) continue;
    const auto f = split(line, '\t');
    if (f.size() != 16) throw Error("the table of models has a row of " + std::to_string(f.size()) + " columns");
    models.push_back({f[0], f[1], number<int64_t>(f[2]), f[3], number<int64_t>(f[4]), number<double>(f[5]), f[6], f[7],
                      f[8], f[9], f[10], f[11], number<int64_t>(f[12]), f[13], f[14], f[15]});
  }
  return models;
}

/// Insertions, deletions, replacements. [Levenshtein 1966]
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0]++;
    for (size_t j = 0; j < b.size(); ++j)
      diagonal = std::exchange(row[j + 1], std::min({row[j + 1] + 1, row[j] + 1, diagonal + (a[i] == b[j] ? 0 : 1)}));
  }
  return row.back();
}

}  // namespace

Preprocessing ZooModel::preprocessing() const {
  Preprocessing p;
  p.crop_height = p.crop_width = side;
  // timm rounds the resized side down; torchvision publishes whole sides, of which the ratio was made.
  const double resize = static_cast<double>(side) / crop;
  p.resize = source == "timm" ? static_cast<int64_t>(resize) : std::llround(resize);
  if (fit == "squash") p.fit = Fit::squash;
  p.interpolation = interpolation == "bicubic" ? Interpolation::bicubic : Interpolation::bilinear;
  p.colour = order == "BGR" ? Preprocessing::Colour::bgr : Preprocessing::Colour::rgb;
  p.scale = scale == "1" ? 1.0f : 1.0f / 255;
  p.mean = triple(mean);
  p.std = triple(deviation);
  return p;
}

std::vector<std::string> ZooModel::labels() const { return imagenet_labels(classes); }

std::vector<std::string> imagenet_labels(int64_t classes) {
  if (classes != 1000 && classes != 1001) return {};
  std::vector<std::string> names;
  if (classes == 1001) names.emplace_back("background");
  const std::string_view text(graft_imagenet_labels_begin,
                              static_cast<size_t>(graft_imagenet_labels_end - graft_imagenet_labels_begin));
  for (std::string_view line : split(text, '\n'))
    if (!line.empty()) names.emplace_back(line);
  return names;
}

std::string_view ZooModel::family() const {
  return name.substr(0, std::min(name.find_first_of("0123456789_-."), name.size()));
}

std::string ZooModel::reference() const {
  const bool alone = zoo_models_named(name).size() == 1;
  return "zoo:" + (alone ? "" : std::string(source) + "/") + std::string(name);
}

const std::vector<ZooModel>& zoo_models() {
  static const std::vector<ZooModel> models =
      parsed({graft_zoo_registry_begin, static_cast<size_t>(graft_zoo_registry_end - graft_zoo_registry_begin)});
  return models;
}

std::vector<const ZooModel*> zoo_models_named(std::string_view name) {
  const size_t slash = name.find('/');
  const std::string_view source = slash == std::string_view::npos ? "" : name.substr(0, slash);
  if (slash != std::string_view::npos) name.remove_prefix(slash + 1);
  std::vector<const ZooModel*> found;
  for (const ZooModel& model : zoo_models())
    if (model.name == name && (source.empty() || model.source == source)) found.push_back(&model);
  return found;
}

std::string nearest_zoo_name(std::string_view name) {
  std::string_view nearest;
  size_t least = name.size() / 3 + 2;
  for (const ZooModel& model : zoo_models())
    if (const size_t d = distance(name, model.name); d < least) least = d, nearest = model.name;
  return std::string(nearest);
}

std::vector<const ZooModel*> zoo_models_of_size(int64_t bytes) {
  std::vector<const ZooModel*> found;
  for (const ZooModel& model : zoo_models())
    if (model.bytes == bytes) found.push_back(&model);
  return found;
}

}  // namespace graft
