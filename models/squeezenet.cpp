// SqueezeNet [Iandola et al. 2016] 1.0, and 1.1 of its authors' repository (smaller stem, earlier pools).
#include "models/builder.h"
#include "models/registry.h"

namespace graft {
namespace {

ValueId layer(NetworkBuilder& net, const std::string& name, ValueId x, int64_t out, int64_t kernel) {
  return net.relu(name + ".relu", net.convolution(name, x, out, {.kernel = {kernel, kernel}, .bias = true}));
}

ValueId fire(NetworkBuilder& net, int i, ValueId x, int64_t squeeze, int64_t expand) {
  const std::string name = "fire" + std::to_string(i);
  const ValueId s = layer(net, name + ".squeeze", x, squeeze, 1);
  return net.concat(name + ".concat",
                    {layer(net, name + ".expand1x1", s, expand, 1), layer(net, name + ".expand3x3", s, expand, 3)});
}

Graph build(bool newer, const ArchitectureOptions& o) {
  NetworkBuilder net(o.seed, o.initialise);
  net.convolutions = {Initialiser::Kind::he_fan_in, 0};
  ValueId x = net.picture(3, 224, 224);
  const int64_t kernel = newer ? 3 : 7;
  x = net.relu("conv1.relu", net.convolution("conv1", x, newer ? 64 : 96,
                                             {.kernel = {kernel, kernel}, .stride = 2, .bias = true, .valid = true}));
  const auto pool = [&](int after) { x = net.max_pool("pool" + std::to_string(after), x, 3, 2, 0, Rounding::ceil); };
  pool(1);
  const int64_t squeeze[] = {16, 16, 32, 32, 48, 48, 64, 64};
  for (int i = 2; i <= 9; ++i) {
    x = fire(net, i, x, squeeze[i - 2], 4 * squeeze[i - 2]);
    if (newer ? i == 3 || i == 5 : i == 4 || i == 8) pool(i);
  }
  x = net.dropout("drop9", x, 0.5f);
  net.convolutions = {Initialiser::Kind::gaussian, 0.01f};
  x = layer(net, "conv10", x, o.classes_or(1000), 1);
  return net.take(net.global_average("pool10", x));
}

}  // namespace

void add_squeezenet(ArchitectureTable& table) {
  table["squeezenet-1.0"] = [](const ArchitectureOptions& o) { return build(false, o); };
  table["squeezenet-1.1"] = [](const ArchitectureOptions& o) { return build(true, o); };
}

}  // namespace graft
