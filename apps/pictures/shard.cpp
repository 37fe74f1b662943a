#include "apps/pictures/shard.h"

#include <charconv>

namespace graft::app {
namespace {

/// "2/8"; 0/0 for what is none.
Shard parsed(const std::string& text) {
  Shard shard;
  const char* const end = text.data() + text.size();
  const auto [slash, wrong] = std::from_chars(text.data(), end, shard.number);
  if (wrong != std::errc() || slash == end || *slash != '/') return {0, 0};
  const auto [behind, also_wrong] = std::from_chars(slash + 1, end, shard.count);
  constexpr size_t kMost = 1'000'000;  // that products of sizes cannot overflow
  if (also_wrong != std::errc() || behind != end || shard.number < 1 || shard.number > shard.count ||
      shard.count > kMost)
    return {0, 0};
  return shard;
}

}  // namespace

std::string Shard::take(PictureList& pictures) const {
  if (whole()) return {};
  const size_t all = pictures.paths.size();
  keep(pictures.paths);
  if (number > 1) {
    pictures.skipped.clear();
    pictures.ignored.clear();
  }
  const std::string text = "shard " + std::to_string(number) + " of " + std::to_string(count) + ": ";
  if (pictures.paths.empty()) return text + "none of " + std::to_string(all) + " pictures";
  return text + "pictures " + std::to_string(first(all) + 1) + " to " + std::to_string(last(all)) + " of " +
         std::to_string(all);
}

void add_shard_option(CLI::App& command, Shard& shard) {
  command
      .add_option_function<std::string>(
          "--shard", [&shard](const std::string& text) { shard = parsed(text); },
          "Take part I of N of the pictures alone, of a list that each of N jobs is given; the parts' results one "
          "behind the other are those of all")
      ->type_name("I/N")
      ->check([](const std::string& text) {
        return parsed(text).count > 0 ? std::string() : "\"" + text + "\" is no part: write 1/8 to 8/8";
      });
}

}  // namespace graft::app
