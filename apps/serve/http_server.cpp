#include "apps/serve/http_server.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "apps/serve/batcher.h"
#include "augment/data/file_kinds.h"
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

/// Decoding is ours: the library's cuts a text at a NUL.
size_t left_as_it_is(void*, MHD_Connection*, char* text) { return std::strlen(text); }

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

/// Pages of ours take nothing from elsewhere and are taken into none; nothing of an answer is kept.
void add_security_headers(MHD_Response* response) {
  constexpr std::pair<const char*, const char*> kHeaders[] = {
      {"Content-Security-Policy",
       "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
       "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
      {"X-Content-Type-Options", "nosniff"},
      {"X-Frame-Options", "DENY"},
      {"Referrer-Policy", "no-referrer"},
      {"Cross-Origin-Opener-Policy", "same-origin"},
      {"Cross-Origin-Resource-Policy", "same-origin"},
      {"Cache-Control", "no-store"}};
  for (const auto& [name, value] : kHeaders) lib().MHD_add_response_header(response, name, value);
}

/// One request, from its head to its answer. Answers may come from another thread, and after the connection is gone.
struct Exchange {
  HttpRequest request;
  bool handed_out = false, too_large = false;
  bool counted = false;                 // among the answers that are due
  size_t bytes = 0;                     // of its body, as far as it is there
  MHD_Connection* suspended = nullptr;  // waits for the answer
  std::optional<HttpReply> reply;
};

/// A connection, and when it is closed because its client takes too long to say what it wants.
struct Connection {
  std::atomic<Clock::rep> deadline{0};  // 0: none; it is the server's turn
  int socket = -1;
};

}  // namespace

bool percent_decoded(std::string& text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      result += text[i];
      continue;
    }
    unsigned byte = 0;
    const char* const digits = text.data() + i + 1;
    if (i + 2 >= text.size() || std::from_chars(digits, digits + 2, byte, 16).ptr != digits + 2 || byte == 0)
      return false;
    result += static_cast<char>(byte);
    i += 2;
  }
  text = std::move(result);
  return true;
}

const std::string& HttpRequest::header(const std::string& lower_case_name) const {
  static const std::string none;
  const auto at = headers.find(lower_case_name);
  return at == headers.end() ? none : at->second;
}

std::string HttpRequest::media_type() const {
  std::string type = lower_case(header("content-type"));
  type = type.substr(0, type.find(';'));
  while (!type.empty() && type.back() == ' ') type.pop_back();
  return type;
}

struct HttpServer::Impl : std::enable_shared_from_this<HttpServer::Impl> {
  Impl(const HttpSettings& wanted, Handler wanted_handler, Check wanted_check, Refused wanted_refused)
      : settings(wanted),
        handler(std::move(wanted_handler)),
        check(std::move(wanted_check)),
        refused(std::move(wanted_refused)) {}

  void start() {
    const Address address = address_of(settings.address, settings.port);
    // Bodies are parsed by these, while the network goes on.
    handing_out.emplace(
        BatchLimits{1, std::chrono::milliseconds(0), SIZE_MAX},
        [](const std::vector<std::function<void()>>& jobs) { jobs.front()(); }, 2);
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
        MHD_OPTION_NOTIFY_COMPLETED, &Impl::completed, this, MHD_OPTION_UNESCAPE_CALLBACK, &left_as_it_is, nullptr,
        MHD_OPTION_ARRAY, more.data(), MHD_OPTION_END);
    if (!daemon)
      throw Error(settings.address + ":" + std::to_string(settings.port) + ": cannot listen (" + std::strerror(errno) +
                      ")" + (settings.certificate.empty() ? "" : ", or certificate and key do not fit"),
                  "choose another " + mention("port") + ", or end what has it", ErrorCode::io);
    reaper = std::thread([this] { reap(); });
  }

  void stop() {
    const MHD_socket listening = lib().MHD_quiesce_daemon(daemon);
    {
      std::unique_lock lock(mutex);
      ending = true;  // what asks from now on is refused
      changed.wait_for(lock, std::chrono::seconds(settings.limits.seconds_to_end), [this] { return due == 0; });
      for (const auto& exchange : waiting) respond(*exchange, plain(503, "the server ends"));
      waiting.clear();
      changed.wait_for(lock, std::chrono::seconds(2), [this] { return due == 0; });
      ended = true;
    }
    changed.notify_all();
    reaper.join();
    lib().MHD_stop_daemon(daemon);
    if (listening >= 0) ::close(listening);
    handing_out.reset();
  }

  static MHD_Result access(void* self, MHD_Connection* connection, const char* url, const char* method, const char*,
                           const char* upload, size_t* upload_size, void** context) {
    return guarded(
        [&] { return static_cast<Impl*>(self)->access(connection, url, method, upload, upload_size, context); });
  }

  /// No exception may pass through the library: the connection is closed then.
  template <typename Body>
  static MHD_Result guarded(const Body& body) noexcept {
    try {
      return body();
    } catch (const std::exception&) {
      return MHD_NO;
    }
  }

  /// Called when a request's head is there, for each piece of its body, at its end, and again once it is resumed.
  MHD_Result access(MHD_Connection* connection, const char* url, const char* method, const char* upload,
                    size_t* upload_size, void** context) {
    if (!*context) {
      auto made = std::make_unique<std::shared_ptr<Exchange>>(std::make_shared<Exchange>());
      HttpRequest& request = (*made)->request;
      request.method = method;
      request.path = url;
      take_values(connection, request);
      *context = made.release();
      set_deadline(connection, settings.limits.seconds_to_send);
      return take_head(connection, request);
    }
    const std::shared_ptr<Exchange>& exchange = *static_cast<std::shared_ptr<Exchange>*>(*context);
    if (*upload_size > 0) {
      const size_t size = std::exchange(*upload_size, 0);
      exchange->bytes += size;
      held += size;
      // Of a body of unknown length: what is too much is thrown away, and after as much again nobody listens.
      if (exchange->bytes > 2 * settings.limits.body_bytes) return MHD_NO;
      exchange->too_large = exchange->too_large || exchange->bytes > settings.limits.body_bytes;
      if (held > settings.limits.all_bodies_bytes) return MHD_NO;
      if (exchange->too_large)
        exchange->request.body.clear();
      else
        exchange->request.body.append(upload, size);
      return MHD_YES;
    }
    if (!exchange->handed_out) {
      exchange->handed_out = true;
      set_deadline(connection, 0);
      if (exchange->too_large) return refuse(connection, 413, "the body is larger than is allowed");
      if (exchange->request.media_type() == "multipart/form-data" && !take_parts(connection, exchange->request))
        return refuse(connection, 400, "the multipart body is not well-formed");
      bool taken = false;
      {
        const std::lock_guard lock(mutex);
        if (!ending) {
          taken = true;
          ++due;
          exchange->counted = true;
          waiting.insert(exchange);
          exchange->suspended = connection;
          lib().MHD_suspend_connection(connection);
        }
      }
      if (!taken) return refuse(connection, 503, "the server ends");
      hand_out(exchange);
      return MHD_YES;
    }
    std::optional<HttpReply> reply;
    {
      const std::lock_guard lock(mutex);
      reply.swap(exchange->reply);
    }
    // Whoever reads its answer a byte at a time is given up, too.
    set_deadline(connection, 4 * settings.limits.seconds_to_send);
    return reply ? answer(connection, *reply) : MHD_NO;
  }

  /// Refuses what its head alone shows not to be answered: then its body is not read.
  MHD_Result take_head(MHD_Connection* connection, const HttpRequest& request) {
    // What two programs may read in two ways lets a request hide in another's body [RFC 9112, §6.3, §3.2].
    const std::string& length = request.header("content-length");
    const std::string& transfer = request.header("transfer-encoding");
    if (request.malformed || (!length.empty() && !transfer.empty()))
      return refuse(connection, 400, "the request's head is ambiguous or not well-formed");
    if (!transfer.empty() && lower_case(transfer) != "chunked")
      return refuse(connection, 501, "of transfer encodings only chunked is known");
    if (const std::string& coding = request.header("content-encoding");
        !coding.empty() && lower_case(coding) != "identity")
      return refuse(connection, 415, "bodies are taken without a content encoding");
    const size_t bytes = length.empty() ? 0 : std::strtoull(length.c_str(), nullptr, 10);
    if (bytes > settings.limits.body_bytes) return refuse(connection, 413, "the body is larger than is allowed");
    if (held + bytes > settings.limits.all_bodies_bytes)
      return refuse(connection, 503, "too many bodies are being read; try again in a second");
    if (check)
      if (const std::optional<HttpReply> reply = check(request)) return answer(connection, *reply);
    return MHD_YES;
  }

  MHD_Result refuse(MHD_Connection* connection, int status, const char* text) const {
    if (refused) refused(status);
    HttpReply reply = plain(status, text);
    if (status == 503) reply.headers["Retry-After"] = "1";
    if (status == 400 || status == 501) reply.headers["Connection"] = "close";  // where the next begins is not known
    return answer(connection, reply);
  }

  void hand_out(const std::shared_ptr<Exchange>& exchange) {
    // An answer may come when the server is gone.
    const auto once = [weak = weak_from_this(), exchange](HttpReply reply) {
      const std::shared_ptr<Impl> self = weak.lock();
      if (!self) return;
      const std::lock_guard lock(self->mutex);
      if (self->waiting.erase(exchange) > 0) self->respond(*exchange, std::move(reply));
    };
    std::vector<std::function<void()>> jobs;
    jobs.emplace_back([this, exchange, once] {
      try {
        handler(std::move(exchange->request), once);
      } catch (const std::exception&) {  // what it says may be of the server's inside
        if (refused) refused(500);
        once(plain(500, "the server failed"));
      }
    });
    handing_out->add(std::move(jobs));
  }

  /// Lets the connection go on, with its answer. Needs `mutex`.
  void respond(Exchange& exchange, HttpReply reply) {
    if (!exchange.suspended) return;
    exchange.reply = std::move(reply);
    lib().MHD_resume_connection(std::exchange(exchange.suspended, nullptr));
  }

  MHD_Result answer(MHD_Connection* connection, const HttpReply& reply) const {
    MHD_Response* const response = lib().MHD_create_response_from_buffer(
        reply.body.size(), const_cast<char*>(reply.body.data()), MHD_RESPMEM_MUST_COPY);
    if (!response) return MHD_NO;
    lib().MHD_add_response_header(response, "Content-Type", reply.type.c_str());
    add_security_headers(response);
    for (const auto& [name, value] : reply.headers)
      lib().MHD_add_response_header(response, name.c_str(), value.c_str());
    const MHD_Result result = lib().MHD_queue_response(connection, static_cast<unsigned>(reply.status), response);
    lib().MHD_destroy_response(response);
    return result;
  }

  static void take_values(MHD_Connection* connection, HttpRequest& request) {
    const auto keep = [](void* to, MHD_ValueKind kind, const char* key, const char* value) {
      return guarded([&] {
        HttpRequest& into = *static_cast<HttpRequest*>(to);
        if (kind == MHD_HEADER_KIND) {
          const std::string name = lower_case(key);
          const bool is_new = into.headers.try_emplace(name, value ? value : "").second;
          into.malformed = into.malformed ||
                           (!is_new && (name == "content-length" || name == "transfer-encoding" || name == "host"));
          return MHD_YES;
        }
        std::string text = value ? value : "", name = key;
        into.malformed = into.malformed || !percent_decoded(text) || !percent_decoded(name);
        into.malformed = !into.query.try_emplace(name, text).second || into.malformed;
        return MHD_YES;
      });
    };
    lib().MHD_get_connection_values(connection, MHD_HEADER_KIND, keep, &request);
    lib().MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, keep, &request);
    const MHD_ConnectionInfo* const client =
        lib().MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (client) request.client = text_of(client->client_addr);
  }

  static bool take_parts(MHD_Connection* connection, HttpRequest& request) {
    const auto piece = [](void* to, MHD_ValueKind, const char* key, const char* file, const char* type, const char*,
                          const char* data, uint64_t offset, size_t size) {
      return guarded([&] {
        std::vector<HttpPart>& parts = *static_cast<std::vector<HttpPart>*>(to);
        if (offset == 0 || parts.empty()) parts.push_back({key ? key : "", file ? file : "", type ? type : "", {}});
        parts.back().bytes.append(data, size);
        return MHD_YES;
      });
    };
    MHD_PostProcessor* const processor = lib().MHD_create_post_processor(connection, 64 << 10, piece, &request.parts);
    if (!processor) return false;
    const bool read = lib().MHD_post_process(processor, request.body.data(), request.body.size()) == MHD_YES;
    const bool ended = lib().MHD_destroy_post_processor(processor) == MHD_YES;
    request.body.clear();
    request.body.shrink_to_fit();
    return read && ended && !request.parts.empty();
  }

  /// Called when an answer is sent, or the connection is gone before.
  static void completed(void* self, MHD_Connection* connection, void** context, MHD_RequestTerminationCode) {
    auto* const exchange = static_cast<std::shared_ptr<Exchange>*>(std::exchange(*context, nullptr));
    auto* const server = static_cast<Impl*>(self);
    server->set_deadline(connection, server->settings.limits.seconds_to_send);
    if (!exchange) return;
    const std::unique_ptr<std::shared_ptr<Exchange>> owned(exchange);
    server->held -= (*exchange)->bytes;
    const std::lock_guard lock(server->mutex);
    if (!(*exchange)->counted) return;
    --server->due;
    server->changed.notify_all();
  }

  static void connection_changed(void* self, MHD_Connection* handle, void** context,
                                 MHD_ConnectionNotificationCode code) {
    auto* const server = static_cast<Impl*>(self);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
      auto* const connection = new (std::nothrow) Connection;
      if (!connection) return;  // it has no deadline then
      const MHD_ConnectionInfo* const info = lib().MHD_get_connection_info(handle, MHD_CONNECTION_INFO_CONNECTION_FD);
      if (info) connection->socket = info->connect_fd;
      *context = connection;
      guarded([&] {
        const std::lock_guard lock(server->mutex);
        server->connections.insert(connection);
        return MHD_YES;
      });
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
    while (!ended) {
      changed.wait_for(lock, std::chrono::seconds(1), [this] { return ended; });
      const Clock::rep now = Clock::now().time_since_epoch().count();
      for (const Connection* connection : connections)
        if (const Clock::rep deadline = connection->deadline; deadline != 0 && deadline < now)
          ::shutdown(connection->socket, SHUT_RDWR);
    }
  }

  HttpSettings settings;
  Handler handler;
  Check check;
  Refused refused;
  std::optional<Batcher<std::function<void()>>> handing_out;
  MHD_Daemon* daemon = nullptr;
  std::thread reaper;
  std::mutex mutex;
  std::condition_variable changed;
  bool ending = false, ended = false;
  std::atomic<size_t> held{0};                  // bytes of bodies
  size_t due = 0;                               // answers
  std::set<std::shared_ptr<Exchange>> waiting;  // for them
  std::set<Connection*> connections;
};

HttpServer::HttpServer(const HttpSettings& settings, Handler handler, Check check, Refused refused)
    : impl_(std::make_shared<Impl>(settings, std::move(handler), std::move(check), std::move(refused))) {
  impl_->start();
}
HttpServer::~HttpServer() { impl_->stop(); }

int HttpServer::port() const {
  const MHD_DaemonInfo* const info = lib().MHD_get_daemon_info(impl_->daemon, MHD_DAEMON_INFO_BIND_PORT);
  return info ? info->port : impl_->settings.port;
}

size_t HttpServer::open_connections() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->connections.size();
}

}  // namespace graft::app
