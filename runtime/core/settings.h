#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "graft/choice.h"

namespace graft {

// A component's options are a plain struct that says what can be set of it:
//
//   struct MomentumOptions {
//     float momentum = 0.9f;
//     void describe(SettingVisitor& visit) {
//       visit("momentum", momentum, {.low = 0, .high = 1, .help = "µ, the part of the velocity that is kept"});
//     }
//   };
//
// Command line, config file, checkpoint's fingerprint, `graft help` and docs/settings.md follow from that.

enum class SettingKind : uint8_t { number, integer, flag, list, text };
const char* name_of(SettingKind kind);

/// What a setting may be and what it does. `low` and `high` are allowed; of a list they hold for each number.
struct SettingTraits {
  double low = -std::numeric_limits<double>::infinity(), high = std::numeric_limits<double>::infinity();
  const char* unit = "";
  const char* help = "";
};

/// A setting as documentation and command lines see it.
struct SettingInfo {
  std::string name;  // words joined by hyphens
  SettingKind kind = SettingKind::text;
  std::string default_text;
  double low = 0, high = 0;
  std::string unit, help;
};

/// Passes over the members of an options struct.
class SettingVisitor {
 public:
  using Member = std::variant<float*, double*, int*, int64_t*, bool*, std::vector<double>*, std::string*>;
  virtual ~SettingVisitor() = default;
  template <typename T>
  void operator()(const char* name, T& member, const SettingTraits& traits) {
    visit(name, Member(&member), traits);
  }

 protected:
  virtual void visit(const std::string& name, const Member& member, const SettingTraits& traits) = 0;
};

/// Options of what has none.
struct NoSettings {
  void describe(SettingVisitor&) {}
};

/// Collects descriptions; defaults are what the members hold.
class SettingLister final : public SettingVisitor {
 public:
  std::vector<SettingInfo> found;

 private:
  void visit(const std::string& name, const Member& member, const SettingTraits& traits) override;
};

/// Collects the members as texts that SettingReader reads to the same values.
class SettingPrinter final : public SettingVisitor {
 public:
  SettingValues found;

 private:
  void visit(const std::string& name, const Member& member, const SettingTraits& traits) override;
};

/// Sets the members that `values` name. Throws Error, about the setting, for what is no such value or out of range.
class SettingReader final : public SettingVisitor {
 public:
  explicit SettingReader(const SettingValues& values) : left_(values) {}
  /// Throws Error where `values` name something that was not visited. `owner`: what has no such setting ("momentum").
  void expect_all_read(const std::string& owner) const;

 private:
  void visit(const std::string& name, const Member& member, const SettingTraits& traits) override;
  SettingValues left_;
  std::vector<std::string> known_;
};

/// What can be set of `Options`.
template <typename Options>
std::vector<SettingInfo> settings_of(Options options = {}) {
  SettingLister lister;
  options.describe(lister);
  return std::move(lister.found);
}

/// `options` with the members set that `values` name. Throws Error as SettingReader does.
template <typename Options>
Options read_settings(const SettingValues& values, const std::string& owner, Options options = {}) {
  SettingReader reader(values);
  options.describe(reader);
  reader.expect_all_read(owner);
  return options;
}

/// All members as texts.
template <typename Options>
SettingValues setting_values(Options options) {
  SettingPrinter printer;
  options.describe(printer);
  return std::move(printer.found);
}

/// Throws Error, about the setting, where `text` is no value of it.
void check_setting(const SettingInfo& setting, const std::string& text);

/// "0…1", "at least 1", "at most 9", or empty where everything is allowed.
std::string range_text(const SettingInfo& setting);

/// The shortest text that is read as the same number.
std::string shortest_text(double value);
std::string shortest_text(float value);

}  // namespace graft
