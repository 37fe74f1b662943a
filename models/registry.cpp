#include "models/registry.h"

#include <set>

#include "runtime/core/registry.h"
#include "runtime/ops/batch_norm.h"

namespace graft {

// One word for each family's file: NAME stands for add_NAME, which it defines.
#define GRAFT_FAMILIES(file)                                                                                    \
  file(alexnet) file(convnext) file(densenet) file(efficientnet) file(googlenet) file(inception_v4) file(lenet) \
      file(mobilenet) file(mobilenet_v1) file(mobilenet_v3) file(regnet) file(resnet) file(resnet_cifar)        \
          file(shufflenet_v2) file(small_resnet) file(squeezenet) file(swin) file(vgg) file(vit) file(wide_resnet)

#define GRAFT_DECLARE(name) void add_##name(ArchitectureTable& table);
GRAFT_FAMILIES(GRAFT_DECLARE)
#undef GRAFT_DECLARE

namespace {

const Registry<Graph, const ArchitectureOptions&>& registry() {
  static const Registry<Graph, const ArchitectureOptions&> table("architecture", [] {
    ArchitectureTable t;
#define GRAFT_ADD(name) add_##name(t);
    GRAFT_FAMILIES(GRAFT_ADD)
#undef GRAFT_ADD
    return t;
  }());
  return table;
}

}  // namespace

Graph build_architecture(const std::string& name, const ArchitectureOptions& options) {
  return registry().make(name, options);
}

// models/resnet.cpp
std::string resnet_torch_name(const std::string& parameter);

std::string torch_name(const std::string& architecture, const std::string& parameter) {
  const bool residual = architecture.starts_with("resnet-") || architecture.starts_with("resnext-") ||
                        architecture == "wide-resnet-50-2" || architecture == "wide-resnet-101-2";
  return residual ? resnet_torch_name(parameter) : parameter;
}

std::vector<std::string> architecture_names() { return registry().names(); }

int64_t parameter_count(const Graph& graph) {
  std::set<ValueId> counted;
  int64_t count = 0;
  for (const Node& node : graph.nodes) {
    const size_t last = dynamic_cast<const BatchNorm*>(node.op.get()) ? 3 : node.inputs.size();
    for (size_t i = 0; i < last; ++i) {
      const ValueId id = node.inputs[i];
      if (id == kNoValue || !graph.value(id).constant || graph.value(id).dtype != DType::f32 ||
          graph.value(id).shape.rank() == 0)
        continue;
      if (counted.insert(id).second) count += graph.value(id).shape.elements();
    }
  }
  return count;
}

}  // namespace graft
