#include "runtime/core/shared_library.h"

#include <dlfcn.h>

#include "runtime/core/error.h"

namespace graft {

SharedLibrary::SharedLibrary(const std::string& soname, const std::string& purpose) : soname_(soname) {
  handle_ = soname.empty() ? nullptr : dlopen(soname.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle_) return;
  const char* reason = soname.empty() ? "graft was built without it" : dlerror();
  throw Error(purpose + " need " + (soname.empty() ? "a library" : soname) + ", which cannot be opened (" +
                  (reason ? reason : "") + ")",
              "install it", ErrorCode::unsupported);
}

void* SharedLibrary::address_if_any(const char* name) const { return dlsym(handle_, name); }

void* SharedLibrary::address_of(const char* name) const {
  void* address = dlsym(handle_, name);
  if (!address)
    throw Error(soname_ + " has no " + name, "install the version that graft was built with", ErrorCode::unsupported);
  return address;
}

}  // namespace graft
