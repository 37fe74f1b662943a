// /v1/teach: classes and their pictures, the training, and its model; and the page for it.
#include <fstream>
#include <iterator>

#include "apps/serve/page_assets.h"
#include "apps/serve/picture_input.h"
#include "apps/serve/service.h"
#include "apps/serve/teaching.h"
#include "graft/error.h"

namespace graft::app {
namespace {

using nlohmann::json;

int status_of(const Error& error) {
  switch (error.code()) {
    case ErrorCode::io:
      return 500;
    case ErrorCode::unsupported:
      return 507;
    default:
      return 400;
  }
}

void add_pictures(Service& service, Teaching& teaching, RouteCall& call) {
  PictureInput input = pictures_of(call.request, service.settings());
  if (input.refused) return call.respond(std::move(*input.refused));
  json results = json::array();
  size_t kept = 0;
  int status = 422;
  for (PictureInput::Picture& picture : input.pictures) {
    json entry = json::object();
    if (!picture.name.empty()) entry["name"] = picture.name;
    if (picture.error.empty()) {
      try {
        entry["picture"] = teaching.add(call.words.at(0), picture.bytes);
        ++kept;
      } catch (const Error& error) {
        if (error.code() != ErrorCode::bad_data) return call.respond(error_reply(status_of(error), error.what()));
        picture.error = error.what();
      }
    } else {
      status = picture.status;
    }
    if (!picture.error.empty()) entry["error"] = picture.error;
    results.push_back(std::move(entry));
  }
  call.respond(json_reply({{"results", results}}, kept > 0 ? 200 : status));
}

}  // namespace

void add_teach_routes(Service& service, Teaching& teaching) {
  service.add("GET", "/page/teach", [](Service&, const RouteCall& call) {
    call.respond({200, "text/html; charset=utf-8", kServeTeach});
  });
  service.add("GET", "/page/teach.js", [](Service&, const RouteCall& call) {
    call.respond({200, "text/javascript; charset=utf-8", kServeTeachScript});
  });
  service.add("GET", "/v1/teach",
              [&teaching](Service&, const RouteCall& call) { call.respond(json_reply(teaching.state())); });
  service.add("POST", "/v1/teach/classes/{}",
              [&teaching](Service& own, RouteCall call) { add_pictures(own, teaching, call); });
  service.add("GET", "/v1/teach/classes/{}", [&teaching](Service&, const RouteCall& call) {
    call.respond(json_reply({{"pictures", teaching.pictures(call.words.at(0))}}));
  });
  service.add("GET", "/v1/teach/classes/{}/{}", [&teaching](Service&, const RouteCall& call) {
    std::optional<std::string> bytes = teaching.picture(call.words.at(0), call.words.at(1));
    if (!bytes) return call.respond(error_reply(404, "no picture of this name was put there"));
    call.respond({200, "application/octet-stream", std::move(*bytes)});
  });
  service.add("DELETE", "/v1/teach/classes/{}/{}", [&teaching](Service&, const RouteCall& call) {
    if (!teaching.remove(call.words.at(0), call.words.at(1)))
      return call.respond(error_reply(404, "no picture of this name was put there"));
    call.respond(json_reply(teaching.state()));
  });
  service.add("POST", "/v1/teach/train", [&teaching](Service& own, const RouteCall& call) {
    if (!teaching.start([&own](const std::string& path) { own.load(kTaughtModel, path); }))
      return call.respond(error_reply(409, "a training goes on already"));
    call.respond(json_reply(teaching.state(), 202));
  });
  service.add("POST", "/v1/teach/stop", [&teaching](Service&, const RouteCall& call) {
    teaching.stop();
    call.respond(json_reply(teaching.state(), 202));
  });
  service.add("GET", "/v1/teach/model.onnx", [&teaching](Service&, const RouteCall& call) {
    const std::optional<std::string> path = teaching.model();
    if (!path) return call.respond(error_reply(404, "nothing is trained yet"));
    std::ifstream stream(*path, std::ios::binary);
    HttpReply reply{
        200, "application/octet-stream", {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()}};
    reply.headers["Content-Disposition"] = "attachment; filename=\"model.onnx\"";
    call.respond(std::move(reply));
  });
}

}  // namespace graft::app
