#include "apps/models/download.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <thread>

#include "apps/library/sha256.h"
#include "runtime/core/error.h"
#include "runtime/core/memory_text.h"
#include "runtime/core/shared_library.h"

namespace graft::app {
namespace {

namespace fs = std::filesystem;

constexpr double kLongestWait = 60;
constexpr long kMostRedirects = 10;

struct Library {
  SharedLibrary library{GRAFT_CURL_LIBRARY, "downloads"};
#define GRAFT_FUNCTION(name) decltype(&::name) name = library.function<decltype(::name)>(#name)
  // curl.h wraps these in macros that check types.
#undef curl_easy_setopt
#undef curl_easy_getinfo
  GRAFT_FUNCTION(curl_global_init);
  GRAFT_FUNCTION(curl_easy_init);
  GRAFT_FUNCTION(curl_easy_cleanup);
  GRAFT_FUNCTION(curl_easy_setopt);
  GRAFT_FUNCTION(curl_easy_perform);
  GRAFT_FUNCTION(curl_easy_getinfo);
  GRAFT_FUNCTION(curl_easy_strerror);
  GRAFT_FUNCTION(curl_slist_append);
  GRAFT_FUNCTION(curl_slist_free_all);
#undef GRAFT_FUNCTION
  Library() { curl_global_init(CURL_GLOBAL_DEFAULT); }
};

const Library& lib() {
  static const Library opened;
  return opened;
}

/// The file that grows, alone in its folder's lock: two programs that want one model do not write into each other's.
class Part {
 public:
  explicit Part(const std::string& path) : path_(path + ".part") {
    fs::create_directories(fs::path(path).parent_path());
    file_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file_ < 0) throw Error(path_ + ": cannot be written: " + std::strerror(errno), {}, ErrorCode::io);
    // Whoever had it before may have given it its name since: then this is that file, and no part any more.
    if (::flock(file_, LOCK_EX | LOCK_NB) != 0 || !is_at_its_path()) {
      ::close(file_);
      throw Error(path + ": another program is fetching it", "try again when that is done", ErrorCode::io);
    }
  }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;
  ~Part() {
    if (size() == 0 && is_at_its_path()) remove();  // nothing came
    ::close(file_);
  }

  int64_t size() const { return ::lseek(file_, 0, SEEK_END); }
  void clear() {
    if (::ftruncate(file_, 0) != 0)
      throw Error(path_ + ": cannot be written: " + std::strerror(errno), {}, ErrorCode::io);
  }
  bool append(const char* bytes, size_t count) {
    ::lseek(file_, 0, SEEK_END);
    while (count > 0) {
      const ssize_t written = ::write(file_, bytes, count);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return false;
      bytes += written;
      count -= static_cast<size_t>(written);
    }
    return true;
  }
  void remove() { ::unlink(path_.c_str()); }
  void become(const std::string& path) {
    if (::fsync(file_) != 0 || std::rename(path_.c_str(), path.c_str()) != 0)
      throw Error(path + ": cannot be written: " + std::strerror(errno), {}, ErrorCode::io);
  }
  const std::string& path() const { return path_; }

 private:
  bool is_at_its_path() const {
    struct stat own {
    }, there{};
    return ::fstat(file_, &own) == 0 && ::stat(path_.c_str(), &there) == 0 && own.st_dev == there.st_dev &&
           own.st_ino == there.st_ino;
  }
  std::string path_;
  int file_ = -1;
};

/// What one request was answered.
struct Answer {
  CURLcode code = CURLE_OK;
  long status = 0;
  double wait = 0;      // seconds that the server asks for
  std::string failure;  // of the disk, or what is wrong with the answer
};

/// One request, and where its bytes go.
class Request {
 public:
  /// Takes bytes, once the status is known; false ends the request.
  using Sink = std::function<bool(long status, const char* bytes, size_t count)>;

  Request(const Download& wanted, int64_t from, Sink sink) : wanted_(wanted), from_(from), sink_(std::move(sink)) {}

  Answer run() {
    const auto& c = lib();
    std::unique_ptr<CURL, void (*)(CURL*)> handle(c.curl_easy_init(), c.curl_easy_cleanup);
    if (!handle) throw Error("libcurl does not start", {}, ErrorCode::internal);
    handle_ = handle.get();
    std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers(nullptr, c.curl_slist_free_all);
    if (!wanted_.token.empty())
      headers.reset(c.curl_slist_append(nullptr, ("Authorization: Bearer " + wanted_.token).c_str()));
    const std::string range = std::to_string(from_) + "-";
    char reason[CURL_ERROR_SIZE] = "";
    const bool secure = wanted_.url.starts_with("https:");
    const auto set = [&](CURLoption option, auto value) { c.curl_easy_setopt(handle_, option, value); };
    set(CURLOPT_URL, wanted_.url.c_str());
    set(CURLOPT_USERAGENT, "graft");
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
    set(CURLOPT_FOLLOWLOCATION, 1L);
    set(CURLOPT_MAXREDIRS, kMostRedirects);
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(1000 * wanted_.stalled_after));
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFODATA, this);
    set(
        CURLOPT_XFERINFOFUNCTION, +[](void* self, curl_off_t, curl_off_t now, curl_off_t, curl_off_t) -> int {
          return static_cast<Request*>(self)->is_stalled(now) ? 1 : 0;
        });
    set(CURLOPT_ERRORBUFFER, reason);
    set(CURLOPT_HTTPHEADER, headers.get());
    set(CURLOPT_WRITEDATA, this);
    set(
        CURLOPT_WRITEFUNCTION, +[](char* bytes, size_t size, size_t count, void* self) -> size_t {
          return static_cast<Request*>(self)->take(bytes, size * count) ? size * count : 0;
        });
    if (from_ > 0) set(CURLOPT_RANGE, range.c_str());
    last_byte_ = std::chrono::steady_clock::now();
    answer_.code = c.curl_easy_perform(handle_);
    c.curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &answer_.status);
    curl_off_t wait = 0;
    c.curl_easy_getinfo(handle_, CURLINFO_RETRY_AFTER, &wait);
    answer_.wait = static_cast<double>(wait);
    if (stalled_) answer_.code = CURLE_OPERATION_TIMEDOUT;
    if (answer_.failure.empty() && answer_.code != CURLE_OK)
      answer_.failure = stalled_    ? "no byte came for " + std::to_string(std::lround(wanted_.stalled_after)) + " s"
                        : reason[0] ? std::string(reason)
                                    : std::string(c.curl_easy_strerror(answer_.code));
    return answer_;
  }

 private:
  bool take(const char* bytes, size_t count) {
    long status = 0;
    lib().curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
    last_byte_ = std::chrono::steady_clock::now();
    return sink_(status, bytes, count);
  }
  bool is_stalled(curl_off_t now) {
    const auto time = std::chrono::steady_clock::now();
    if (now != seen_) seen_ = now, last_byte_ = time;
    stalled_ = std::chrono::duration<double>(time - last_byte_).count() > wanted_.stalled_after;
    return stalled_;
  }

  const Download& wanted_;
  int64_t from_;
  Sink sink_;
  CURL* handle_ = nullptr;
  Answer answer_;
  curl_off_t seen_ = 0;
  bool stalled_ = false;
  std::chrono::steady_clock::time_point last_byte_;
};

bool may_pass(const Answer& a) {
  switch (a.code) {
    case CURLE_OK:
      return a.status == 408 || a.status == 429 || a.status >= 500;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_SSL_CONNECT_ERROR:
      return true;
    default:
      return false;
  }
}

[[noreturn]] void refuse(const Download& wanted, const Answer& a, int tries) {
  const std::string after = tries > 1 ? ", after " + std::to_string(tries) + " tries" : "";
  if (a.code != CURLE_OK)
    throw Error(wanted.url + ": cannot be fetched: " + a.failure + after,
                "look at the connection and at http_proxy; or fetch it elsewhere and give it with --from",
                ErrorCode::io);
  const std::string status = std::to_string(a.status);
  if (a.status == 404 || a.status == 410)
    throw Error(wanted.url + ": is not there (" + status + ")", "look at its name", ErrorCode::not_found);
  if (a.status == 401 || a.status == 403)
    throw Error(wanted.url + ": is not given to everyone (" + status + ")",
                "a token that may read it goes into the environment variable HF_TOKEN", ErrorCode::io);
  throw Error(wanted.url + ": the server answers " + status + after, "try again later", ErrorCode::io);
}

void wait_before(int next_try, const Download& wanted, const Answer& answer) {
  const double own = std::min(kLongestWait, wanted.first_wait * std::pow(2.0, next_try - 2));
  const double seconds = std::min(kLongestWait, std::max(own, answer.wait));
  if (wanted.note) {
    const std::string why =
        answer.code != CURLE_OK ? answer.failure : "the server answers " + std::to_string(answer.status);
    wanted.note(why + ": try " + std::to_string(next_try) + " of " + std::to_string(wanted.tries) + " in " +
                std::to_string(std::lround(std::ceil(seconds))) + " s");
  }
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

/// Bytes that the disk has room for, with some left.
int64_t room_for(const Download& wanted) {
  constexpr int64_t kLeft = 64 << 20;
  struct statvfs disk {};
  if (statvfs(fs::path(wanted.path).parent_path().c_str(), &disk) != 0) return INT64_MAX / 2;
  return static_cast<int64_t>(disk.f_bavail) * static_cast<int64_t>(disk.f_frsize) - kLeft;
}

void require_room(const Download& wanted, int64_t there) {
  const int64_t room = room_for(wanted);
  if (wanted.bytes > 0 && room < wanted.bytes - there)
    throw Error(wanted.path + ": needs " + mebibytes(static_cast<size_t>(wanted.bytes - there)) +
                    " more, and the disk has " + mebibytes(static_cast<size_t>(std::max<int64_t>(room, 0))),
                "make room, or name another folder in GRAFT_CACHE", ErrorCode::io);
}

/// Fetches what `part` lacks; the number of tries.
int fetch(const Download& wanted, Part& part) {
  for (int attempt = 1;; ++attempt) {
    const int64_t from = part.size();
    if (wanted.bytes > 0 && from == wanted.bytes) return attempt;
    if (wanted.bytes > 0 && from > wanted.bytes) part.clear();
    std::string failure;
    bool begun = false;
    int64_t done = part.size();
    const int64_t most = wanted.bytes > 0 ? wanted.bytes : done + room_for(wanted);
    Request request(wanted, done, [&](long status, const char* bytes, size_t count) {
      if (status != 200 && status != 206) return true;  // an error's text
      if (!std::exchange(begun, true) && status == 200 && done > 0) {
        part.clear();  // the whole file: the server does not go on where it was asked to
        done = 0;
      }
      done += static_cast<int64_t>(count);
      if (done > most) {
        failure = wanted.bytes > 0 ? "is larger than the " + std::to_string(wanted.bytes) + " bytes that it should have"
                                   : "is larger than the disk has room for";
        return false;
      }
      if (!part.append(bytes, count)) {
        failure = std::string("cannot be written: ") + std::strerror(errno);
        return false;
      }
      if (wanted.progress) wanted.progress(done, wanted.bytes);
      return true;
    });
    const Answer answer = request.run();
    if (!failure.empty()) {
      if (wanted.bytes > 0 && done > wanted.bytes) part.remove();
      throw Error(wanted.url + ": " + failure, {},
                  wanted.bytes > 0 && done > wanted.bytes ? ErrorCode::corrupt_file : ErrorCode::io);
    }
    const bool complete = answer.code == CURLE_OK && (answer.status == 200 || answer.status == 206);
    if (complete && (wanted.bytes == 0 || part.size() == wanted.bytes)) return attempt;
    Answer why = answer;
    if (complete) {
      why.code = CURLE_PARTIAL_FILE;
      why.failure =
          "the answer ends after " + std::to_string(part.size()) + " of " + std::to_string(wanted.bytes) + " bytes";
    } else if (answer.code == CURLE_OK && answer.status == 416) {
      part.clear();  // it is shorter by now than what is there
      why.code = CURLE_PARTIAL_FILE;
      why.failure = "the server has no such part";
    }
    if (attempt >= wanted.tries || !may_pass(why)) refuse(wanted, why, attempt);
    wait_before(attempt + 1, wanted, why);
  }
}

}  // namespace

Downloaded download(const Download& wanted) {
  Part part(wanted.path);
  if (wanted.sha256.empty()) part.clear();  // nothing would tell that the rest is of another file
  Downloaded result;
  result.resumed_at = part.size();
  require_room(wanted, result.resumed_at);
  for (bool again = false;; again = true) {
    result.tries += fetch(wanted, part) - 1;
    result.bytes = part.size();
    result.sha256 = sha256_of_file(part.path());
    const bool right = wanted.sha256.empty() ||
                       std::find(wanted.sha256.begin(), wanted.sha256.end(), result.sha256) != wanted.sha256.end();
    if (right) break;
    if (!again) {
      if (wanted.note)
        wanted.note(result.resumed_at > 0 ? "what an earlier run had left was of another file: all is fetched anew"
                                          : "what came has another checksum: it is fetched once more");
      part.clear();
      result.resumed_at = 0;
      ++result.tries;
      continue;
    }
    part.remove();
    throw Error(wanted.url + ": has the SHA-256 " + result.sha256 + ", not " + wanted.sha256[0],
                "it was damaged on its way, or is another file by now; nothing is kept of it", ErrorCode::corrupt_file);
  }
  part.become(wanted.path);
  return result;
}

std::string download_text(const Download& wanted, size_t most_bytes) {
  for (int attempt = 1;; ++attempt) {
    std::string text;
    bool too_long = false;
    Request request(wanted, 0, [&](long status, const char* bytes, size_t count) {
      if (status != 200) return true;
      too_long = text.size() + count > most_bytes;
      if (!too_long) text.append(bytes, count);
      return !too_long;
    });
    const Answer answer = request.run();
    if (too_long)
      throw Error(wanted.url + ": is longer than " + std::to_string(most_bytes) + " bytes", {},
                  ErrorCode::corrupt_file);
    if (answer.code == CURLE_OK && answer.status == 200) return text;
    if (answer.code == CURLE_OK && answer.status == 404) return "";
    if (attempt >= wanted.tries || !may_pass(answer)) refuse(wanted, answer, attempt);
    wait_before(attempt + 1, wanted, answer);
  }
}

}  // namespace graft::app
