// ResNets for 32×32 pictures [He et al. 2016, §4.2]: 6n + 2 layers, shortcuts that skip pixels and pad channels with
// zeros (option A).
#include "models/builder.h"
#include "models/registry.h"
#include "runtime/ops/movement.h"

namespace graft {
namespace {

ValueId shortcut(NetworkBuilder& net, const std::string& name, ValueId x, int64_t channels, int64_t stride) {
  if (stride != 1) {
    auto skip = std::make_shared<Slice>();
    skip->starts = {0, 0};
    skip->ends = {INT64_MAX, INT64_MAX};
    skip->axes = {2, 3};
    skip->steps = {stride, stride};
    x = net.graph().add(name + ".skip", skip, {x});
  }
  const int64_t missing = channels - net.channels(x);
  if (missing == 0) return x;
  auto pad = std::make_shared<Pad>();
  pad->pads = {0, missing / 2, 0, 0, 0, missing - missing / 2, 0, 0};
  return net.graph().add(name + ".pad", pad, {x});
}

ValueId block(NetworkBuilder& net, const std::string& name, ValueId x, int64_t channels, int64_t stride) {
  ValueId y = net.relu(name + ".relu1",
                       net.batch_norm(name + ".bn1", net.convolution(name + ".conv1", x, channels, 3, stride)));
  y = net.batch_norm(name + ".bn2", net.convolution(name + ".conv2", y, channels, 3));
  return net.relu(name + ".relu2", net.add(name + ".add", y, shortcut(net, name + ".shortcut", x, channels, stride)));
}

Graph build(int n, const ArchitectureOptions& o) {
  NetworkBuilder net(o.seed, o.initialise);
  ValueId x = net.picture(3, 32, 32);
  x = net.relu("conv1.relu", net.batch_norm("conv1.bn", net.convolution("conv1", x, 16, 3)));
  for (int stage = 0; stage < 3; ++stage)
    for (int i = 0; i < n; ++i) {
      const std::string name = "stage" + std::to_string(stage + 1) + "_" + std::to_string(i + 1);
      x = block(net, name, x, int64_t{16} << stage, stage > 0 && i == 0 ? 2 : 1);
    }
  x = net.global_average("pool", x);
  return net.take(net.dense("fc", x, o.classes_or(10)));
}

}  // namespace

void add_resnet_cifar(ArchitectureTable& table) {
  for (const int layers : {20, 32, 44, 56, 110, 1202}) {
    table["resnet-cifar-" + std::to_string(layers)] = [n = (layers - 2) / 6](const ArchitectureOptions& o) {
      return build(n, o);
    };
  }
}

}  // namespace graft
