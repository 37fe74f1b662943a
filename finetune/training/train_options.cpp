#include "finetune/training/train_options.h"

#include <sstream>

#include "runtime/core/error.h"

namespace graft {
namespace {

std::string text_of(const CacheOptions& cache) {
  switch (cache.mode) {
    case CacheOptions::Mode::automatic:
      return "auto";
    case CacheOptions::Mode::off:
      return "off";
    case CacheOptions::Mode::on:
      break;
  }
  return "views:" + std::to_string(cache.views);
}

void read(const std::string& text, CacheOptions& cache) {
  if (text == text_of(cache)) return;
  if (text == "auto" || text == "off") {
    cache.mode = text == "auto" ? CacheOptions::Mode::automatic : CacheOptions::Mode::off;
    return;
  }
  int views = 0;
  std::istringstream number(text.starts_with("views:") ? text.substr(6) : "");
  if (!(number >> views) || !number.eof() || views < 1 || views > 1000)
    throw Error("\"" + text + "\" is not understood", "use auto, off or views:K").about("cache");
  cache.mode = CacheOptions::Mode::on;
  cache.views = views;
}

std::string text_of(const UnfreezeOptions& o) {
  return o.every > 0 ? std::to_string(o.every) + ":" + std::to_string(o.layers) : "";
}

/// "2" or "2:5".
void read(const std::string& text, UnfreezeOptions& o) {
  if (text == text_of(o)) return;
  std::istringstream stream(text);
  char colon = ':';
  int every = 0, layers = 1;
  const bool fine = stream >> every && (stream.eof() || (stream >> colon >> layers && stream.eof() && colon == ':'));
  if (!fine || every < 1 || layers < 1)
    throw Error("\"" + text + "\" is not EVERY or EVERY:LAYERS",
                "write 2, or 2:5 for five layers after each two epochs")
        .about("unfreeze");
  o.every = every;
  o.layers = layers;
}

}  // namespace

void CacheOptions::describe(SettingVisitor& visit) {
  std::string text = text_of(*this);
  visit("cache", text, {.help = "auto, off or views:K (augmented views of which the frozen part's results are kept)"});
  read(text, *this);
}

void UnfreezeOptions::describe(SettingVisitor& visit) {
  std::string text = text_of(*this);
  visit("unfreeze", text,
        {.help = "EVERY[:LAYERS]: begin with the head alone and train LAYERS more below it after each EVERY epochs"});
  read(text, *this);
}

}  // namespace graft
