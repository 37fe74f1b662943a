// DenseNet-BC [Huang et al. 2017], table 1: growth rate k, a stem of 2k channels, transitions that halve.
#include "models/builder.h"
#include "models/registry.h"

namespace graft {
namespace {

ValueId active(NetworkBuilder& net, const std::string& name, ValueId x) {
  return net.relu(name + ".relu", net.batch_norm(name + ".bn", x));
}

Graph build(const std::vector<int>& depths, int64_t growth, const ArchitectureOptions& o) {
  NetworkBuilder net(o.seed, o.initialise);
  net.convolutions = {Initialiser::Kind::he_fan_in, 0};
  ValueId x = net.convolution("conv0", net.picture(3, 224, 224), 2 * growth, 7, 2);
  x = net.max_pool("pool0", active(net, "conv0", x), 3, 2, 1);
  for (size_t b = 0; b < depths.size(); ++b) {
    const std::string block = "block" + std::to_string(b + 1);
    for (int i = 0; i < depths[b]; ++i) {
      const std::string layer = block + "_" + std::to_string(i + 1);
      ValueId y = net.convolution(layer + ".conv1", active(net, layer + ".1", x), 4 * growth, 1);
      y = net.convolution(layer + ".conv2", active(net, layer + ".2", y), growth, 3);
      x = net.concat(layer + ".concat", {x, y});
    }
    if (b + 1 == depths.size()) break;
    const std::string transition = "transition" + std::to_string(b + 1);
    x = net.convolution(transition + ".conv", active(net, transition, x), net.channels(x) / 2, 1);
    x = net.average_pool(transition + ".pool", x, 2, 2);
  }
  x = net.global_average("pool5", active(net, "last", x));
  return net.take(net.dense("fc", x, o.classes_or(1000)));
}

}  // namespace

void add_densenet(ArchitectureTable& table) {
  const auto add = [&](const char* name, std::vector<int> depths, int64_t growth) {
    table[name] = [depths, growth](const ArchitectureOptions& o) { return build(depths, growth, o); };
  };
  add("densenet-121", {6, 12, 24, 16}, 32);
  add("densenet-161", {6, 12, 36, 24}, 48);
  add("densenet-169", {6, 12, 32, 32}, 32);
  add("densenet-201", {6, 12, 48, 32}, 32);
  add("densenet-264", {6, 12, 64, 48}, 48);  // growth 48 and a stem of 96, as its published weights have it
}

}  // namespace graft
