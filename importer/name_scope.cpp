#include "importer/name_scope.h"

#include "runtime/core/error.h"

namespace graft {

void NameScope::define(const std::string& name, ValueId value) {
  if (!values_.emplace(name, value).second)
    throw Error("makes \"" + name + "\", which another node makes too", "the file is damaged");
}

}  // namespace graft
