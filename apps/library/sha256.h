#pragma once

#include <string>

namespace graft {

/// SHA-256 of a file in hexadecimal [FIPS 180-4], by libcrypto, which is opened when it is first needed. Throws Error:
/// io where the file cannot be read, unsupported where the library is missing.
std::string sha256_of_file(const std::string& path);

/// The same of a text.
std::string sha256_of(const std::string& text);

}  // namespace graft
