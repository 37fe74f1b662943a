#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "apps/serve/http_server.h"
#include "apps/serve/metrics.h"
#include "apps/serve/rate_limit.h"
#include "apps/serve/served_model.h"

namespace graft::app {

class Places;
class Teaching;

struct ServiceSettings {
  RunSettings run;  // its preprocessing and batch hold for all models; a batch of 0: 16
  BatchLimits batches;
  double requests_per_second = 0;  // of one address, in bursts of twice that; more is answered with 429; 0: no limit
  std::string token;               // that every request but health checks must carry; empty: none
  /// Names that requests may call the server by, beside localhost and IP addresses: no page of another site, whose name
  /// may be made to mean this machine, reaches it.
  std::vector<std::string> hosts;
  int64_t largest_pixels = 50'000'000;
  size_t pictures_per_request = 64;
  double unsure = 0, foreign = 0.95;     // as classify has them
  bool teaches = false;                  // whether the page leads to the one where it is taught
  std::shared_ptr<const Places> places;  // told beside what a picture shows; null: none
  std::string examples;                  // folder of pictures that the page offers; empty: none
};

/// What a route is called with. `respond` is called once, perhaps later and from another thread.
struct RouteCall {
  HttpRequest request;
  std::vector<std::string> words;  // what stood for the {names} of the path
  HttpServer::Respond respond;
};

/// An error of the interface: {"error": {"code": 415, "text": "…"}}.
HttpReply error_reply(int status, const std::string& text);
HttpReply json_reply(const nlohmann::json& body, int status = 200);

/// Models and the routes that answer about them; what is common to all routes (token, hosts, headers, counting) is
/// here, each group of routes in a file of its own. Thread-safe.
class Service {
 public:
  explicit Service(ServiceSettings settings);

  /// Reads a model and serves it under `name`, in the place of one that has the name. Throws Error.
  void load(const std::string& name, const std::string& path);
  /// Reads those anew whose files have changed. What cannot be read stays as it was; `told` gets a line for each. To be
  /// called now and then, by one thread.
  void reload_changed(const std::function<void(const std::string&)>& told);

  void handle(HttpRequest request, const HttpServer::Respond& respond);
  /// Why a request with this head is not answered at all, or nothing.
  std::optional<HttpReply> refusal(const HttpRequest& request) const;
  /// Counts an answer that the HTTP server gave by itself.
  void count_refused(int status) const;

  /// For health checks: before it is set to false the server takes its last requests.
  void set_ready(bool ready) { ready_ = ready; }
  void set_connections(std::function<size_t()> count);

  // For the routes.
  const ServiceSettings& settings() const { return settings_; }
  bool ready() const { return ready_; }
  std::vector<std::shared_ptr<ServedModel>> models() const;
  /// The one with this name, the first for ""; null where there is none.
  std::shared_ptr<ServedModel> model(const std::string& name) const;
  std::string metrics_text() const;

  using Route = std::function<void(Service&, RouteCall)>;
  /// `path`: "/v2/models/{}/infer".
  void add(const std::string& method, const std::string& path, Route route);

 private:
  struct Entry {
    std::string path;
    std::string stamp;  // of the file, when it was read
    std::shared_ptr<ServedModel> model;
  };
  struct RouteEntry {
    std::string method, path;
    Route route;
  };
  std::optional<HttpReply> refused(const HttpRequest& request) const;
  std::shared_ptr<ServedModel> opened(const std::string& name, const std::string& path);

  ServiceSettings settings_;
  std::vector<RouteEntry> routes_;
  std::atomic<bool> ready_{true};
  std::function<size_t()> connections_;
  mutable ServerMetrics metrics_;
  mutable RateLimit rates_;
  mutable std::mutex mutex_;
  std::vector<std::pair<std::string, Entry>> models_;  // in the order of loading
  /// Replaced, and still in use by requests: what ends a model waits for its threads, which no request may do.
  std::vector<std::shared_ptr<ServedModel>> retired_;
};

// Groups of routes.
void add_page_routes(Service& service);
void add_v1_routes(Service& service);
void add_kserve_routes(Service& service);
void add_status_routes(Service& service);
/// /v1/teach and its page. The trained model is served under kTaughtModel. `teaching` outlives the requests.
void add_teach_routes(Service& service, Teaching& teaching);
inline constexpr const char* kTaughtModel = "taught";

}  // namespace graft::app
