#include "finetune/data/readable_classes.h"

#include <set>

#include "runtime/core/error.h"

namespace graft {

void check_readable_classes(const SampleSource& source, const std::vector<int64_t>& samples,
                            const std::vector<int64_t>& readable,
                            const std::vector<std::pair<int64_t, std::string>>& failures) {
  if (readable.empty()) return;  // an error of its own
  std::set<int> known;
  for (const int64_t i : readable) known.insert(source.label(i));
  const std::set<int64_t> asked(samples.begin(), samples.end());
  for (const auto& [index, reason] : failures)
    if (asked.contains(index) && !known.contains(source.label(index)))
      throw Error("none of the training pictures of a class can be read, such as " + reason,
                  "mend them, or remove the class", ErrorCode::bad_data);
}

}  // namespace graft
