// libFuzzer target: any text is a configuration file (TOML) for a command or one of CLI11's parse errors.
#include <CLI/CLI.hpp>
#include <sstream>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::istringstream text(std::string(reinterpret_cast<const char*>(data), size));
  try {
    CLI::ConfigTOML().from_config(text);
  } catch (const CLI::Error&) {
  }
  return 0;
}
