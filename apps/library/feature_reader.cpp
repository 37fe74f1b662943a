#include "apps/library/feature_reader.h"

#include <algorithm>
#include <utility>

#include "apps/library/feature_folder.h"
#include "runtime/plan/plan.h"

namespace graft {
namespace {

constexpr size_t kAtOnce = 512;  // requests that are looked up together

}  // namespace

FeatureReader::FeatureReader(Graph trunk, const Preprocessing& preprocessing, const Pipeline& pipeline, size_t batch,
                             const ComputeSettings& settings, const Backend& backend, FeatureFiles& files)
    : trunk_(std::move(trunk)),
      pipeline_(pipeline),
      settings_(settings),
      backend_(backend),
      dims_{static_cast<int64_t>(batch), preprocessing.crop_height, preprocessing.crop_width},
      pipeline_text_(pipeline_text(preprocessing, "")) {
  OpenDims one = dims_;
  one.batch = 1;
  const Graph closed = specialise(trunk_, one, backend);
  const Value& output = closed.value(closed.outputs.at(0));
  if (closed.outputs.size() != 1 || output.dtype != DType::f32 || output.shape.rank() != 2 || output.shape[0] != 1)
    return;  // of more dimensions, a row's order is the plan's own
  width_ = static_cast<size_t>(output.shape.elements());
  table_ = files.open(trunk_, dims_, {width_});
}

void FeatureReader::run(const std::vector<LoadRequest>& requests, const Row& row, const Failed& failed) {
  for (size_t begin = 0; begin < requests.size(); begin += kAtOnce) {
    const std::vector<LoadRequest> part(
        requests.begin() + static_cast<std::ptrdiff_t>(begin),
        requests.begin() + static_cast<std::ptrdiff_t>(std::min(begin + kAtOnce, requests.size())));
    const auto keys = picture_keys(part, pipeline_text_, settings_.threads);
    rows_.resize(part.size() * width_);
    std::vector<size_t> missing;
    for (size_t i = 0; i < part.size(); ++i)
      if (!keys[i] || !table_->read(*keys[i], rows_.data() + i * width_)) missing.push_back(i);
    std::vector<std::string> errors(part.size());
    if (!missing.empty()) compute(part, keys, missing, errors);
    for (size_t i = 0; i < part.size(); ++i) {
      if (errors[i].empty())
        row(begin + i, {rows_.data() + i * width_, width_});
      else
        failed(begin + i, errors[i]);
    }
  }
  table_->flush();
}

void FeatureReader::compute(const std::vector<LoadRequest>& requests,
                            const std::vector<std::optional<ContentKey>>& keys, const std::vector<size_t>& missing,
                            std::vector<std::string>& errors) {
  // Another batch gives other last bits: what is kept comes of whole batches, as fine-tuning computes them. A few
  // pictures are not worth one.
  const auto batch = static_cast<size_t>(dims_.batch);
  const bool keeps = 2 * missing.size() >= batch;
  const size_t rows = keeps ? batch : missing.size();
  if (!plan_ || plan_->rows() != rows) {
    OpenDims dims = dims_;
    dims.batch = static_cast<int64_t>(rows);
    plan_.reset();  // its memory goes before the other one's is taken
    plan_.emplace(trunk_, dims, backend_, settings_.threads);
  }
  std::vector<LoadRequest> wanted;
  for (const size_t i : missing) wanted.push_back(requests[i]);
  Loader loader(pipeline_, std::move(wanted), plan_->rows(), settings_.threads);
  std::vector<float> results(plan_->rows() * width_);
  size_t at = 0;
  while (const Loader::Batch* loaded = loader.next()) {
    plan_->forward(loaded->pixels.data());
    copy_to_plain(plan_->view(0), results.data());
    for (size_t i = 0; i < loaded->count; ++i) {
      const size_t place = missing[at + i];
      errors[place] = loaded->errors[i];
      if (!errors[place].empty()) continue;
      table_->count_computed(1);
      float* const row = rows_.data() + place * width_;
      std::copy_n(results.data() + i * width_, width_, row);
      if (keeps && keys[place] && (requests[place].bytes || is_unchanged(requests[place].path)))
        table_->add(*keys[place], row);
    }
    at += loaded->count;
  }
}

}  // namespace graft
