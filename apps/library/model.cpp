#include "graft/model.h"

#include "apps/library/known_model.h"
#include "apps/library/score_output.h"
#include "finetune/data/task.h"
#include "importer/model.h"
#include "importer/picture_form.h"
#include "importer/reader.h"
#include "importer/writer.h"
#include "runtime/core/api_boundary.h"
#include "runtime/core/error.h"

namespace graft {

Model::Model(std::shared_ptr<OnnxModel> contents) : contents_(std::move(contents)) {}

Model Model::load(const std::string& path) {
  return at_api_boundary([&] {
    auto contents = std::make_shared<OnnxModel>(read_model(path));
    if (contents->declared_batch > 1 && !contents->batch_opened)
      throw Error(path + ": is fixed to " + std::to_string(contents->declared_batch) +
                      " pictures at a time, and could not be made open",
                  "export it with a dynamic batch, or with one picture", ErrorCode::unsupported);
    take_what_is_known(*contents);
    take_picture_form(*contents);
    put_classifier_first(*contents);
    return Model(std::move(contents));
  });
}

uint64_t Model::save(const std::string& path, const SaveSettings& settings) const {
  return at_api_boundary([&]() -> uint64_t {
    return write_model(*contents_, path,
                       {.half_weights = settings.half_weights, .external_weights = settings.external_weights});
  });
}

const std::string& Model::path() const { return contents_->path; }

Task Model::task() const {
  const std::string& name = contents_->metadata.task;
  return name.empty() ? Task::classes : at_api_boundary([&] { return task_named(name); });
}

const std::vector<std::string>& Model::labels() const { return contents_->metadata.labels; }

void Model::set_labels(std::vector<std::string> labels) { own().metadata.labels = std::move(labels); }

const std::optional<Preprocessing>& Model::preprocessing() const { return contents_->metadata.preprocessing; }

void Model::set_preprocessing(const Preprocessing& preprocessing) { own().metadata.preprocessing = preprocessing; }

Model::InputSize Model::input_size() const {
  return at_api_boundary([&] {
    const OnnxModel::Picture picture = contents_->picture();
    return InputSize{picture.channels, picture.height, picture.width};
  });
}

std::vector<std::string> Model::output_names() const {
  std::vector<std::string> names;
  for (const ValueId id : contents_->graph.outputs) names.push_back(contents_->graph.value(id).name);
  return names;
}

std::vector<std::string> Model::layer_names() const {
  std::vector<std::string> names;
  for (const Node& node : contents_->graph.nodes) names.push_back(node.name);
  return names;
}

OnnxModel Model::release() && { return contents_.use_count() == 1 ? std::move(*contents_) : *contents_; }

OnnxModel& Model::own() {
  if (contents_.use_count() > 1) contents_ = std::make_shared<OnnxModel>(*contents_);
  return *contents_;
}

}  // namespace graft
