#include "apps/serve/served_model.h"

#include <algorithm>
#include <map>
#include <thread>
#include <utility>

#include "apps/library/device.h"
#include "apps/library/tensor_inference.h"
#include "graft/error.h"
#include "importer/model.h"
#include "runtime/core/error.h"
#include "runtime/core/processors.h"

namespace graft::app {
namespace {

std::vector<EncodedPictureView> views_of(const std::vector<PictureJob>& jobs) {
  std::vector<EncodedPictureView> views;
  for (const PictureJob& job : jobs)
    views.push_back({{reinterpret_cast<const uint8_t*>(job.bytes.data()), job.bytes.size()}, job.name});
  return views;
}

/// Calls `body`; what it throws is the answer to every job that has none yet.
template <typename Body>
void answer_all(std::vector<PictureJob>& jobs, const Body& body) {
  std::vector<PictureResult> results(jobs.size());
  try {
    body(results);
  } catch (const std::exception& error) {
    const auto* const own = dynamic_cast<const Error*>(&error);
    const bool asked_wrongly = own && own->code() != ErrorCode::out_of_memory && own->code() != ErrorCode::internal;
    for (PictureResult& result : results) {
      result.error = asked_wrongly ? error.what() : "the server failed";
      result.failed = !asked_wrongly;
    }
  }
  for (size_t i = 0; i < jobs.size(); ++i) jobs[i].done(std::move(results[i]));
}

}  // namespace

struct ServedModel::Impl {
  Impl(ServedModel& wanted_owner, std::string wanted_name, Model wanted_model, const RunSettings& wanted_run,
       const BatchLimits& limits)
      : owner(wanted_owner), name(std::move(wanted_name)), model(std::move(wanted_model)), run(wanted_run) {
    preprocessing = run.preprocessing ? *run.preprocessing : preprocessing_for(model);
    run.preprocessing = preprocessing;
    // A batch that is half empty takes the time of a full one: there are plans of several sizes.
    for (size_t size = 1; size < limits.batch; size *= 4) sizes.push_back(size);
    sizes.push_back(limits.batch);
    detects_ood = classifier_for(1).detects_ood();  // says now what is wrong with the model
    BatchLimits one = limits;
    one.batch = 1;
    preparer = &classifiers.begin()->second;
    most_waiting = limits.waiting;
    BatchLimits prepared = limits;
    prepared.waiting = SIZE_MAX;  // they have been counted before they were prepared
    classifying.emplace(prepared, [this](std::vector<PictureJob> jobs) { run_classify(std::move(jobs)); });
    preparing.emplace(
        one, [this](std::vector<PictureJob> jobs) { prepare(std::move(jobs)); },
        static_cast<unsigned>(usable_processors()));
    embedding.emplace(limits, [this](std::vector<PictureJob> jobs) { run_embed(std::move(jobs)); });
    explaining.emplace(one, [this](std::vector<PictureJob> jobs) { run_explain(std::move(jobs)); });
    inferring.emplace(one, [this](std::vector<TensorJob> jobs) { run_infer(jobs.front()); });
  }

  /// How the model runs over so many pictures: the least of `sizes` that holds them.
  std::pair<size_t, RunSettings> settings_for(size_t pictures) const {
    const size_t size = *std::find_if(sizes.begin(), sizes.end(), [&](size_t s) { return s >= pictures; });
    RunSettings settings = run;
    settings.compute.batch = static_cast<int>(size);
    settings.pictures = size;
    return {size, settings};
  }

  Classifier& classifier_for(size_t pictures) {
    const auto [size, settings] = settings_for(pictures);
    const auto known = classifiers.find(size);
    return known != classifiers.end() ? known->second : classifiers.try_emplace(size, model, settings).first->second;
  }

  /// Decodes while others compute.
  void prepare(std::vector<PictureJob> jobs) {
    PictureJob& job = jobs.front();
    try {
      job.prepared = preparer->prepare(views_of(jobs).front());
    } catch (const std::exception& error) {
      PictureResult result;
      result.error = error.what();
      return job.done(std::move(result));
    }
    job.bytes = {};
    classifying->add(std::move(jobs));
  }

  void run_classify(std::vector<PictureJob> jobs) {
    tell("classify", jobs.size());
    answer_all(jobs, [&](std::vector<PictureResult>& results) {
      std::vector<PreparedPicture> prepared;
      size_t top = 1;
      for (PictureJob& job : jobs) {
        prepared.push_back(std::move(job.prepared));
        top = std::max(top, job.top);
      }
      std::vector<Classification> found = classifier_for(jobs.size()).classify(prepared, top);
      for (size_t i = 0; i < jobs.size(); ++i) {
        if (model.task() != Task::regression) found[i].top.resize(std::min(found[i].top.size(), jobs[i].top));
        results[i].classification = std::move(found[i]);
      }
    });
  }

  void run_embed(std::vector<PictureJob> jobs) {
    tell("embed", jobs.size());
    answer_all(jobs, [&](std::vector<PictureResult>& results) {
      const auto [size, settings] = settings_for(jobs.size());
      auto known = extractors.find(size);
      if (known == extractors.end()) known = extractors.try_emplace(size, model, kPenultimate, settings).first;
      known->second.run(
          views_of(jobs),
          [&](size_t i, std::span<const float> features) {
            results[i].features.assign(features.begin(), features.end());
          },
          [&](size_t i, const std::string& reason) { results[i].error = reason; });
    });
  }

  void run_explain(std::vector<PictureJob> jobs) {
    tell("explain", jobs.size());
    answer_all(jobs, [&](std::vector<PictureResult>& results) {
      if (!explainer) {
        RunSettings settings = run;
        settings.compute.batch = 1;
        explainer.emplace(model, ExplainSettings{}, settings);
      }
      const std::vector<EncodedPictureView> views = views_of(jobs);
      for (size_t i = 0; i < jobs.size(); ++i) {
        Explanation found = explainer->explain(views[i], jobs[i].target);
        results[i].error = found.error;
        results[i].explanation = std::move(found);
      }
    });
  }

  /// With plans for the shapes that were asked for last.
  void run_infer(TensorJob& job) {
    tell("infer", 1);
    std::vector<Tensor> outputs;
    try {
      const Backend& backend = backend_for(run.compute);
      const auto in_use = exclusive_use(backend);
      std::vector<Shape> shapes;
      for (const Tensor& input : job.inputs) shapes.push_back(input.shape());
      constexpr size_t kMostRunners = 4;
      if (!runners.contains(shapes) && runners.size() >= kMostRunners) runners.clear();
      auto runner = runners.find(shapes);
      if (runner == runners.end())
        runner = runners.try_emplace(shapes, model.contents(), shapes, backend, run.compute.threads).first;
      outputs = runner->second.run(job.inputs);
    } catch (const std::exception& error) {
      return job.done({}, error.what());
    }
    job.done(std::move(outputs), {});
  }

  void tell(const char* what, size_t pictures) const {
    if (owner.ran) owner.ran(what, pictures);
  }

  ServedModel& owner;
  std::string name;
  Model model;
  RunSettings run;
  Preprocessing preprocessing;
  bool detects_ood = false;
  std::vector<size_t> sizes;  // of batches, ascending
  size_t most_waiting = 0;
  const Classifier* preparer = nullptr;
  // Each is used by one batcher's thread alone.
  std::map<size_t, Classifier> classifiers;
  std::map<size_t, FeatureExtractor> extractors;
  std::optional<Explainer> explainer;
  std::map<std::vector<Shape>, TensorRunner> runners;
  // Last: what they use outlives them, and what is prepared still finds where to go.
  std::optional<Batcher<PictureJob>> classifying, embedding, explaining, preparing;
  std::optional<Batcher<TensorJob>> inferring;
};

ServedModel::ServedModel(std::string name, Model model, const RunSettings& run, const BatchLimits& limits)
    : impl_(std::make_unique<Impl>(*this, std::move(name), std::move(model), run, limits)) {}
ServedModel::~ServedModel() = default;

const std::string& ServedModel::name() const { return impl_->name; }
const Model& ServedModel::model() const { return impl_->model; }
const Preprocessing& ServedModel::preprocessing() const { return impl_->preprocessing; }
bool ServedModel::detects_ood() const { return impl_->detects_ood; }
bool ServedModel::classify(std::vector<PictureJob> jobs) {
  if (impl_->preparing->waiting() + impl_->classifying->waiting() + jobs.size() > impl_->most_waiting) return false;
  return impl_->preparing->add(std::move(jobs));
}
bool ServedModel::embed(std::vector<PictureJob> jobs) { return impl_->embedding->add(std::move(jobs)); }
bool ServedModel::explain(std::vector<PictureJob> jobs) { return impl_->explaining->add(std::move(jobs)); }
bool ServedModel::infer(TensorJob job) {
  std::vector<TensorJob> jobs;
  jobs.push_back(std::move(job));
  return impl_->inferring->add(std::move(jobs));
}
size_t ServedModel::waiting() const {
  return impl_->preparing->waiting() + impl_->classifying->waiting() + impl_->embedding->waiting() +
         impl_->explaining->waiting() + impl_->inferring->waiting();
}

}  // namespace graft::app
