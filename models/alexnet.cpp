// AlexNet [Krizhevsky, Sutskever, Hinton 2012], and torchvision's narrower form [Krizhevsky 2014].
#include "models/builder.h"
#include "models/registry.h"

namespace graft {
namespace {

/// As published; `towers` 2: layers that each saw only their own GPU's half are grouped. Biases of layers 2, 4, 5 and
/// of the hidden dense ones begin at 1.
Graph published(const ArchitectureOptions& o, int64_t towers) {
  NetworkBuilder net(o.seed, o.initialise);
  net.convolutions = net.denses = {Initialiser::Kind::gaussian, 0.01f};
  const auto layer = [&](int i, ValueId x, int64_t out, int64_t kernel, int64_t groups, float bias) {
    const std::string name = "conv" + std::to_string(i);
    return net.relu("relu" + std::to_string(i),
                    net.convolution(name, x, out,
                                    {.kernel = {kernel, kernel}, .groups = groups, .bias = true, .bias_value = bias}));
  };
  ValueId x = net.picture(3, 227, 227);
  x = net.relu("relu1",
               net.convolution("conv1", x, 96, {.kernel = {11, 11}, .stride = 4, .bias = true, .valid = true}));
  x = net.max_pool("pool1", net.response_norm("norm1", x), 3, 2);
  x = net.max_pool("pool2", net.response_norm("norm2", layer(2, x, 256, 5, towers, 1)), 3, 2);
  x = layer(3, x, 384, 3, 1, 0);
  x = layer(4, x, 384, 3, towers, 1);
  x = net.max_pool("pool5", layer(5, x, 256, 3, towers, 1), 3, 2);
  x = net.flatten("flatten", x);
  x = net.dropout("drop6", net.relu("relu6", net.dense("fc6", x, 4096, 1)), 0.5f);
  x = net.dropout("drop7", net.relu("relu7", net.dense("fc7", x, 4096, 1)), 0.5f);
  return net.take(net.dense("fc8", x, o.classes_or(1000)));
}

Graph torchvision(const ArchitectureOptions& o) {
  NetworkBuilder net(o.seed, o.initialise);
  net.convolutions = net.denses = {Initialiser::Kind::he_fan_in, 0};
  const auto layer = [&](int i, ValueId x, int64_t out, int64_t kernel) {
    return net.relu("relu" + std::to_string(i),
                    net.convolution("conv" + std::to_string(i), x, out, {.kernel = {kernel, kernel}, .bias = true}));
  };
  ValueId x = net.picture(3, 224, 224);
  x = net.relu("relu1",
               net.convolution("conv1", x, 64, {.kernel = {11, 11}, .stride = 4, .bias = true, .padding = {2, 2}}));
  x = net.max_pool("pool2", layer(2, net.max_pool("pool1", x, 3, 2), 192, 5), 3, 2);
  x = layer(4, layer(3, x, 384, 3), 256, 3);
  x = net.flatten("flatten", net.max_pool("pool5", layer(5, x, 256, 3), 3, 2));
  x = net.relu("relu6", net.dense("fc6", net.dropout("drop6", x, 0.5f), 4096));
  x = net.relu("relu7", net.dense("fc7", net.dropout("drop7", x, 0.5f), 4096));
  return net.take(net.dense("fc8", x, o.classes_or(1000)));
}

}  // namespace

void add_alexnet(ArchitectureTable& table) {
  table["alexnet"] = [](const ArchitectureOptions& o) { return published(o, 2); };
  table["alexnet-one-tower"] = [](const ArchitectureOptions& o) { return published(o, 1); };
  table["alexnet-torchvision"] = torchvision;
}

}  // namespace graft
