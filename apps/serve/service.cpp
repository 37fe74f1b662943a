#include "apps/serve/service.h"

#include <arpa/inet.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "augment/data/file_kinds.h"
#include "graft/error.h"

namespace graft::app {
namespace {

using nlohmann::json;

std::string stamp_of(const std::string& path) {
  struct stat is {};
  if (::stat(path.c_str(), &is) != 0) return {};
  return std::to_string(is.st_ino) + ":" + std::to_string(is.st_size) + ":" + std::to_string(is.st_mtim.tv_sec) + "." +
         std::to_string(is.st_mtim.tv_nsec);
}

/// "/a/b" → {"a", "b"}.
std::vector<std::string> words_of(const std::string& path) {
  std::vector<std::string> words;
  for (size_t at = 1; at <= path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    words.push_back(path.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

/// What stands for the {} of the pattern, or nothing where the path is another.
std::optional<std::vector<std::string>> matched(const std::string& pattern, const std::string& path) {
  const std::vector<std::string> wanted = words_of(pattern), given = words_of(path);
  if (wanted.size() != given.size()) return std::nullopt;
  std::vector<std::string> words;
  for (size_t i = 0; i < wanted.size(); ++i)
    if (wanted[i] == "{}") {
      words.push_back(given[i]);
      if (!percent_decoded(words.back())) return std::nullopt;
    } else if (wanted[i] != given[i])
      return std::nullopt;
  return words;
}

/// In a time that does not depend on where they differ.
bool same_secret(const std::string& a, const std::string& b) {
  unsigned different = a.size() != b.size();
  for (size_t i = 0; i < a.size(); ++i)
    different |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b.empty() ? 0 : b[i % b.size()]);
  return different == 0;
}

/// "localhost:8080" → "localhost"; "[::1]:8080" → "[::1]".
std::string without_port(const std::string& host) {
  const size_t end = host.starts_with("[") ? host.find(']') + 1 : host.find(':');
  return host.substr(0, end);
}

/// Whether nobody but this machine's owner can have given it this name.
bool is_own_name(const std::string& host, const std::vector<std::string>& names) {
  std::string name = lower_case(without_port(host));
  if (name.ends_with(".")) name.pop_back();
  if (name == "localhost" || std::find(names.begin(), names.end(), name) != names.end()) return true;
  in_addr four{};
  in6_addr six{};
  if (name.starts_with("[") && name.ends_with("]")) name = name.substr(1, name.size() - 2);
  return inet_pton(AF_INET, name.c_str(), &four) == 1 || inet_pton(AF_INET6, name.c_str(), &six) == 1;
}

}  // namespace

HttpReply json_reply(const json& body, int status) {
  return {status, "application/json", body.dump(-1, ' ', false, json::error_handler_t::replace) + "\n"};
}

HttpReply error_reply(int status, const std::string& text) {
  return json_reply({{"error", {{"code", status}, {"text", text}}}}, status);
}

Service::Service(ServiceSettings settings) : settings_(std::move(settings)), rates_(settings_.requests_per_second) {
  add_page_routes(*this);
  add_v1_routes(*this);
  add_kserve_routes(*this);
  add_status_routes(*this);
}

void Service::add(const std::string& method, const std::string& path, Route route) {
  routes_.push_back({method, path, std::move(route)});
}

std::shared_ptr<ServedModel> Service::opened(const std::string& name, const std::string& path) {
  auto model = std::make_shared<ServedModel>(name, Model::load(path), settings_.run, settings_.batches);
  model->ran = [this, name](const std::string& what, size_t pictures) {
    metrics_.observe("graft_batch_pictures", "Pictures of a batch.", {{"model", name}, {"job", what}},
                     {1, 2, 4, 8, 16, 32, 64}, static_cast<double>(pictures));
  };
  return model;
}

void Service::load(const std::string& name, const std::string& path) {
  Entry entry{path, stamp_of(path), opened(name, path)};
  const std::lock_guard lock(mutex_);
  const auto known =
      std::find_if(models_.begin(), models_.end(), [&](const auto& model) { return model.first == name; });
  if (known != models_.end())
    retired_.push_back(std::exchange(known->second, std::move(entry)).model);
  else
    models_.emplace_back(name, std::move(entry));
}

void Service::reload_changed(const std::function<void(const std::string&)>& told) {
  std::vector<std::pair<std::string, std::string>> changed;
  std::vector<std::shared_ptr<ServedModel>> unused;
  {
    const std::lock_guard lock(mutex_);
    // Nobody gets a retired one any more: whose only owner is the list stays so.
    for (auto& model : retired_)
      if (model.use_count() == 1) unused.push_back(std::move(model));
    std::erase(retired_, nullptr);
    for (auto& [name, entry] : models_)
      if (const std::string stamp = stamp_of(entry.path); !stamp.empty() && stamp != entry.stamp) {
        changed.emplace_back(name, entry.path);
        entry.stamp = stamp;  // a file that cannot be read is not read again before it changes
      }
  }
  for (const auto& [name, path] : changed) {
    bool good = true;
    try {
      load(name, path);
      told(name + ": read anew from " + path);
    } catch (const std::exception& error) {
      good = false;
      told(name + ": the changed file is not served, the model before it is: " + error.what());
    }
    metrics_.add("graft_reloads_total", "Model files that changed.",
                 {{"model", name}, {"result", good ? "served" : "refused"}});
  }
}

std::vector<std::shared_ptr<ServedModel>> Service::models() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<ServedModel>> all;
  for (const auto& [name, entry] : models_) all.push_back(entry.model);
  return all;
}

std::shared_ptr<ServedModel> Service::model(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [known, entry] : models_)
    if (known == name || name.empty()) return entry.model;
  return nullptr;
}

void Service::set_connections(std::function<size_t()> count) {
  const std::lock_guard lock(mutex_);
  connections_ = std::move(count);
}

void Service::count_refused(int status) const {
  metrics_.add("graft_requests_total", "Requests by route and status.",
               {{"route", "refused"}, {"status", std::to_string(status)}});
}

std::string Service::metrics_text() const {
  std::vector<ServerMetrics::Gauge> gauges;
  for (const auto& model : models())
    gauges.push_back({"graft_jobs_waiting",
                      "Pictures and arrays that wait for their batch.",
                      {{"model", model->name()}},
                      static_cast<double>(model->waiting())});
  const std::lock_guard lock(mutex_);
  if (connections_)
    gauges.push_back({"graft_connections", "Open connections.", {}, static_cast<double>(connections_())});
  return metrics_.text(gauges);
}

std::optional<HttpReply> Service::refusal(const HttpRequest& request) const {
  std::optional<HttpReply> reply = refused(request);
  if (reply) count_refused(reply->status);
  return reply;
}

std::optional<HttpReply> Service::refused(const HttpRequest& request) const {
  const std::string& host = request.header("host");
  if (!host.empty() && !is_own_name(host, settings_.hosts))
    return error_reply(403, "this server is not called " + without_port(host) + "; --public-host tells it so");
  // A page of another site may send a form here, but not read the answer, nor make the server work for it.
  const std::string& origin = request.header("origin");
  const size_t slashes = origin.find("//");
  const std::string from = slashes == std::string::npos ? origin : origin.substr(slashes + 2);
  const bool is_public =
      std::find(settings_.hosts.begin(), settings_.hosts.end(), without_port(from)) != settings_.hosts.end();
  if (!origin.empty() && from != host && !is_public)
    return error_reply(403, "requests of other sites' pages are not answered");
  const bool watches =
      request.path == "/healthz" || request.path == "/readyz" || request.path.starts_with("/v2/health/");
  const bool open = watches || request.path == "/" || request.path.starts_with("/page/");
  if (!watches && !rates_.take(request.client)) {
    HttpReply reply = error_reply(429, "more requests a second than are allowed");
    reply.headers["Retry-After"] = "1";
    return reply;
  }
  std::string given = request.header("authorization");
  const size_t scheme = std::min(given.find(' '), given.size());
  given.replace(0, scheme, lower_case(given.substr(0, scheme)));
  if (!settings_.token.empty() && !open && !same_secret(given, "bearer " + settings_.token)) {
    HttpReply reply = error_reply(401, "give the server's token: Authorization: Bearer TOKEN");
    reply.headers["WWW-Authenticate"] = "Bearer";
    return reply;
  }
  return std::nullopt;
}

void Service::handle(HttpRequest request, const HttpServer::Respond& respond) {
  const auto start = std::chrono::steady_clock::now();
  const RouteEntry* found = nullptr;
  std::vector<std::string> words;
  std::string allowed;  // methods of this path
  const std::string method = request.method == "HEAD" ? "GET" : request.method;
  for (const RouteEntry& entry : routes_) {
    const auto match = matched(entry.path, request.path);
    if (!match) continue;
    allowed += (allowed.empty() ? "" : ", ") + entry.method + (entry.method == "GET" ? ", HEAD" : "");
    if (entry.method != method) continue;
    found = &entry;
    words = *match;
    break;
  }
  const std::string route = found ? found->path : "other";
  const auto answer = [this, respond, start, route](HttpReply reply) {
    metrics_.add("graft_requests_total", "Requests by route and status.",
                 {{"route", route}, {"status", std::to_string(reply.status)}});
    metrics_.observe("graft_request_seconds", "From a request's last byte to its answer.", {{"route", route}},
                     {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10},
                     std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    respond(std::move(reply));
  };
  const bool protocol = request.path.starts_with("/v2");  // whose errors are text
  const auto refuse = [&](int status, const std::string& text) {
    return protocol ? json_reply({{"error", text}}, status) : error_reply(status, text);
  };
  if (!found && allowed.empty())
    return answer(refuse(404, "there is nothing at this address; /openapi.json tells what there is"));
  if (!found) {
    HttpReply reply = refuse(405, "this address takes " + allowed);
    reply.headers["Allow"] = allowed;
    return answer(std::move(reply));
  }
  try {
    found->route(*this, {std::move(request), std::move(words), answer});
  } catch (const Error& error) {
    answer(refuse(400, error.what()));
  }
}

}  // namespace graft::app
