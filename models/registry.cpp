#include "models/registry.h"

#include <set>

#include "runtime/base/registry.h"
#include "runtime/ops/batch_norm.h"

namespace graft {

// One line for each family's file.
void add_alexnet(ArchitectureTable& table);
void add_densenet(ArchitectureTable& table);
void add_googlenet(ArchitectureTable& table);
void add_inception_v4(ArchitectureTable& table);
void add_lenet(ArchitectureTable& table);
void add_mobilenet(ArchitectureTable& table);
void add_resnet(ArchitectureTable& table);
void add_resnet_cifar(ArchitectureTable& table);
void add_small_resnet(ArchitectureTable& table);
void add_squeezenet(ArchitectureTable& table);
void add_vgg(ArchitectureTable& table);
void add_wide_resnet(ArchitectureTable& table);

namespace {

const Registry<Graph, const ArchitectureOptions&>& registry() {
  static const Registry<Graph, const ArchitectureOptions&> table("architecture", [] {
    ArchitectureTable t;
    for (const auto add : {add_alexnet, add_densenet, add_googlenet, add_inception_v4, add_lenet, add_mobilenet, add_resnet, add_resnet_cifar, add_small_resnet,
                           add_squeezenet, add_vgg, add_wide_resnet}) {
      add(t);
    }
    return t;
  }());
  return table;
}

}  // namespace

Graph build_architecture(const std::string& name, const ArchitectureOptions& options) { return registry().make(name, options); }

std::vector<std::string> architecture_names() { return registry().names(); }

int64_t parameter_count(const Graph& graph) {
  std::set<ValueId> counted;
  int64_t count = 0;
  for (const Node& node : graph.nodes) {
    const size_t last = dynamic_cast<const BatchNorm*>(node.op.get()) ? 3 : node.inputs.size();
    for (size_t i = 0; i < last; ++i) {
      const ValueId id = node.inputs[i];
      if (id == kNoValue || !graph.value(id).constant || graph.value(id).dtype != DType::f32 || graph.value(id).shape.rank() == 0) continue;
      if (counted.insert(id).second) count += graph.value(id).shape.elements();
    }
  }
  return count;
}

}  // namespace graft
