// libFuzzer target: any bytes end in a model that compiles and runs with two threads, or in one Error, within the
// memory and time that scripts/fuzz allows.
#include <algorithm>

#include "importer/reader.h"
#include "runtime/core/error.h"
#include "runtime/cpu/cpu_backend.h"
#include "runtime/ops/pool.h"
#include "runtime/plan/plan.h"
#include "tests/fuzz/input_file.h"

namespace {

// What a fuzzer may spend on one input; a network of a few hundred kilobytes stays far below it.
constexpr int64_t kMostElements = 1 << 22;
constexpr int64_t kMostWork = int64_t{1} << 26;

/// What an element of a pool costs, which multiply_adds() does not count: a tap of one channel takes as long as some 32
/// multiply-adds under sanitizers.
int64_t pooling_work(const graft::Operator& op) {
  const auto* most = dynamic_cast<const graft::MaxPool*>(&op);
  const auto* average = dynamic_cast<const graft::AveragePool*>(&op);
  if (!most && !average) return 0;
  const graft::Extent2d kernel = most ? most->window.kernel : average->window.kernel;
  return 32 * std::min(kMostWork, std::min(kMostWork, kernel.height) * std::min(kMostWork, kernel.width));
}

bool affordable(const graft::Graph& graph) {
  int64_t elements = 0, work = 0;
  for (const graft::Node& node : graph.nodes) {
    std::vector<graft::ValueType> inputs, outputs;
    for (graft::ValueId id : node.inputs) inputs.push_back(graph.type_of(id));
    for (graft::ValueId id : node.outputs) {
      outputs.push_back(graph.type_of(id));
      if (outputs.back().shape.is_open()) return false;
      elements += outputs.back().shape.elements();
    }
    if (elements > kMostElements) return false;
    work += node.op->multiply_adds(inputs, outputs);
    if (!outputs.empty()) work += outputs[0].shape.elements() * pooling_work(*node.op);
    if (work > kMostWork) return false;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const graft::OnnxModel model = graft::read_model(graft::input_file(data, size));
    if (!affordable(model.graph)) return 0;
    graft::Plan plan = graft::compile_inference(model.graph, {1, 32, 32}, graft::cpu_backend(), /*threads=*/2);
    for (size_t i = 0; i < plan.input_count(); ++i) {
      const graft::View in = plan.input(i);
      std::fill_n(static_cast<std::byte*>(in.data), static_cast<size_t>(in.shape.elements()) * size_of(in.dtype),
                  std::byte{1});
    }
    plan.forward();
  } catch (const graft::Error&) {
  }
  return 0;
}
