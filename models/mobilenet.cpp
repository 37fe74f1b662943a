// MobileNetV2 [Sandler et al. 2018], table 2.
#include "models/builder.h"
#include "models/registry.h"

namespace graft {
namespace {

ValueId layer(NetworkBuilder& net, const std::string& name, ValueId x, int64_t out, const ConvolutionOptions& options) {
  return net.relu6(name + ".relu6", net.batch_norm(name + ".bn", net.convolution(name, x, out, options)));
}

ValueId inverted_residual(NetworkBuilder& net, const std::string& name, ValueId x, int64_t expansion, int64_t out,
                          int64_t stride) {
  const int64_t wide = net.channels(x) * expansion;
  ValueId y = expansion == 1 ? x : layer(net, name + ".expand", x, wide, {});
  y = layer(net, name + ".depthwise", y, wide, {.kernel = {3, 3}, .stride = stride, .groups = wide});
  y = net.batch_norm(name + ".project.bn", net.convolution(name + ".project", y, out, 1));
  return stride == 1 && net.channels(x) == out ? net.add(name + ".add", x, y) : y;
}

Graph build(const ArchitectureOptions& o) {
  NetworkBuilder net(o.seed, o.initialise);
  struct Stage {
    int64_t expansion, channels, repeats, stride;
  };
  constexpr Stage kStages[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                               {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
  ValueId x = layer(net, "conv1", net.picture(3, 224, 224), 32, {.kernel = {3, 3}, .stride = 2});
  int index = 0;
  for (const Stage& s : kStages)
    for (int64_t i = 0; i < s.repeats; ++i)
      x = inverted_residual(net, "block" + std::to_string(++index), x, s.expansion, s.channels, i == 0 ? s.stride : 1);
  x = net.global_average("pool", layer(net, "last", x, 1280, {}));
  return net.take(net.dense("fc", net.dropout("drop", x, 0.2f), o.classes_or(1000)));
}

}  // namespace

void add_mobilenet(ArchitectureTable& table) { table["mobilenet-v2"] = build; }

}  // namespace graft
