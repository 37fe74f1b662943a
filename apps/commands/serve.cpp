#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <thread>

#include "apps/cli/common.h"
#include "apps/cli/interruption.h"
#include "apps/cli/json_output.h"
#include "apps/cli/printable.h"
#include "apps/cli/usage.h"
#include "apps/commands/commands.h"
#include "apps/library/scores.h"
#include "apps/models/model_reference.h"
#include "apps/run/run_folder.h"
#include "apps/serve/places.h"
#include "apps/serve/service.h"
#include "apps/serve/teaching.h"
#include "augment/data/file_kinds.h"
#include "graft/error.h"

namespace graft::app {
namespace {

namespace fs = std::filesystem;

struct Options {
  CommonOptions common;
  PreprocessingSettings pictures;
  std::vector<std::string> models;
  HttpSettings http;
  ServiceSettings service;
  std::string teach, places;
  std::string token_file, certificate_file, key_file;
  int delay = 2, body_mebibytes = 64, megapixels = 50;
};

std::string text_of_file(const std::string& path, const char* setting) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  if (!stream) throw Error(path + ": cannot be read", "check the path", ErrorCode::io).about(setting);
  return text.str();
}

/// "NAME=MODEL", or MODEL under the name of its file or RUN folder.
std::pair<std::string, std::string> named_model(const std::string& word, const CommonOptions& common) {
  const size_t equals = word.find('=');
  const bool is_named = equals != std::string::npos && equals > 0 && !fs::exists(word);
  const std::string reference = is_named ? word.substr(equals + 1) : word;
  std::string name = is_named ? word.substr(0, equals) : name_of_path(reference);
  if (!is_named && name.ends_with(".onnx")) name.resize(name.size() - 5);
  if (!is_named)
    for (char& c : name)
      if (c == '/' || c == ':') c = '-';
  const bool is_plain = !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '_' || c == '.' || c >= 0x80;
  });
  if (reference.empty()) throw Error("\"" + word + "\" names no model", "give NAME=MODEL");
  if (!is_plain)
    throw Error("\"" + name + "\" is no name for an address", "name it with letters and digits: NAME=" + reference);
  return {name, is_model_reference(reference) ? local_model(reference, common) : model_in(reference)};
}

void settle(Options& o) {
  if (o.http.address == "localhost") o.http.address = "127.0.0.1";
  if (!o.token_file.empty()) {
    std::istringstream words(text_of_file(o.token_file, "token-file"));
    words >> o.service.token;
    if (o.service.token.size() < 8)
      throw Error(o.token_file + ": holds no token of at least 8 characters",
                  "head -c 24 /dev/urandom | base64 makes one")
          .about("token-file");
  }
  if (o.certificate_file.empty() != o.key_file.empty())
    throw Error("needs both the certificate and its key", "give --tls-certificate and --tls-key").about("tls-key");
  if (!o.certificate_file.empty()) {
    o.http.certificate = text_of_file(o.certificate_file, "tls-certificate");
    o.http.private_key = text_of_file(o.key_file, "tls-key");
    if (o.http.certificate.find("-----BEGIN CERTIFICATE") == std::string::npos)
      throw Error(o.certificate_file + ": is no certificate in PEM").about("tls-certificate");
    if (o.http.private_key.find("PRIVATE KEY-----") == std::string::npos)
      throw Error(o.key_file + ": is no private key in PEM").about("tls-key");
  }
  for (std::string& host : o.service.hosts) host = lower_case(host);
  o.service.pictures_per_request = std::min(o.service.pictures_per_request, o.service.batches.waiting);
  o.service.teaches = !o.teach.empty();
  if (!o.places.empty()) o.service.places = std::make_shared<const Places>(o.places);
  o.service.run.compute = compute_settings(o.common);
  o.service.batches.batch = o.common.batch > 0 ? static_cast<size_t>(o.common.batch) : 16;
  o.service.batches.delay = std::chrono::milliseconds(o.delay);
  o.service.largest_pixels = int64_t{o.megapixels} * 1'000'000;
  o.http.limits.body_bytes = static_cast<size_t>(o.body_mebibytes) << 20;
}

/// Raises the limit of open files as far as it goes, and takes no more connections than that leaves.
void allow_connections(HttpLimits& limits, const std::function<void(const std::string&)>& say) {
  constexpr rlim_t kOwn = 100;  // files that the program itself may need
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  getrlimit(RLIMIT_NOFILE, &files);
  if (files.rlim_cur == RLIM_INFINITY || files.rlim_cur >= limits.connections + kOwn) return;
  limits.connections = static_cast<unsigned>(std::max<rlim_t>(kOwn, files.rlim_cur - kOwn));
  say("the system allows " + std::to_string(files.rlim_cur) + " open files: " + std::to_string(limits.connections) +
      " connections at a time");
}

void serve(Options o) {
  settle(o);
  backend(o.common);  // a device that is named must be there
  const auto say = [&](const std::string& text) {
    if (!o.common.quiet) std::cerr << "graft: " << printable(text) << std::endl;
  };
  allow_connections(o.http.limits, say);
  Service service(o.service);
  std::map<std::string, std::string> known;
  for (const std::string& word : o.models) {
    const auto [name, path] = named_model(word, o.common);
    if (!known.emplace(name, path).second)
      throw Error("two models are called \"" + name + "\"", "give one of them another name: NAME=" + path);
    service.load(name, path);
    if (seems_to_end_in_features(service.model(name)->model().contents()))
      say("note: " + name + " seems to end in features, not in classes: what it answers are their numbers");
  }
  std::optional<Teaching> teaching;
  if (!o.teach.empty()) {
    if (known.contains(kTaughtModel))
      throw Error("\"" + std::string(kTaughtModel) + "\" is what the taught model is called",
                  "give this one another name: NAME=MODEL");
    teaching.emplace(Teaching::Settings{
        .folder = o.teach, .base = named_model(o.models[0], o.common).second, .compute = compute_settings(o.common)});
    add_teach_routes(service, *teaching);
  }
  const Interruption interruption("");
  HttpServer server(
      o.http,
      [&](HttpRequest request, const HttpServer::Respond& respond) { service.handle(std::move(request), respond); },
      [&](const HttpRequest& request) { return service.refusal(request); },
      [&](int status) { service.count_refused(status); });
  service.set_connections([&] { return server.open_connections(); });
  const std::string host = o.http.address.find(':') == std::string::npos ? o.http.address : "[" + o.http.address + "]";
  const std::string address = std::string(o.http.certificate.empty() ? "http://" : "https://") + host + ":" +
                              std::to_string(server.port()) + "/";
  if (o.common.json) {
    nlohmann::json models = nlohmann::json::array();
    for (const auto& model : service.models()) models.push_back(model->name());
    print_json({{"address", address}, {"models", models}});
    std::cout.flush();
  }
  const bool is_loopback = o.http.address.starts_with("127.") || o.http.address == "::1";
  if (!is_loopback && o.service.token.empty())
    say("whoever reaches this machine can ask: --token-file asks them for a token");
  say("serving at " + address + "; Ctrl-C ends it");
  if (teaching) say("teach it at " + address + "page/teach; its pictures are kept in " + o.teach);
  using Clock = std::chrono::steady_clock;
  for (auto next = Clock::now(); !Interruption::asked();) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    if (Clock::now() < next) continue;
    next = Clock::now() + std::chrono::seconds(1);
    service.reload_changed(say);
  }
  service.set_ready(false);
  say("ending; requests that are being answered are answered first, for a minute at most; once more ends at once");
}

}  // namespace

void register_serve(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand("serve", "Answer on a page and a REST interface");
  command->footer(examples({"graft serve run  # then open http://127.0.0.1:8080/",
                            "graft serve zoo:mobilenetv2-7 --teach things/  # then open /page/teach",
                            "graft serve birds=run --places parks.geojson  # also: was it taken in a park?",
                            "graft serve birds=run1 dogs=run2 --unsure 0.6 --examples photos/",
                            "curl --data-binary @photo.jpg -H 'Content-Type: image/jpeg' 127.0.0.1:8080/v1/classify"}));
  command
      ->add_option("models", o->models,
                   "Models or RUN folders, each perhaps as NAME=MODEL; the first answers where none is named")
      ->required();
  command->add_option("--host", o->http.address, "IP address to listen at; 0.0.0.0: all of this machine's")
      ->capture_default_str();
  command->add_option("--port", o->http.port, "0: one that is free")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  command->add_option("--unsure", o->service.unsure, "Call an answer with a lower probability than this unsure")
      ->check(CLI::Range(0.0, 1.0));
  command
      ->add_option("--foreign", o->service.foreign,
                   "Call a picture foreign that is less like the training's than this part of its own kind")
      ->check(CLI::Range(0.5, 1.0))
      ->capture_default_str();
  command->add_option("--examples", o->service.examples, "Folder of pictures that the page offers to try")
      ->check(CLI::ExistingDirectory);
  command
      ->add_option("--places", o->places,
                   "GeoJSON file of named areas: says of each picture whether its EXIF places it in one, and in which")
      ->check(CLI::ExistingFile);
  command
      ->add_option("--teach", o->teach,
                   "Folder of classes (a new one is made) that a page takes pictures for and trains the first model on")
      ->type_name("FOLDER")
      ->check(
          [](const std::string& folder) { return folder.empty() ? std::string("names no folder") : std::string(); });
  add_device_options(*command, o->common);
  add_batch_option(*command, o->common);
  add_output_options(*command, o->common);
  const std::string group = std::string(kAdvanced) + "serving";
  command
      ->add_option("--public-host", o->service.hosts,
                   "Name by which others reach the server, where it is no IP address; again for the next")
      ->group(group)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command
      ->add_option("--token-file", o->token_file, "File with a token that requests must carry (Authorization: Bearer)")
      ->group(group);
  command->add_option("--tls-certificate", o->certificate_file, "Certificate chain in PEM, for HTTPS")->group(group);
  command->add_option("--tls-key", o->key_file, "Its private key in PEM")->group(group);
  command->add_option("--max-delay", o->delay, "Milliseconds that a picture waits for others of its batch")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str()
      ->group(group);
  command
      ->add_option("--max-waiting", o->service.batches.waiting,
                   "Pictures of a model that wait; more are answered with 503")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str()
      ->group(group);
  command->add_option("--max-body", o->body_mebibytes, "Mebibytes of a request; more is answered with 413")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str()
      ->group(group);
  command->add_option("--max-megapixels", o->megapixels, "Of a picture; more is answered with 413")
      ->check(CLI::Range(1, 200))
      ->capture_default_str()
      ->group(group);
  command->add_option("--max-pictures", o->service.pictures_per_request, "Of a request; more is answered with 413")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str()
      ->group(group);
  command->add_option("--max-connections", o->http.limits.connections, "Open at a time")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str()
      ->group(group);
  command
      ->add_option("--max-rate", o->service.requests_per_second,
                   "Requests a second of one address; more is answered with 429 (0: no limit)")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str()
      ->group(group);
  command
      ->add_option("--timeout", o->http.limits.seconds_to_send, "Seconds for a request to arrive, head and body each")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str()
      ->group(group);
  command->callback([o] { serve(*o); });
}

}  // namespace graft::app
