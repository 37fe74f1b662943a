#include "runtime/core/settings.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>

#include "runtime/core/error.h"

namespace graft {
namespace {

template <typename Number>
std::string shortest(Number value) {
  char text[64];
  const Number size = std::fabs(value);
  const bool plain = size == 0 || (size >= Number(1e-4) && size < Number(1e7));  // 100000 and not 1e+05
  const auto end = plain ? std::to_chars(std::begin(text), std::end(text), value, std::chars_format::fixed).ptr
                         : std::to_chars(std::begin(text), std::end(text), value).ptr;
  return std::string(text, end);
}

double number_in(const std::string& name, const std::string& text) {
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    throw Error("\"" + text + "\" is no number").about(name);
  return value;
}

int64_t integer_in(const std::string& name, const std::string& text) {
  int64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size())
    throw Error("\"" + text + "\" is no whole number").about(name);
  return value;
}

bool flag_in(const std::string& name, const std::string& text) {
  if (text == "true" || text == "1" || text == "on" || text == "yes") return true;
  if (text == "false" || text == "0" || text == "off" || text == "no") return false;
  throw Error("\"" + text + "\" is neither true nor false").about(name);
}

std::vector<double> list_in(const std::string& name, const std::string& text) {
  std::vector<double> values;
  std::istringstream words(text);
  for (std::string word; std::getline(words, word, ',');) values.push_back(number_in(name, word));
  return values;
}

std::string interval(double low, double high) {
  const bool below = std::isfinite(low), above = std::isfinite(high);
  if (below && above) return shortest(low) + "…" + shortest(high);
  if (below) return "at least " + shortest(low);
  if (above) return "at most " + shortest(high);
  return {};
}

void require_range(const std::string& name, double value, double low, double high) {
  if (value >= low && value <= high) return;
  throw Error(shortest(value) + " is out of range", "allowed is " + interval(low, high)).about(name);
}

/// Reads a text into a member.
struct Read {
  const std::string &name, &text;
  double low, high;
  void operator()(float* to) const { *to = static_cast<float>(number()); }
  void operator()(double* to) const { *to = number(); }
  void operator()(int* to) const {
    const int64_t value = integer();
    if (value < std::numeric_limits<int>::min() || value > std::numeric_limits<int>::max())
      throw Error(text + " is out of range").about(name);
    *to = static_cast<int>(value);
  }
  void operator()(int64_t* to) const { *to = integer(); }
  void operator()(bool* to) const { *to = flag_in(name, text); }
  void operator()(std::vector<double>* to) const {
    *to = list_in(name, text);
    for (const double value : *to) require_range(name, value, low, high);
  }
  void operator()(std::string* to) const { *to = text; }

 private:
  double number() const {
    const double value = number_in(name, text);
    require_range(name, value, low, high);
    return value;
  }
  int64_t integer() const {
    const int64_t value = integer_in(name, text);
    require_range(name, static_cast<double>(value), low, high);
    return value;
  }
};

struct Print {
  std::string operator()(const float* v) const { return shortest(*v); }
  std::string operator()(const double* v) const { return shortest(*v); }
  std::string operator()(const int* v) const { return std::to_string(*v); }
  std::string operator()(const int64_t* v) const { return std::to_string(*v); }
  std::string operator()(const bool* v) const { return *v ? "true" : "false"; }
  std::string operator()(const std::vector<double>* v) const {
    std::string text;
    for (const double value : *v) text += (text.empty() ? "" : ",") + shortest(value);
    return text;
  }
  std::string operator()(const std::string* v) const { return *v; }
};

struct KindOf {
  SettingKind operator()(const float*) const { return SettingKind::number; }
  SettingKind operator()(const double*) const { return SettingKind::number; }
  SettingKind operator()(const int*) const { return SettingKind::integer; }
  SettingKind operator()(const int64_t*) const { return SettingKind::integer; }
  SettingKind operator()(const bool*) const { return SettingKind::flag; }
  SettingKind operator()(const std::vector<double>*) const { return SettingKind::list; }
  SettingKind operator()(const std::string*) const { return SettingKind::text; }
};

}  // namespace

const char* name_of(SettingKind kind) {
  switch (kind) {
    case SettingKind::number:
      return "number";
    case SettingKind::integer:
      return "integer";
    case SettingKind::flag:
      return "flag";
    case SettingKind::list:
      return "list";
    case SettingKind::text:
      break;
  }
  return "text";
}

void SettingLister::visit(const std::string& name, const Member& member, const SettingTraits& traits) {
  found.push_back({name, std::visit(KindOf{}, member), std::visit(Print{}, member), traits.low, traits.high,
                   traits.unit, traits.help});
}

void SettingPrinter::visit(const std::string& name, const Member& member, const SettingTraits&) {
  found[name] = std::visit(Print{}, member);
}

void SettingReader::visit(const std::string& name, const Member& member, const SettingTraits& traits) {
  known_.push_back(name);
  const auto value = left_.extract(name);
  if (value.empty()) return;
  std::visit(Read{name, value.mapped(), traits.low, traits.high}, member);
}

void SettingReader::expect_all_read(const std::string& owner) const {
  if (left_.empty()) return;
  std::string known;
  for (const std::string& name : known_) known += (known.empty() ? "" : ", ") + mention(name);
  throw Error("is not a setting of " + owner, known.empty() ? "it has none" : "it has " + known)
      .about(left_.begin()->first);
}

void check_setting(const SettingInfo& setting, const std::string& text) {
  double number = 0;
  int64_t integer = 0;
  bool flag = false;
  std::vector<double> list;
  std::string any;
  const Read read{setting.name, text, setting.low, setting.high};
  switch (setting.kind) {
    case SettingKind::number:
      return read(&number);
    case SettingKind::integer:
      return read(&integer);
    case SettingKind::flag:
      return read(&flag);
    case SettingKind::list:
      return read(&list);
    case SettingKind::text:
      return read(&any);
  }
}

std::string range_text(const SettingInfo& setting) { return interval(setting.low, setting.high); }

std::string shortest_text(double value) { return shortest(value); }
std::string shortest_text(float value) { return shortest(value); }

}  // namespace graft
