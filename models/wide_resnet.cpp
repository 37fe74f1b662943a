// Wide residual networks for 32×32 pictures [Zagoruyko & Komodakis 2016]: batch norm and ReLU before each convolution.
#include "models/builder.h"
#include "models/registry.h"

namespace graft {
namespace {

ValueId active(NetworkBuilder& net, const std::string& name, ValueId x) {
  return net.relu(name + ".relu", net.batch_norm(name + ".bn", x));
}

/// Where the width changes, the shortcut projects what batch norm and ReLU made; elsewhere it carries the input itself.
ValueId block(NetworkBuilder& net, const std::string& name, ValueId x, int64_t channels, int64_t stride) {
  const ValueId first = active(net, name + ".1", x);
  ValueId y = net.convolution(name + ".conv1", first, channels, 3, stride);
  y = net.convolution(name + ".conv2", active(net, name + ".2", y), channels, 3);
  const ValueId shortcut =
      net.channels(x) == channels ? x : net.convolution(name + ".shortcut", first, channels, 1, stride);
  return net.add(name + ".add", y, shortcut);
}

Graph build(int layers, int64_t widening, const ArchitectureOptions& o) {
  NetworkBuilder net(o.seed, o.initialise);
  ValueId x = net.convolution("conv1", net.picture(3, 32, 32), 16, 3);
  for (int stage = 0; stage < 3; ++stage)
    for (int i = 0; i < (layers - 4) / 6; ++i) {
      const std::string name = "conv" + std::to_string(stage + 2) + "_" + std::to_string(i + 1);
      x = block(net, name, x, (int64_t{16} << stage) * widening, stage > 0 && i == 0 ? 2 : 1);
    }
  x = net.global_average("pool", active(net, "last", x));
  return net.take(net.dense("fc", x, o.classes_or(10)));
}

}  // namespace

void add_wide_resnet(ArchitectureTable& table) {
  table["wrn-28-10"] = [](const ArchitectureOptions& o) { return build(28, 10, o); };
}

}  // namespace graft
