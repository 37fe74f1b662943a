#include "apps/serve/http_server.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "apps/serve/rate_limit.h"
#include "runtime/core/error.h"
#include "runtime/core/shared_library.h"

namespace graft::app {
namespace {

using Clock = std::chrono::steady_clock;

struct Library {
  SharedLibrary library{GRAFT_MICROHTTPD_LIBRARY, "the server"};
#define GRAFT_FUNCTION(name) decltype(&::name) name = library.function<decltype(::name)>(#name)
  GRAFT_FUNCTION(MHD_start_daemon);
  GRAFT_FUNCTION(MHD_quiesce_daemon);
  GRAFT_FUNCTION(MHD_stop_daemon);
  GRAFT_FUNCTION(MHD_get_daemon_info);
  GRAFT_FUNCTION(MHD_get_connection_info);
  GRAFT_FUNCTION(MHD_get_connection_values);
  GRAFT_FUNCTION(MHD_suspend_connection);
  GRAFT_FUNCTION(MHD_resume_connection);
  GRAFT_FUNCTION(MHD_create_response_from_buffer);
  GRAFT_FUNCTION(MHD_add_response_header);
  GRAFT_FUNCTION(MHD_queue_response);
  GRAFT_FUNCTION(MHD_destroy_response);
  GRAFT_FUNCTION(MHD_create_post_processor);
  GRAFT_FUNCTION(MHD_post_process);
  GRAFT_FUNCTION(MHD_destroy_post_processor);
#undef GRAFT_FUNCTION
};

const Library& lib() {
  static const Library opened;
  return opened;
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

/// An IPv4 or IPv6 address with a port.
struct Address {
  sockaddr_storage storage{};
  bool is_v6 = false;
};

Address address_of(const std::string& text, int port) {
  Address a;
  auto* const four = reinterpret_cast<sockaddr_in*>(&a.storage);
  auto* const six = reinterpret_cast<sockaddr_in6*>(&a.storage);
  if (inet_pton(AF_INET, text.c_str(), &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons(static_cast<uint16_t>(port));
  } else if (inet_pton(AF_INET6, text.c_str(), &six->sin6_addr) == 1) {
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(static_cast<uint16_t>(port));
    a.is_v6 = true;
  } else {
    throw Error("\"" + text + "\" is no IP address", "give 127.0.0.1, 0.0.0.0 or one of this machine's").about("host");
  }
  return a;
}

std::string text_of(const sockaddr* address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address && address->sa_family == AF_INET)
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text, sizeof text);
  else if (address && address->sa_family == AF_INET6)
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, text, sizeof text);
  return text;
}

HttpReply plain(int status, const std::string& text) {
  return {status, "application/json",
          "{\"error\": {\"code\": " + std::to_string(status) + ", \"text\": \"" + text + "\"}}\n"};
}

/// One request, from its head to its answer. Answers may come from another thread, and after the connection is gone.
struct Exchange {
  HttpRequest request;
  bool handed_out = false;
  std::mutex mutex;
  MHD_Connection* suspended = nullptr;  // waits for the answer
  std::optional<HttpReply> reply;
};

/// A connection, and when it is closed because its client takes too long to say what it wants.
struct Connection {
  std::atomic<Clock::rep> deadline{0};  // 0: none; it is the server's turn
  int socket = -1;
};

}  // namespace

const std::string& HttpRequest::header(const std::string& lower_case_name) const {
  static const std::string none;
  const auto at = headers.find(lower_case_name);
  return at == headers.end() ? none : at->second;
}

std::string HttpRequest::media_type() const {
  std::string type = lower(header("content-type"));
  type = type.substr(0, type.find(';'));
  while (!type.empty() && type.back() == ' ') type.pop_back();
  return type;
}

struct HttpServer::Impl {
  Impl(const HttpSettings& wanted, Handler wanted_handler)
      : settings(wanted), handler(std::move(wanted_handler)), rates(wanted.limits.requests_per_second) {
    const Address address = address_of(settings.address, settings.port);
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
    if (address.is_v6) flags |= MHD_USE_IPv6;
    std::vector<MHD_OptionItem> more;
    if (!settings.certificate.empty()) {
      flags |= MHD_USE_TLS;
      more.push_back({MHD_OPTION_HTTPS_MEM_CERT, 0, settings.certificate.data()});
      more.push_back({MHD_OPTION_HTTPS_MEM_KEY, 0, settings.private_key.data()});
    }
    more.push_back({MHD_OPTION_END, 0, nullptr});
    daemon = lib().MHD_start_daemon(
        flags, 0, nullptr, nullptr, &Impl::access, this, MHD_OPTION_SOCK_ADDR, &address.storage,
        MHD_OPTION_CONNECTION_LIMIT, settings.limits.connections, MHD_OPTION_CONNECTION_TIMEOUT,
        settings.limits.seconds_idle, MHD_OPTION_CONNECTION_MEMORY_LIMIT, size_t{16 << 10},
        MHD_OPTION_LISTEN_BACKLOG_SIZE, 1024u, MHD_OPTION_NOTIFY_CONNECTION, &Impl::connection_changed, this,
        MHD_OPTION_NOTIFY_COMPLETED, &Impl::completed, this, MHD_OPTION_ARRAY, more.data(), MHD_OPTION_END);
    if (!daemon)
      throw Error(settings.address + ":" + std::to_string(settings.port) + ": cannot listen (" + std::strerror(errno) +
                      ")" + (settings.certificate.empty() ? "" : ", or certificate and key do not fit"),
                  "choose another --port, or end what has it", ErrorCode::io);
    reaper = std::thread([this] { reap(); });
  }

  ~Impl() {
    const MHD_socket listening = lib().MHD_quiesce_daemon(daemon);
    if (listening >= 0) ::close(listening);
    {
      std::unique_lock lock(mutex);
      changed.wait_for(lock, std::chrono::seconds(10), [this] { return due == 0; });
      ending = true;
    }
    changed.notify_all();
    reaper.join();
    {
      const std::lock_guard lock(mutex);
      for (const auto& exchange : waiting) respond(*exchange, plain(503, "the server ends"));
    }
    lib().MHD_stop_daemon(daemon);
  }

  static MHD_Result access(void* self, MHD_Connection* connection, const char* url, const char* method, const char*,
                           const char* upload, size_t* upload_size, void** context) {
    return static_cast<Impl*>(self)->access(connection, url, method, upload, upload_size, context);
  }

  /// Called when a request's head is there, for each piece of its body, at its end, and again once it is resumed.
  MHD_Result access(MHD_Connection* connection, const char* url, const char* method, const char* upload,
                    size_t* upload_size, void** context) {
    if (!*context) {
      auto* const exchange = new std::shared_ptr<Exchange>(std::make_shared<Exchange>());
      *context = exchange;
      set_deadline(connection, settings.limits.seconds_to_send);
      HttpRequest& request = (*exchange)->request;
      request.method = method;
      request.path = url;
      take_values(connection, request);
      const std::string& length = request.header("content-length");
      if (!length.empty() && std::strtoull(length.c_str(), nullptr, 10) > settings.limits.body_bytes)
        return answer(connection, too_large());
      return MHD_YES;
    }
    const std::shared_ptr<Exchange>& exchange = *static_cast<std::shared_ptr<Exchange>*>(*context);
    if (*upload_size > 0) {
      HttpRequest& request = exchange->request;
      // A body of unknown length that grows too large: what is left of it is not read.
      if (request.body.size() + *upload_size > settings.limits.body_bytes) return MHD_NO;
      request.body.append(upload, *upload_size);
      *upload_size = 0;
      return MHD_YES;
    }
    if (!exchange->handed_out) {
      exchange->handed_out = true;
      set_deadline(connection, 0);
      if (!rates.take(exchange->request.client)) {
        HttpReply reply = plain(429, "more requests a second than are allowed");
        reply.headers["Retry-After"] = "1";
        return answer(connection, reply);
      }
      if (exchange->request.media_type() == "multipart/form-data" && !take_parts(connection, exchange->request))
        return answer(connection, plain(400, "the multipart body is not well-formed"));
      {
        const std::lock_guard lock(mutex);
        ++due;
        waiting.insert(exchange);
      }
      exchange->suspended = connection;
      lib().MHD_suspend_connection(connection);
      hand_out(exchange);
      return MHD_YES;
    }
    std::optional<HttpReply> reply;
    {
      const std::lock_guard lock(exchange->mutex);
      reply.swap(exchange->reply);
    }
    return reply ? answer(connection, *reply) : MHD_NO;
  }

  void hand_out(const std::shared_ptr<Exchange>& exchange) {
    const auto once = [this, exchange](HttpReply reply) {
      const std::lock_guard lock(mutex);
      if (waiting.contains(exchange)) respond(*exchange, std::move(reply));
      waiting.erase(exchange);
    };
    try {
      handler(std::move(exchange->request), once);
    } catch (const std::exception&) {  // what it says may be of the server's inside
      once(plain(500, "the server failed"));
    }
  }

  /// Lets the connection go on, with its answer. Needs `mutex`.
  void respond(Exchange& exchange, HttpReply reply) {
    const std::lock_guard lock(exchange.mutex);
    if (!exchange.suspended) return;
    exchange.reply = std::move(reply);
    lib().MHD_resume_connection(std::exchange(exchange.suspended, nullptr));
    --due;
    changed.notify_all();
  }

  static HttpReply too_large() { return plain(413, "the body is larger than is allowed"); }

  MHD_Result answer(MHD_Connection* connection, const HttpReply& reply) const {
    MHD_Response* const response = lib().MHD_create_response_from_buffer(
        reply.body.size(), const_cast<char*>(reply.body.data()), MHD_RESPMEM_MUST_COPY);
    if (!response) return MHD_NO;
    lib().MHD_add_response_header(response, "Content-Type", reply.type.c_str());
    for (const auto& [name, value] : reply.headers)
      lib().MHD_add_response_header(response, name.c_str(), value.c_str());
    const MHD_Result result = lib().MHD_queue_response(connection, static_cast<unsigned>(reply.status), response);
    lib().MHD_destroy_response(response);
    return result;
  }

  static void take_values(MHD_Connection* connection, HttpRequest& request) {
    const auto keep = [](void* to, MHD_ValueKind, const char* key, const char* value) {
      (*static_cast<std::map<std::string, std::string>*>(to))[key] = value ? value : "";
      return MHD_YES;
    };
    const auto keep_header = [](void* to, MHD_ValueKind, const char* key, const char* value) {
      (*static_cast<std::map<std::string, std::string>*>(to))[lower(key)] = value ? value : "";
      return MHD_YES;
    };
    lib().MHD_get_connection_values(connection, MHD_HEADER_KIND, keep_header, &request.headers);
    lib().MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, keep, &request.query);
    const MHD_ConnectionInfo* const client =
        lib().MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (client) request.client = text_of(client->client_addr);
  }

  static bool take_parts(MHD_Connection* connection, HttpRequest& request) {
    struct Taking {
      std::vector<HttpPart>* parts;
    } taking{&request.parts};
    const auto piece = [](void* to, MHD_ValueKind, const char* key, const char* file, const char* type, const char*,
                          const char* data, uint64_t offset, size_t size) {
      std::vector<HttpPart>& parts = *static_cast<Taking*>(to)->parts;
      if (offset == 0 || parts.empty()) parts.push_back({key ? key : "", file ? file : "", type ? type : "", {}});
      parts.back().bytes.append(data, size);
      return MHD_YES;
    };
    MHD_PostProcessor* const processor = lib().MHD_create_post_processor(connection, 64 << 10, piece, &taking);
    if (!processor) return false;
    const bool read = lib().MHD_post_process(processor, request.body.data(), request.body.size()) == MHD_YES;
    const bool ended = lib().MHD_destroy_post_processor(processor) == MHD_YES;
    request.body.clear();
    request.body.shrink_to_fit();
    return read && ended;
  }

  static void completed(void* self, MHD_Connection* connection, void** context, MHD_RequestTerminationCode) {
    auto* const exchange = static_cast<std::shared_ptr<Exchange>*>(*context);
    auto* const server = static_cast<Impl*>(self);
    server->set_deadline(connection, server->settings.limits.seconds_to_send);
    delete exchange;
    *context = nullptr;
  }

  static void connection_changed(void* self, MHD_Connection* handle, void** context,
                                 MHD_ConnectionNotificationCode code) {
    auto* const server = static_cast<Impl*>(self);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
      auto* const connection = new Connection;
      const MHD_ConnectionInfo* const info = lib().MHD_get_connection_info(handle, MHD_CONNECTION_INFO_CONNECTION_FD);
      if (info) connection->socket = info->connect_fd;
      *context = connection;
      {
        const std::lock_guard lock(server->mutex);
        server->connections.insert(connection);
      }
      server->set_deadline(handle, server->settings.limits.seconds_to_send);
    } else {
      auto* const connection = static_cast<Connection*>(*context);
      const std::lock_guard lock(server->mutex);
      server->connections.erase(connection);
      delete connection;
    }
  }

  /// 0: none.
  void set_deadline(MHD_Connection* handle, unsigned seconds) const {
    const MHD_ConnectionInfo* const info = lib().MHD_get_connection_info(handle, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    auto* const connection = info ? static_cast<Connection*>(info->socket_context) : nullptr;
    if (!connection) return;
    connection->deadline = seconds == 0 ? 0 : (Clock::now() + std::chrono::seconds(seconds)).time_since_epoch().count();
  }

  /// Once a second closes what sends its request a byte at a time: the library counts only silence.
  void reap() {
    std::unique_lock lock(mutex);
    while (!ending) {
      changed.wait_for(lock, std::chrono::seconds(1), [this] { return ending; });
      const Clock::rep now = Clock::now().time_since_epoch().count();
      for (const Connection* connection : connections)
        if (const Clock::rep deadline = connection->deadline; deadline != 0 && deadline < now)
          ::shutdown(connection->socket, SHUT_RDWR);
    }
  }

  HttpSettings settings;
  Handler handler;
  RateLimit rates;
  MHD_Daemon* daemon = nullptr;
  std::thread reaper;
  std::mutex mutex;
  std::condition_variable changed;
  bool ending = false;
  size_t due = 0;                               // answers
  std::set<std::shared_ptr<Exchange>> waiting;  // for them
  std::set<Connection*> connections;
};

HttpServer::HttpServer(const HttpSettings& settings, Handler handler)
    : impl_(std::make_unique<Impl>(settings, std::move(handler))) {}
HttpServer::~HttpServer() = default;

int HttpServer::port() const {
  const MHD_DaemonInfo* const info = lib().MHD_get_daemon_info(impl_->daemon, MHD_DAEMON_INFO_BIND_PORT);
  return info ? info->port : impl_->settings.port;
}

size_t HttpServer::open_connections() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->connections.size();
}

}  // namespace graft::app
