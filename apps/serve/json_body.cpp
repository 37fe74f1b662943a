#include "apps/serve/json_body.h"

#include "graft/error.h"

namespace graft::app {

nlohmann::json parse_body(std::string_view text) {
  using nlohmann::json;
  constexpr int kDeepest = 32;
  const auto shallow = [](int depth, json::parse_event_t, const json&) {
    if (depth > kDeepest)
      throw Error("the body holds lists or objects more than " + std::to_string(kDeepest) + " deep");
    return true;
  };
  json body = json::parse(text, shallow, /*allow_exceptions=*/false);
  if (body.is_discarded()) throw Error("the body is no JSON");
  return body;
}

}  // namespace graft::app
