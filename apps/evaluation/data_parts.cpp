#include "apps/evaluation/data_parts.h"

#include "graft/error.h"

namespace graft::app {

std::vector<DataPart> chosen_parts(const Dataset& data, const std::string& split, const std::string& place) {
  if (split == "auto") {
    if (!data.test.empty()) return {{data.is_split ? "test" : "all", data.test}};
    return {data.validation.empty() ? DataPart{"train", data.train} : DataPart{"val", data.validation}};
  }
  const std::vector<DataPart> parts{{"train", data.train}, {"val", data.validation}, {"test", data.test}};
  std::vector<DataPart> chosen;
  if (split == "all") {
    chosen.push_back({"all", {}});
    for (const DataPart& part : parts)
      chosen[0].files.insert(chosen[0].files.end(), part.files.begin(), part.files.end());
    return chosen;
  }
  for (const DataPart& part : parts)
    if (!part.files.empty() && (split == "each" || split == part.split)) chosen.push_back(part);
  if (chosen.empty() || (split == "test" && !data.is_split))
    throw Error(place + ": has no pictures in the split " + split, "leave --split out", ErrorCode::bad_data);
  return chosen;
}

}  // namespace graft::app
