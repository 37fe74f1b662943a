#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "runtime/core/error.h"

namespace graft {

/// Things made by name: losses, optimizers, schedules, transforms, architectures. A new one is one line in its table.
template <typename Product, typename... Arguments>
class Registry {
 public:
  using Make = std::function<Product(Arguments...)>;

  /// `what`: the kind of thing, as an error names it.
  Registry(std::string what, std::map<std::string, Make> table) : what_(std::move(what)), table_(std::move(table)) {}

  /// Throws Error for an unknown name, naming the known ones.
  Product make(const std::string& name, Arguments... arguments) const {
    const auto it = table_.find(name);
    if (it != table_.end()) return it->second(std::forward<Arguments>(arguments)...);
    std::string known;
    for (const std::string& k : names()) known += " " + k;
    throw Error("unknown " + what_ + " \"" + name + "\"", "known are" + known);
  }

  /// In alphabetical order.
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& [name, make] : table_) names.push_back(name);
    return names;
  }

 private:
  std::string what_;
  std::map<std::string, Make> table_;
};

}  // namespace graft
