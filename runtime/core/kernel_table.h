#pragma once

#include <functional>
#include <memory>
#include <typeindex>
#include <unordered_map>

#include "runtime/core/backend.h"

namespace graft {

/// Which function makes the kernel of which operator class.
class KernelTable {
 public:
  using Factory = std::function<std::unique_ptr<Kernel>(const KernelRequest&)>;
  /// `make`: (const Op&, const KernelRequest&) → std::unique_ptr<Kernel>.
  template <typename Op, typename Make>
  void add(Make make) {
    factories_[typeid(Op)] = [make](const KernelRequest& request) {
      return make(static_cast<const Op&>(request.op), request);
    };
  }
  const Factory* find(const Operator& op) const {
    const auto it = factories_.find(typeid(op));
    return it == factories_.end() ? nullptr : &it->second;
  }

 private:
  std::unordered_map<std::type_index, Factory> factories_;
};

}  // namespace graft
