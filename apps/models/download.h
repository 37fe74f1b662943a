#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace graft::app {

struct Download {
  std::string url;
  std::string path;                 // where the file stands once it is whole and is what it should be
  int64_t bytes = 0;                // how many it has; 0: not known
  std::vector<std::string> sha256;  // of which one must be its own; none: any
  std::string token;                // sent as a bearer token, to the host of `url` alone
  int tries = 5;                    // in all
  double first_wait = 1;            // seconds before the second try; doubled for each further one, at most 60
  double stalled_after = 30;        // seconds without a byte
  std::function<void(int64_t done, int64_t all)> progress;  // may be empty
  std::function<void(const std::string& note)> note;        // why it tries again; may be empty
};

struct Downloaded {
  int64_t bytes = 0;
  std::string sha256;
  int tries = 1;
  int64_t resumed_at = 0;  // bytes that an earlier, interrupted run had left
};

/// Fetches a file over HTTP(S) by libcurl, which is opened when it is first needed and obeys http_proxy, https_proxy
/// and no_proxy. What has come stands in PATH.part and is gone on with after an interruption, by this run or the next;
/// it gets its name once its size and checksum are right, so that no half file ever has it. What a busy or failing
/// server or a broken connection causes is tried again, after the time that the server asks for; an answer that will
/// stay (403, 404) is not, and another checksum once. From https nothing is redirected to http. Throws Error:
/// not_found, io, corrupt_file (another checksum; nothing is left), unsupported where libcurl is missing.
Downloaded download(const Download& wanted);

/// The content at a URL, of at most `most_bytes`, fetched likewise; empty where there is none (404).
std::string download_text(const Download& wanted, size_t most_bytes);

}  // namespace graft::app
