#pragma once

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace graft {

/// tests/fixtures/NAME, made by the make_*.py beside it.
inline nlohmann::json fixture(const char* name) {
  std::ifstream stream(std::filesystem::path(__FILE__).parent_path().parent_path() / "fixtures" / name);
  return nlohmann::json::parse(stream);
}

/// Sets `value` where the fixture's options name it.
template <typename T>
void take_option(const nlohmann::json& options, const char* key, T& value) {
  value = options.value(key, value);
}

}  // namespace graft
