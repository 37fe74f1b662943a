#include "finetune/selection/search_journal.h"

#include <cstdio>

namespace graft {

void SearchJournal::add(const std::string& what, const HeldOut& judged, double begin, const std::string& verdict) {
  trials.push_back(
      {what, static_cast<int64_t>(judged.losses.size()), judged.accuracy(), judged.loss(), seconds() - begin, verdict});
  progress("candidates tried", static_cast<int64_t>(trials.size()), 0);
}

std::string fixed_text(double value, int decimals) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

std::string percent_text(double part) { return fixed_text(100 * part, 1) + " %"; }
std::string seconds_text(double seconds) { return fixed_text(seconds, seconds < 10 ? 1 : 0) + " s"; }

}  // namespace graft
