// The page, the interface's description, and the pictures to try.
#include "apps/serve/page_assets.h"
#include "apps/serve/service.h"
#include "augment/decode.h"
#include "augment/encoded_picture.h"
#include "graft/dataset.h"
#include "graft/error.h"
#include "graft/version.h"

#include <charconv>
#include <filesystem>

namespace graft::app {
namespace {

using nlohmann::json;

Service::Route text_route(const char* text, const char* type) {
  return [text, type](Service&, const RouteCall& call) { call.respond({200, type, text}); };
}

std::string media_type_of(const std::string& bytes) {
  if (bytes.starts_with("\xff\xd8")) return "image/jpeg";
  if (bytes.starts_with("\x89PNG")) return "image/png";
  if (bytes.starts_with("GIF8")) return "image/gif";
  if (bytes.size() > 12 && bytes.compare(8, 4, "WEBP") == 0) return "image/webp";
  return "application/octet-stream";
}

/// Of what this server answers.
std::string description_for(const ServiceSettings& settings) {
  json description = json::parse(kServeOpenApi);
  description["info"]["version"] = version();
  json& paths = description["paths"];
  for (auto path = paths.begin(); path != paths.end();)
    path = !settings.teaches && path.key().starts_with("/v1/teach") ? paths.erase(path) : std::next(path);
  return description.dump() + "\n";
}

}  // namespace

void add_page_routes(Service& service) {
  service.add("GET", "/", text_route(kServePage, "text/html; charset=utf-8"));
  service.add("GET", "/page/style.css", text_route(kServeStyle, "text/css; charset=utf-8"));
  service.add("GET", "/page/common.js", text_route(kServeCommon, "text/javascript; charset=utf-8"));
  service.add("GET", "/page/script.js", text_route(kServeScript, "text/javascript; charset=utf-8"));
  service.add("GET", "/openapi.json",
              [description = description_for(service.settings())](Service&, const RouteCall& call) {
                call.respond({200, "application/json", description});
              });
  if (service.settings().examples.empty()) {
    service.add("GET", "/v1/examples", [](Service&, const RouteCall& call) {
      call.respond(json_reply({{"examples", json::array()}}));
    });
    return;
  }
  const auto paths =
      std::make_shared<const std::vector<std::string>>(list_pictures({service.settings().examples}).paths);
  service.add("GET", "/v1/examples", [paths](Service&, const RouteCall& call) {
    json examples = json::array();
    for (size_t i = 0; i < paths->size(); ++i)
      examples.push_back({{"name", std::filesystem::path((*paths)[i]).filename().string()},
                          {"url", "/v1/examples/" + std::to_string(i)}});
    call.respond(json_reply({{"examples", examples}}));
  });
  // By its number: no path of a request is ever opened.
  service.add("GET", "/v1/examples/{}", [paths](Service&, const RouteCall& call) {
    const std::string& word = call.words.at(0);
    size_t number = paths->size();
    const auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (problem != std::errc() || end != word.data() + word.size() || number >= paths->size())
      return call.respond(error_reply(404, "there is no example \"" + word + "\""));
    std::vector<uint8_t> bytes;
    try {
      bytes = read_picture_file((*paths)[number]);
      const EncodedPicture is_one(bytes, {});  // whatever its name says
    } catch (const Error&) {                   // whose text tells where it lay
      return call.respond(error_reply(404, "the example is not there any more"));
    }
    std::string body(bytes.begin(), bytes.end());
    std::string type = media_type_of(body);
    call.respond({200, std::move(type), std::move(body)});
  });
}

}  // namespace graft::app
