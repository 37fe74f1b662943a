// The C interface over the C++ one: every function catches what is thrown and keeps its text for graft_last_error().
#define GRAFT_C_BUILD
#include "graft/graft.h"

#include <cstring>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "graft/classifier.h"
#include "graft/error.h"
#include "graft/feature_extractor.h"
#include "graft/finetune.h"
#include "graft/version.h"

struct graft_model {
  graft::Model model;
  graft::RunSettings run;
  // Made when they are first asked for.
  std::optional<graft::Classifier> classifier;
  std::map<std::string, graft::FeatureExtractor> extractors;
};

struct graft_rows {
  struct Row {
    std::vector<float> values;
    std::string error;
    double ood_score = -1;
  };
  std::vector<Row> rows;
  size_t width = 0;
};

namespace graft {
namespace {

thread_local std::string last_error;

/// The same numbers from 1 on, in the same order.
graft_status status_of(ErrorCode code) { return static_cast<graft_status>(static_cast<int>(code) + 1); }
static_assert(static_cast<int>(ErrorCode::invalid_argument) + 1 == GRAFT_INVALID_ARGUMENT &&
              static_cast<int>(ErrorCode::out_of_memory) + 1 == GRAFT_OUT_OF_MEMORY &&
              static_cast<int>(ErrorCode::internal) + 1 == GRAFT_INTERNAL);

template <typename Body>
graft_status guarded(const Body& body) noexcept {
  try {
    last_error.clear();
    body();
    return GRAFT_OK;
  } catch (const Error& error) {
    last_error = error.what();
    return status_of(error.code());
  } catch (const std::bad_alloc&) {
    last_error = "out of memory";
    return GRAFT_OUT_OF_MEMORY;
  } catch (const std::exception& error) {
    last_error = error.what();
    return GRAFT_INTERNAL;
  }
}

void require(bool given, const char* what) {
  if (!given) throw Error(std::string(what) + " is NULL");
}

/// A struct of the caller's, of whatever size it knows, over the usual values.
template <typename Struct>
Struct known_part(const Struct* given, Struct usual) {
  if (!given) return usual;
  if (given->size < sizeof(size_t)) throw Error("a struct's size is not set");
  std::memcpy(&usual, given, std::min(given->size, sizeof(Struct)));
  return usual;
}

/// Pictures of the three kinds, each kind in one call, with their places in the caller's order.
struct SortedPictures {
  std::vector<std::string> paths;
  std::vector<EncodedPictureView> files;
  std::vector<PictureView> pixels;
  std::vector<size_t> path_places, file_places, pixel_places;
};

SortedPictures sorted(const graft_picture* pictures, size_t count) {
  require(pictures || count == 0, "pictures");
  SortedPictures s;
  for (size_t i = 0; i < count; ++i) {
    const graft_picture& p = pictures[i];
    if (p.path) {
      s.paths.emplace_back(p.path);
      s.path_places.push_back(i);
    } else if (p.bytes) {
      s.files.push_back({{static_cast<const uint8_t*>(p.bytes), p.byte_count}, {}});
      s.file_places.push_back(i);
    } else {
      s.pixels.push_back({p.pixels, p.height, p.width});
      s.pixel_places.push_back(i);
    }
  }
  return s;
}

/// Takes the reasons of pictures that cannot be read to their places in the caller's order.
auto failures_into(graft_rows& result, const std::vector<size_t>& places) {
  return [&](size_t i, const std::string& reason) { result.rows[places[i]].error = reason; };
}

/// Rows for so many pictures, for a call that gets both pointers.
std::unique_ptr<graft_rows> empty_rows(const graft_model* model, graft_rows** rows, size_t count) {
  require(model, "model");
  require(rows, "rows");
  auto result = std::make_unique<graft_rows>();
  result->rows.resize(count);
  return result;
}

class CListener final : public Listener {
 public:
  explicit CListener(const graft_finetune_options& options) : options_(options) {}
  void note(const std::string& text) override {
    if (options_.note) options_.note(options_.user, Error(text).what());  // settings by their names
  }
  void skipped(const std::string& reason) override { note("skipped " + reason); }
  bool stop() override { return options_.stop && options_.stop(options_.user) != 0; }

 private:
  const graft_finetune_options& options_;
};

graft_finetune_options usual_options() {
  const FinetuneSettings usual;
  graft_finetune_options options{};
  options.size = sizeof options;
  options.budget_seconds = usual.budget_seconds;
  options.epochs = usual.epochs;
  options.freeze = "all";
  options.augment = "default";
  options.lr = usual.lr;
  options.validation_part = SplitSettings{}.validation_part;
  options.seed = usual.seed;
  return options;
}

}  // namespace
}  // namespace graft

using namespace graft;

extern "C" {

const char* graft_version(void) { return version(); }
const char* graft_last_error(void) { return last_error.c_str(); }

graft_status graft_model_open(const char* path, const graft_compute* compute, graft_model** model) {
  return guarded([&] {
    require(path, "path");
    require(model, "model");
    const graft_compute wanted = known_part(compute, graft_compute{sizeof(graft_compute), nullptr, 0, 0});
    RunSettings run;
    if (wanted.device) run.compute.device = wanted.device;
    run.compute.threads = wanted.threads;
    run.compute.batch = wanted.batch;
    *model = new graft_model{Model::load(path), run, {}, {}};
  });
}

void graft_model_close(graft_model* model) { delete model; }

graft_status graft_model_save(const graft_model* model, const char* path) {
  return guarded([&] {
    require(model, "model");
    require(path, "path");
    model->model.save(path);
  });
}

graft_task graft_model_task(const graft_model* model) { return static_cast<graft_task>(model->model.task()); }
static_assert(static_cast<int>(Task::classes) == GRAFT_CLASSES &&
              static_cast<int>(Task::multi_label) == GRAFT_MULTI_LABEL &&
              static_cast<int>(Task::regression) == GRAFT_REGRESSION);

size_t graft_model_label_count(const graft_model* model) { return model->model.labels().size(); }

const char* graft_model_label(const graft_model* model, size_t index) {
  const std::vector<std::string>& labels = model->model.labels();
  return index < labels.size() ? labels[index].c_str() : nullptr;
}

graft_status graft_classify(graft_model* model, const graft_picture* pictures, size_t count, graft_rows** rows) {
  return guarded([&] {
    auto result = empty_rows(model, rows, count);
    const SortedPictures s = sorted(pictures, count);
    if (!model->classifier) model->classifier.emplace(model->model, model->run);
    Classifier& classifier = *model->classifier;
    const auto row = [&](const std::vector<size_t>& places) {
      return [&](size_t i, std::span<const float> scores, std::optional<double> ood_score) {
        graft_rows::Row& to = result->rows[places[i]];
        to.values.assign(scores.begin(), scores.end());
        to.ood_score = ood_score.value_or(-1);
        result->width = scores.size();
      };
    };
    classifier.run(s.paths, row(s.path_places), failures_into(*result, s.path_places));
    classifier.run(s.files, row(s.file_places), failures_into(*result, s.file_places));
    classifier.run(s.pixels, row(s.pixel_places));
    *rows = result.release();
  });
}

graft_status graft_features(graft_model* model, const char* layer, const graft_picture* pictures, size_t count,
                            graft_rows** rows) {
  return guarded([&] {
    auto result = empty_rows(model, rows, count);
    const SortedPictures s = sorted(pictures, count);
    const std::string name = layer ? layer : kPenultimate;
    auto known = model->extractors.find(name);
    if (known == model->extractors.end())
      known = model->extractors.try_emplace(name, model->model, name, model->run).first;
    const auto row = [&](const std::vector<size_t>& places) {
      return [&](size_t i, std::span<const float> features) {
        result->rows[places[i]].values.assign(features.begin(), features.end());
        result->width = features.size();
      };
    };
    known->second.run(s.paths, row(s.path_places), failures_into(*result, s.path_places));
    known->second.run(s.files, row(s.file_places), failures_into(*result, s.file_places));
    const Features features = known->second.extract(s.pixels);
    for (size_t i = 0; i < features.rows; ++i) row(s.pixel_places)(features.indices[i], features.row(i));
    *rows = result.release();
  });
}

size_t graft_rows_count(const graft_rows* rows) { return rows->rows.size(); }
size_t graft_rows_width(const graft_rows* rows) { return rows->width; }

const float* graft_rows_get(const graft_rows* rows, size_t picture) {
  if (picture >= rows->rows.size() || rows->rows[picture].values.empty()) return nullptr;
  return rows->rows[picture].values.data();
}

const char* graft_rows_error(const graft_rows* rows, size_t picture) {
  if (picture >= rows->rows.size() || rows->rows[picture].error.empty()) return nullptr;
  return rows->rows[picture].error.c_str();
}

double graft_rows_ood_score(const graft_rows* rows, size_t picture) {
  return picture < rows->rows.size() ? rows->rows[picture].ood_score : -1;
}

void graft_rows_free(graft_rows* rows) { delete rows; }

void graft_finetune_defaults(graft_finetune_options* options) {
  if (options) *options = usual_options();
}

graft_status graft_finetune(const graft_model* model, const char* data, graft_task task,
                            const graft_finetune_options* options, graft_model** trained, double* score) {
  return guarded([&] {
    require(model, "model");
    require(data, "data");
    require(trained, "trained");
    if (task < GRAFT_CLASSES || task > GRAFT_REGRESSION) throw Error("there is no such task");
    const graft_finetune_options o = known_part(options, usual_options());
    FinetuneSettings settings;
    settings.task = static_cast<Task>(task);
    settings.compute = model->run.compute;
    settings.seed = o.seed;
    settings.budget_seconds = o.budget_seconds;
    settings.epochs = o.epochs;
    if (o.freeze) settings.freeze = o.freeze;
    if (o.augment) settings.augment = o.augment;
    settings.lr = o.lr;
    const Dataset dataset = read_dataset(data, settings.task, {o.validation_part, o.seed});
    CListener listener(o);
    FinetuneResult result = finetune(model->model, dataset, settings, &listener);
    if (score) *score = result.best_score;
    *trained = new graft_model{std::move(*result.model), model->run, {}, {}};
  });
}

}  // extern "C"
