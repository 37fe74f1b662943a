// The bundled network: a ResNet for 64×64 pictures, small enough to travel with the program.
#include "models/builder.h"
#include "models/registry.h"

namespace graft {
namespace {

ValueId basic_block(NetworkBuilder& net, const std::string& name, ValueId x, int64_t channels, int64_t stride) {
  ValueId y = net.convolution(name + ".conv1", x, channels, 3, stride);
  y = net.relu(name + ".relu1", net.batch_norm(name + ".bn1", y));
  y = net.batch_norm(name + ".bn2", net.convolution(name + ".conv2", y, channels, 3, 1));
  ValueId shortcut = x;
  if (stride != 1 || net.channels(x) != channels) {
    shortcut =
        net.batch_norm(name + ".downsample.bn", net.convolution(name + ".downsample.conv", x, channels, 1, stride));
  }
  return net.relu(name + ".relu2", net.add(name + ".add", y, shortcut));
}

Graph build(const ArchitectureOptions& options) {
  NetworkBuilder net(options.seed, options.initialise);
  ValueId x = net.picture(3, 64, 64);
  x = net.relu("stem.relu", net.batch_norm("stem.bn", net.convolution("stem.conv", x, 24, 3, 2)));
  const int64_t widths[] = {24, 48, 96};
  for (int stage = 0; stage < 3; ++stage) {
    for (int block = 0; block < 2; ++block) {
      const std::string name = "stage" + std::to_string(stage + 1) + ".block" + std::to_string(block + 1);
      x = basic_block(net, name, x, widths[stage], stage > 0 && block == 0 ? 2 : 1);
    }
  }
  x = net.global_average("pool", x);
  return net.take(net.dense("classifier", x, options.classes_or(30)));
}

}  // namespace

void add_small_resnet(ArchitectureTable& table) { table["graft-small"] = build; }

}  // namespace graft
