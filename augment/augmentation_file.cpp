#include <toml++/toml.h>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>

#include "augment/augmentation.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

constexpr int kDeepest = 8;  // groups inside groups

/// Reads [[transform]] tables, each a transform with its settings or a group (`some`, `of`), with `chance` and
/// `weight`.
class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path) {}

  std::vector<AugmentationStep> steps(const toml::table& file) const {
    for (const auto& [key, value] : file)
      if (key.str() != "transform")
        fail(value, "\"" + std::string(key.str()) + "\" is not known here", "begin each transform with [[transform]]");
    const toml::node* list = file.get("transform");
    if (!list) throw Error(path_ + ": holds no transform", "begin each with [[transform]]").about("augment");
    return list_of(*list, 0);
  }

  [[noreturn]] void fail(const toml::source_position& at, const std::string& what, const std::string& hint = {}) const {
    throw Error(path_ + ":" + std::to_string(at.line) + ": " + what, hint).about("augment");
  }

 private:
  [[noreturn]] void fail(const toml::node& node, const std::string& what, const std::string& hint = {}) const {
    fail(node.source().begin, what, hint);
  }

  std::vector<AugmentationStep> list_of(const toml::node& node, int depth) const {
    const toml::array* list = node.as_array();
    if (!list || list->empty()) fail(node, "must be a list of transforms", "[{name = \"flip\"}, {name = \"rotate\"}]");
    if (depth > kDeepest)
      fail(node, "groups lie more than " + std::to_string(kDeepest) + " deep", "put their transforms into one");
    std::vector<AugmentationStep> steps;
    for (const toml::node& one : *list) {
      const toml::table* table = one.as_table();
      if (!table) fail(one, "must be a transform", "{name = \"flip\"}");
      steps.push_back(step_of(*table, depth));
    }
    return steps;
  }

  AugmentationStep step_of(const toml::table& table, int depth) const {
    AugmentationStep step;
    const bool group = table.contains("of");
    if (group == table.contains("name"))
      fail(table, group ? "has a name and \"of\"" : "has no name", "give either name = \"…\" or of = [ … ]");
    if (group) step.of = list_of(*table.get("of"), depth + 1);
    for (const auto& [key, value] : table) {
      const std::string_view name = key.str();
      if (name == "of") continue;
      if (name == "weight" && depth == 0) fail(value, "weight is for transforms in a group", "use chance");
      if (name == "chance")
        step.chance = number(value, name, 0, 1);
      else if (name == "weight")
        step.weight = number(value, name, 0, 1e6);
      else if (name == "name")
        step.transform.name = text_of(value);
      else if (group && name == "some")
        read_some(value, step);
      else if (group)
        fail(value, "a group has no \"" + std::string(name) + "\"", "it has of, some, chance and weight");
      else
        step.transform.values[std::string(name)] = text_of(value);
    }
    const auto drawn =
        std::count_if(step.of.begin(), step.of.end(), [](const AugmentationStep& s) { return s.weight > 0; });
    if (group && drawn < step.most)
      fail(table, std::to_string(step.most) + " of a group are wanted, and " + std::to_string(drawn) + " have a weight",
           "raise a weight or lower some");
    if (!group) check(table, step.transform);
    return step;
  }

  double number(const toml::node& node, std::string_view name, double low, double high) const {
    const auto value = node.value<double>();
    if (!value || !(*value >= low && *value <= high)) {
      std::ostringstream range;
      range << std::string(name) << " must be a number from " << low << " to " << high;
      fail(node, range.str());
    }
    return *value;
  }

  void read_some(const toml::node& node, AugmentationStep& step) const {
    const auto most = static_cast<double>(step.of.size());
    const auto count = [&](const toml::node& from) {
      const double value = number(from, "some", 0, most);
      if (value != std::floor(value)) fail(from, "some must be a whole number");
      return static_cast<int64_t>(value);
    };
    const toml::array* range = node.as_array();
    if (range && range->size() != 2)
      fail(node, "some must be a number or two: the least and the most", "some = [1, 2]");
    step.least = count(range ? *range->get(0) : node);
    step.most = count(range ? *range->get(1) : node);
    if (step.most < 1) fail(node, "some of a group must be at least 1 at most", "use chance");
    if (step.most < step.least) fail(node, "some has its numbers the wrong way round", "some = [1, 2]");
  }

  std::string text_of(const toml::node& node) const {
    if (const auto text = node.value<std::string>()) return *text;
    if (node.is_table() || node.is_array()) fail(node, "a setting must be one value", "write it without brackets");
    if (const auto* whole = node.as_integer()) return std::to_string(whole->get());
    if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
    const auto* real = node.as_floating_point();
    if (!real) fail(node, "must be a number, true, false or a text");
    char text[32];  // the shortest that reads as the same number
    return {text, std::to_chars(text, text + sizeof text, real->get()).ptr};
  }

  /// So that an error names the line.
  void check(const toml::table& table, const Choice& transform) const {
    if (!find_component(transform_components(), transform.name)) {
      std::string known;
      for (const std::string& name : transform_names()) known += " " + name;
      fail(*table.get("name"), "unknown transform \"" + transform.name + "\"", "known are" + known);
    }
    try {
      make_transform(transform, {});
    } catch (const Error& error) {
      const toml::node* setting = table.get(error.setting());
      fail(setting ? *setting : table, error.what());
    }
  }

  const std::string& path_;
};

}  // namespace

std::vector<AugmentationStep> parse_augmentation(const std::string& toml, const std::string& path) {
  const Reader reader(path);
  try {
    return reader.steps(toml::parse(toml));
  } catch (const toml::parse_error& error) {
    reader.fail(error.source().begin, std::string(error.description()));
  }
}

}  // namespace graft
