// For whoever watches over the server.
#include "apps/serve/service.h"

namespace graft::app {

void add_status_routes(Service& service) {
  service.add("GET", "/healthz", [](Service&, const RouteCall& call) { call.respond(json_reply({{"live", true}})); });
  service.add("GET", "/readyz", [](Service& s, const RouteCall& call) {
    call.respond(json_reply({{"ready", s.ready()}}, s.ready() ? 200 : 503));
  });
  service.add("GET", "/metrics", [](Service& s, const RouteCall& call) {
    call.respond({200, "text/plain; version=0.0.4; charset=utf-8", s.metrics_text()});
  });
}

}  // namespace graft::app
