#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "runtime/core/settings.h"

namespace graft {

/// tests/fixtures/NAME, made by the make_*.py beside it.
inline nlohmann::json fixture(const char* name) {
  std::ifstream stream(std::filesystem::path(__FILE__).parent_path().parent_path() / "fixtures" / name);
  return nlohmann::json::parse(stream);
}

/// A fixture's options as settings: PyTorch's words with hyphens, lists with commas.
inline SettingValues setting_values_in(const nlohmann::json& options) {
  SettingValues values;
  for (const auto& [key, value] : options.items()) {
    std::string name = key, text;
    std::replace(name.begin(), name.end(), '_', '-');
    for (const auto& element : value.is_array() ? value : nlohmann::json::array({value}))
      text += (text.empty() ? "" : ",") + (element.is_string() ? element.get<std::string>() : element.dump());
    values[name] = text;
  }
  return values;
}

}  // namespace graft
