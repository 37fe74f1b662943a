#include "importer/name_scope.h"

#include <utility>

#include "runtime/core/error.h"

namespace graft {
namespace {

[[noreturn]] void refuse_second(const std::string& name) {
  throw Error("makes \"" + name + "\", which another node makes too", "the file is damaged");
}

}  // namespace

void NameScope::define(const std::string& name, ValueId value) {
  if (defines(name)) refuse_second(name);
  values_.emplace(name, value);
}

void NameScope::define_sequence(const std::string& name, TensorSequence sequence) {
  if (defines(name)) refuse_second(name);
  sequences_.emplace(name, std::move(sequence));
}

}  // namespace graft
