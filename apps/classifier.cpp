#include "apps/classifier.h"

#include <algorithm>
#include <iostream>

#include "apps/progress.h"
#include "runtime/core/error.h"
#include "runtime/ops/softmax.h"

namespace graft::app {
namespace {

constexpr size_t kDefaultBatch = 32;

RowPlan compile(Model& model, const Preprocessing& p, const CommonOptions& common, size_t batch,
                const std::string& output) {
  if (!output.empty()) {
    const ValueId id = model.graph.find(output);
    const auto by_node = std::find_if(model.graph.nodes.begin(), model.graph.nodes.end(),
                                      [&](const Node& n) { return n.name == output; });
    if (id != kNoValue && !model.graph.value(id).constant)
      model.graph.outputs = {id};
    else if (by_node != model.graph.nodes.end())
      model.graph.outputs = {by_node->outputs[0]};
    else
      throw Error(model.path + ": has no layer \"" + output + "\"", "graft inspect " + model.path + " lists them");
  }
  model.graph.outputs.resize(1);
  return with_place([&] { return model.path; },
                    [&] {
                      return RowPlan(model.graph, {static_cast<int64_t>(batch), p.crop_height, p.crop_width},
                                     backend(common), common.threads);
                    });
}

}  // namespace

PictureRunner::PictureRunner(Model model, const Preprocessing& p, const CommonOptions& common, size_t pictures,
                             const std::string& output)
    : quiet_(common.quiet),
      pipeline_(evaluation_pipeline(p)),
      batch_(std::max<size_t>(
          1, std::min(pictures, common.batch > 0 ? static_cast<size_t>(common.batch) : kDefaultBatch))),
      plan_(compile(model, p, common, batch_, output)) {
  if (plan_.dtype(0) != DType::f32)
    throw Error("the output holds " + std::string(name_of(plan_.dtype(0))) + ", not float32");
  if (plan_.one_by_one() && !quiet_)
    std::cerr << "graft: the model is fixed to one picture at a time: pictures run one by one, which takes longer\n";
  width_ = plan_.width(0);
}

size_t PictureRunner::run(const std::string& task, const std::vector<std::string>& paths, const Row& row,
                          const Failed& failed) {
  Progress progress(quiet_);
  std::vector<LoadRequest> requests;
  for (const std::string& path : paths) requests.push_back({path, 0});
  Loader loader(pipeline_, std::move(requests), batch_);
  std::vector<float> plain(batch_ * width_);
  size_t at = 0, skipped = 0;
  while (const Loader::Batch* batch = loader.next()) {
    plan_.forward(batch->pixels.data());
    copy_to_plain(plan_.view(0), plain.data());
    for (size_t i = 0; i < batch->count; ++i) {
      if (batch->errors[i].empty()) {
        row(at + i, {plain.data() + i * width_, width_});
        continue;
      }
      ++skipped;
      std::cerr << "graft: skipped " << batch->errors[i] << "\n";
      if (failed) failed(at + i, batch->errors[i]);
    }
    at += batch->count;
    progress.show(task, static_cast<int64_t>(at), static_cast<int64_t>(paths.size()));
  }
  if (skipped > 0) set_exit_status(kSomeSkipped);
  return skipped;
}

std::string class_name(const Metadata& metadata, int index) {
  const auto i = static_cast<size_t>(index);
  return i < metadata.labels.size() ? metadata.labels[i] : std::to_string(index);
}

bool ends_in_softmax(const Graph& graph) {
  const auto producer = graph.producers();
  for (ValueId at = graph.outputs[0];;) {
    const int index = producer[static_cast<size_t>(at)];
    if (index < 0) return false;
    const Node& node = graph.nodes[static_cast<size_t>(index)];
    if (const auto* softmax = dynamic_cast<const Softmax*>(node.op.get()))
      return softmax->form == Softmax::Form::probability;
    if (!node.op->is_reshape()) return false;
    at = node.inputs[0];
  }
}

}  // namespace graft::app
