#pragma once

#include <string>

namespace graft {

/// A library that is opened when something of it is first needed, and stays open.
class SharedLibrary {
 public:
  /// `soname`: "libheif.so.1". Throws Error (unsupported) saying what needs it ("HEIC pictures"), and how to get it.
  SharedLibrary(const std::string& soname, const std::string& purpose);
  SharedLibrary(const SharedLibrary&) = delete;
  SharedLibrary& operator=(const SharedLibrary&) = delete;

  /// A function by its name, with the type of its declaration: library.function<decltype(f)>("f"). Nothing else may
  /// mention the function: it is not linked.
  template <typename Function>
  Function* function(const char* name) const {
    return reinterpret_cast<Function*>(address_of(name));
  }

  /// The same; null where the library, and those that it depends on, have none.
  template <typename Function>
  Function* function_if_any(const char* name) const {
    return reinterpret_cast<Function*>(address_if_any(name));
  }

 private:
  void* address_of(const char* name) const;
  void* address_if_any(const char* name) const;
  std::string soname_;
  void* handle_ = nullptr;
};

}  // namespace graft
