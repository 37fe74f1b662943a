// GoogLeNet [Szegedy et al. 2015], table 1, in its form with batch norm [Ioffe & Szegedy 2015] and 3×3 in the place of
// 5×5, which is the one that published weights have. Two auxiliary heads hang on 4a and 4d while it trains.
#include "models/builder.h"
#include "models/registry.h"

namespace graft {
namespace {

ValueId layer(NetworkBuilder& net, const std::string& name, ValueId x, int64_t out, int64_t kernel,
              int64_t stride = 1) {
  return net.relu(name + ".relu", net.batch_norm(name + ".bn", net.convolution(name, x, out, kernel, stride)));
}

struct Inception {
  int64_t one, reduce3, three, reduce5, five, pool;
};

ValueId inception(NetworkBuilder& net, const std::string& name, ValueId x, const Inception& i) {
  const ValueId one = layer(net, name + ".1x1", x, i.one, 1);
  const ValueId three = layer(net, name + ".3x3", layer(net, name + ".3x3_reduce", x, i.reduce3, 1), i.three, 3);
  const ValueId five = layer(net, name + ".5x5", layer(net, name + ".5x5_reduce", x, i.reduce5, 1), i.five, 3);
  const ValueId pool =
      layer(net, name + ".pool_proj", net.max_pool(name + ".pool", x, 3, 1, 1, Rounding::ceil), i.pool, 1);
  return net.concat(name + ".concat", {one, three, five, pool});
}

/// Averages down to 4×4, 128 channels, 1024 hidden units.
ValueId auxiliary(NetworkBuilder& net, const std::string& name, ValueId x, int64_t classes) {
  x = layer(net, name + ".conv", net.average_pool(name + ".pool", x, 5, 3), 128, 1);
  x = net.relu(name + ".relu", net.dense(name + ".fc1", net.flatten(name + ".flatten", x), 1024));
  return net.dense(name + ".fc2", net.dropout(name + ".drop", x, 0.7f), classes);
}

Graph build(const ArchitectureOptions& o) {
  NetworkBuilder net(o.seed, o.initialise);
  net.convolutions = net.denses = {Initialiser::Kind::xavier, 0};
  net.epsilon = 1e-3f;
  const auto pool = [&](const std::string& name, ValueId x, int64_t kernel) {
    return net.max_pool(name, x, kernel, 2, 0, Rounding::ceil);
  };
  const int64_t classes = o.classes_or(1000);
  std::vector<ValueId> outputs{kNoValue};
  ValueId x = pool("pool1", layer(net, "conv1", net.picture(3, 224, 224), 64, 7, 2), 3);
  x = pool("pool2", layer(net, "conv2", layer(net, "conv2_reduce", x, 64, 1), 192, 3), 3);
  x = inception(net, "3a", x, {64, 96, 128, 16, 32, 32});
  x = pool("pool3", inception(net, "3b", x, {128, 128, 192, 32, 96, 64}), 3);
  x = inception(net, "4a", x, {192, 96, 208, 16, 48, 64});
  if (o.auxiliary) outputs.push_back(auxiliary(net, "aux1", x, classes));
  x = inception(net, "4b", x, {160, 112, 224, 24, 64, 64});
  x = inception(net, "4c", x, {128, 128, 256, 24, 64, 64});
  x = inception(net, "4d", x, {112, 144, 288, 32, 64, 64});
  if (o.auxiliary) outputs.push_back(auxiliary(net, "aux2", x, classes));
  x = pool("pool4", inception(net, "4e", x, {256, 160, 320, 32, 128, 128}), 2);
  x = inception(net, "5a", x, {256, 160, 320, 32, 128, 128});
  x = inception(net, "5b", x, {384, 192, 384, 48, 128, 128});
  x = net.dropout("drop", net.global_average("pool5", x), 0.4f);
  outputs[0] = net.dense("fc", x, classes);
  return net.take(outputs);
}

}  // namespace

void add_googlenet(ArchitectureTable& table) { table["googlenet"] = build; }

}  // namespace graft
