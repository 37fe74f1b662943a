#pragma once

#include <string>  // says which ABI its strings have

#ifndef GRAFT_BUILD_IDENTITY
#error "cmake/BuildIdentity.cmake defines GRAFT_BUILD_IDENTITY for the files that include this"
#endif

#define GRAFT_TEXT_OF(x) #x
#define GRAFT_TEXT(x) GRAFT_TEXT_OF(x)

namespace graft::cuda {

/// What a plugin and the program that loads it must have in common. Compiled into both.
inline constexpr const char* kBuildIdentity = GRAFT_BUILD_IDENTITY
    ", strings of C++11 " GRAFT_TEXT(_GLIBCXX_USE_CXX11_ABI) ", __cplusplus " GRAFT_TEXT(__cplusplus);

}  // namespace graft::cuda

#undef GRAFT_TEXT
#undef GRAFT_TEXT_OF
