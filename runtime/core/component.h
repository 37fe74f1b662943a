#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "graft/choice.h"
#include "runtime/core/error.h"
#include "runtime/core/settings.h"

namespace graft {

/// How a component (a loss, an optimizer, a schedule, a head, a transform) is called and what it is.
struct ComponentText {
  const char* name;     // in a Choice
  const char* help;     // one line
  const char* formula;  // with its source
};

/// A component as documentation and programs see it.
struct ComponentInfo {
  std::string name, help, formula;
  std::vector<SettingInfo> settings;
};

template <typename... Types>
struct TypeList {};

/// visit.operator()<Type>() for each of them, in order.
template <typename... Types, typename Visit>
void for_each_type(TypeList<Types...>, const Visit& visit) {
  (visit.template operator()<Types>(), ...);
}

/// `Component` has `kText` and `Options`.
template <typename Component>
ComponentInfo component_info() {
  return {Component::kText.name, Component::kText.help, Component::kText.formula,
          settings_of<typename Component::Options>()};
}

template <typename Component>
typename Component::Options component_options(const SettingValues& values) {
  return read_settings<typename Component::Options>(values, Component::kText.name);
}

/// `Component` with these options.
template <typename Component>
Choice choose(const typename Component::Options& options = {}) {
  return {Component::kText.name, setting_values(options)};
}

const ComponentInfo* find_component(const std::vector<ComponentInfo>& known, const std::string& name);

/// The error for a name that is not among the known. `kind`: "optimizer"; `setting`: the one that names it.
Error unknown_component(const std::string& kind, const std::string& setting, const std::string& name,
                        const std::vector<ComponentInfo>& known);

/// Reads NAME[:VALUE…][:SETTING=VALUE…]: values without a name belong to the component's settings in their order
/// ("mlp:256"). Throws Error, about `setting`.
Choice parse_choice(const std::string& text, const std::string& kind, const std::string& setting,
                    const std::vector<ComponentInfo>& known);

/// The choice without values that its component does not have.
Choice narrowed(Choice choice, const std::vector<ComponentInfo>& known);

/// Components made by name from what is set of them. `Context`: what else they are made from.
template <typename Product, typename... Context>
class Components {
 public:
  using Make = std::function<Product(const SettingValues&, const Context&...)>;

  /// `kind` as errors name it ("optimizer"); `setting`: the one that chooses.
  Components(std::string kind, std::string setting) : kind_(std::move(kind)), setting_(std::move(setting)) {}

  /// `make(options, context…)` gives the product.
  template <typename Component, typename From>
  void add(const From& make) {
    const auto at = std::lower_bound(infos_.begin(), infos_.end(), Component::kText.name,
                                     [](const ComponentInfo& info, const char* name) { return info.name < name; });
    makes_.insert(makes_.begin() + (at - infos_.begin()),
                  [make](const SettingValues& values, const Context&... context) {
                    return make(component_options<Component>(values), context...);
                  });
    infos_.insert(at, component_info<Component>());
  }

  /// Throws Error for an unknown name, and for what the component cannot be set to.
  Product make(const Choice& choice, const Context&... context) const {
    const ComponentInfo* info = find_component(infos_, choice.name);
    if (!info) throw unknown_component(kind_, setting_, choice.name, infos_);
    return makes_[static_cast<size_t>(info - infos_.data())](choice.values, context...);
  }

  /// In alphabetical order.
  const std::vector<ComponentInfo>& infos() const { return infos_; }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const ComponentInfo& info : infos_) names.push_back(info.name);
    return names;
  }

 private:
  std::string kind_, setting_;
  std::vector<ComponentInfo> infos_;
  std::vector<Make> makes_;
};

}  // namespace graft
