// /v1: pictures in, answers as JSON.
#include <algorithm>
#include <mutex>

#include "apps/drawing/overlay.h"
#include "apps/library/base64.h"
#include "apps/serve/picture_input.h"
#include "apps/serve/places.h"
#include "apps/serve/service.h"
#include "augment/encode.h"
#include "augment/position.h"
#include "graft/error.h"
#include "graft/version.h"
#include "importer/preprocessing_json.h"

namespace graft::app {
namespace {

using nlohmann::json;

/// Collects what becomes of a request's pictures, which end one by one, and answers when all are there.
class Collected {
 public:
  Collected(json common, size_t pictures, HttpServer::Respond respond)
      : body_(std::move(common)), results_(json::array()), missing_(pictures), respond_(std::move(respond)) {
    for (size_t i = 0; i < pictures; ++i) results_.push_back(nullptr);
  }
  /// `status`: of the whole where all pictures fail alike.
  void set(size_t index, json result, int status = 422) {
    std::unique_lock lock(mutex_);
    if (result.contains("error")) {
      status_ = failed_ == 0 || status_ == status ? status : 422;
      ++failed_;
    }
    results_[index] = std::move(result);
    if (--missing_ > 0) return;
    lock.unlock();
    const bool none = failed_ == results_.size();
    body_["results"] = std::move(results_);
    respond_(json_reply(body_, none ? status_ : 200));
  }

 private:
  json body_, results_;
  size_t missing_, failed_ = 0;
  int status_ = 422;
  HttpServer::Respond respond_;
  std::mutex mutex_;
};

json named(const std::string& name) { return name.empty() ? json::object() : json{{"name", name}}; }

json classification_json(const Classification& c, const ServedModel& model, const ServiceSettings& settings) {
  json top = json::array(), holding = json::array();
  for (const Score& s : c.top) {
    top.push_back({{"label", s.label}, {"index", s.index}, {"score", s.score}});
    if (s.holds) holding.push_back(s.label);
  }
  json result{{"top", top}};
  if (c.top.empty()) return result;
  result["label"] = c.top[0].label;
  result["score"] = c.top[0].score;
  const Task task = model.model().task();
  if (task == Task::multi_label) result["labels"] = holding;
  if (task == Task::classes) result["unsure"] = static_cast<double>(c.top[0].score) < settings.unsure;
  if (c.ood_score) {
    result["ood_score"] = *c.ood_score;
    result["foreign"] = *c.ood_score > settings.foreign;
  }
  return result;
}

/// Where a picture was taken, among the named places. Its position itself is not told, nor kept.
json place_json(const std::string& bytes, const Places& places) {
  const auto position = picture_position({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  return {{"located", position.has_value()}, {"inside", position ? json(places.around(*position)) : json::array()}};
}

json explanation_json(const Explanation& e) {
  return {{"label", e.label},   {"index", e.index},
          {"score", e.score},   {"width", e.width},
          {"height", e.height}, {"overlay", "data:image/jpeg;base64," + base64(jpeg_of(overlay(e), 90))}};
}

using Start = bool (ServedModel::*)(std::vector<PictureJob>);
using Shown = std::function<json(PictureResult&, const ServedModel&)>;

/// Reads the request's pictures, hands them to the model and answers with what `shown` makes of each result.
void answer_pictures(Service& service, RouteCall call, Start start, const Shown& shown) {
  const ServiceSettings& settings = service.settings();
  PictureInput input = pictures_of(call.request, settings);
  if (input.refused) return call.respond(std::move(*input.refused));
  const std::string wanted = text_option(input.options, "model");
  const std::shared_ptr<ServedModel> model = service.model(wanted);
  if (!model) return call.respond(error_reply(404, "there is no model \"" + wanted + "\"; /v1/models lists them"));
  const auto top = static_cast<size_t>(whole_number(input.options, "top", 5, 1, 1000));
  const auto target = static_cast<int>(whole_number(input.options, "index", -1, -1, 10'000'000));
  const size_t count = input.pictures.size();
  const auto collected = std::make_shared<Collected>(json{{"model", model->name()}}, count, call.respond);
  std::vector<PictureJob> jobs;
  struct Refused {
    size_t index;
    json entry;
    int status;
  };
  std::vector<Refused> refused;
  for (size_t i = 0; i < count; ++i) {
    PictureInput::Picture& picture = input.pictures[i];
    if (!picture.error.empty()) {
      json entry = named(picture.name);
      entry["error"] = picture.error;
      refused.push_back({i, std::move(entry), picture.status});
      continue;
    }
    const std::string name = picture.name;
    json place = start == Start{&ServedModel::classify} && settings.places ? place_json(picture.bytes, *settings.places)
                                                                           : json();
    // A model outlives its jobs, which must not own it: its last owner waits for the thread that they run in.
    // What calls a picture by its name is the client's to show: errors say the reason alone.
    jobs.push_back({std::move(picture.bytes),
                    {},
                    top,
                    target,
                    [collected, i, name, shown, place = std::move(place), model = model.get()](PictureResult result) {
                      json entry = named(name);
                      if (!place.is_null()) entry["place"] = place;
                      int status = result.failed ? 500 : 422;
                      try {
                        if (result.error.empty()) entry.update(shown(result, *model));
                      } catch (const std::exception&) {  // no memory for a reply, say
                        result.error = "the server failed";
                        status = 500;
                      }
                      if (!result.error.empty()) entry["error"] = result.error;
                      collected->set(i, std::move(entry), status);
                    }});
  }
  if (!jobs.empty() && !((*model).*start)(std::move(jobs))) {
    HttpReply reply = error_reply(503, "too many pictures wait; try again in a second");
    reply.headers["Retry-After"] = "1";
    return call.respond(std::move(reply));
  }
  for (Refused& one : refused) collected->set(one.index, std::move(one.entry), one.status);
}

json model_json(const ServedModel& model) {
  static const char* const kTasks[] = {"classes", "multi-label", "regression"};
  return {{"name", model.name()},
          {"task", kTasks[static_cast<size_t>(model.model().task())]},
          {"labels", model.model().labels()},
          {"detects_foreign", model.detects_ood()},
          {"preprocessing", json::parse(to_json(model.preprocessing()))}};
}

}  // namespace

void add_v1_routes(Service& service) {
  service.add("GET", "/v1/models", [](Service& s, const RouteCall& call) {
    json models = json::array();
    for (const auto& model : s.models()) models.push_back(model_json(*model));
    json told{{"version", version()}, {"models", models}, {"teaches", s.settings().teaches}};
    if (s.settings().places) told["places"] = s.settings().places->name();
    call.respond(json_reply(told));
  });
  service.add("POST", "/v1/classify", [](Service& s, RouteCall call) {
    answer_pictures(s, std::move(call), &ServedModel::classify, [&s](PictureResult& r, const ServedModel& model) {
      return classification_json(*r.classification, model, s.settings());
    });
  });
  service.add("POST", "/v1/embed", [](Service& s, RouteCall call) {
    answer_pictures(s, std::move(call), &ServedModel::embed, [](PictureResult& r, const ServedModel&) {
      return json{{"features", r.features}};
    });
  });
  service.add("POST", "/v1/explain", [](Service& s, RouteCall call) {
    answer_pictures(s, std::move(call), &ServedModel::explain,
                    [](PictureResult& r, const ServedModel&) { return explanation_json(*r.explanation); });
  });
}

}  // namespace graft::app
