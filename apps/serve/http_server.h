#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace graft::app {

/// A part of a multipart/form-data body.
struct HttpPart {
  std::string name, file_name, type, bytes;
};

struct HttpRequest {
  std::string method, path;                           // the path as it came, percent-encoded
  std::map<std::string, std::string> query, headers;  // headers by their names in lower case
  std::string body;
  std::vector<HttpPart> parts;  // of a multipart/form-data body, whose bytes they are instead
  std::string client;           // its address, without the port
  bool malformed = false;       // its head can be read in two ways, or holds what no text is

  /// A header's value, or "".
  const std::string& header(const std::string& lower_case_name) const;
  /// The body's media type in lower case, without parameters: "image/jpeg".
  std::string media_type() const;
};

struct HttpReply {
  int status = 200;
  std::string type = "application/json", body;
  std::map<std::string, std::string> headers{};
};

/// "a%20b" → "a b", in place; false for what is no such text, or holds a NUL.
bool percent_decoded(std::string& text);

struct HttpLimits {
  size_t body_bytes = 64 << 20;   // of one request; more is answered with 413
  unsigned connections = 4000;    // open at a time; more wait in the system's queue
  unsigned seconds_to_send = 30;  // for a request's head, and again for its body; then the connection is closed
  unsigned seconds_idle = 15;     // of a connection without any byte
  size_t all_bodies_bytes = size_t{1} << 30;  // of all requests that are not answered yet; more is answered with 503
  unsigned seconds_to_end = 60;               // that answers may still take when the server ends
};

struct HttpSettings {
  std::string address = "127.0.0.1";
  int port = 8080;  // 0: one that is free
  HttpLimits limits;
  /// PEM text; both or neither.
  std::string certificate, private_key;
};

/// HTTP/1.1 by libmicrohttpd, which is opened when a server is made: events instead of a thread a connection, so that
/// whoever sends slowly or says nothing takes memory and no more. Requests are handed out whole; answers may come later
/// and from any thread.
class HttpServer {
 public:
  /// Answers the request; once, from any thread.
  using Respond = std::function<void(HttpReply)>;
  /// Called from threads of the server's own, not those that wait for the network. What it throws is answered with 500.
  using Handler = std::function<void(HttpRequest, Respond)>;
  /// Called with a request's head, before its body is read: an answer refuses it. Must not take long.
  using Check = std::function<std::optional<HttpReply>(const HttpRequest&)>;
  /// Told of each status that neither of them gave: 413, 429, 503, 400, 500.
  using Refused = std::function<void(int status)>;

  /// Listens. Throws Error: io where the port cannot be had, unsupported where the library is missing.
  HttpServer(const HttpSettings& settings, Handler handler, Check check = {}, Refused refused = {});
  /// Takes no more requests, waits for answers that are due, but not longer than `seconds_to_end`, and closes. An
  /// answer that comes after that goes nowhere.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const;
  size_t open_connections() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace graft::app
