// MobileNet [Howard et al. 2017], table 1, with timm's names of parameters and its ReLU6.
#include <cmath>

#include "models/builder.h"
#include "models/registry.h"

namespace graft {
namespace {

ValueId layer(NetworkBuilder& net, const std::string& convolution, const std::string& norm, ValueId x, int64_t out,
              const ConvolutionOptions& options) {
  // The fan out of one group: in a depthwise layer, this is its fan in.
  net.convolutions.kind = options.groups > 1 ? Initialiser::Kind::he_fan_in : Initialiser::Kind::he_fan_out;
  return net.relu6(norm + ".act", net.batch_norm(norm, net.convolution(convolution, x, out, options)));
}

Graph build(const ArchitectureOptions& o) {
  struct Stage {
    int64_t channels, repeats, stride;
  };
  constexpr Stage kStages[] = {{64, 1, 1}, {128, 2, 2}, {256, 2, 2}, {512, 6, 2}, {1024, 2, 2}};
  const int64_t classes = o.classes_or(1000);
  NetworkBuilder net(o.seed, o.initialise);
  net.torch_names = true;
  // timm draws uniformly from ±1/√classes; this has the same variance.
  net.denses = {Initialiser::Kind::gaussian, 1 / std::sqrt(3 * static_cast<float>(classes))};
  ValueId x = layer(net, "conv_stem", "bn1", net.picture(3, 224, 224), 32, {.kernel = {3, 3}, .stride = 2});
  int stage = 0;
  for (const Stage& s : kStages) {
    const std::string stage_name = "blocks." + std::to_string(stage++) + ".";
    for (int64_t i = 0; i < s.repeats; ++i) {
      const std::string name = stage_name + std::to_string(i);
      const int64_t in = net.channels(x);
      x = layer(net, name + ".conv_dw", name + ".bn1", x, in,
                {.kernel = {3, 3}, .stride = i == 0 ? s.stride : 1, .groups = in});
      x = layer(net, name + ".conv_pw", name + ".bn2", x, s.channels, {});
    }
  }
  return net.take(net.dense("classifier", net.global_average("global_pool", x), classes));
}

}  // namespace

void add_mobilenet_v1(ArchitectureTable& table) { table["mobilenet-v1"] = build; }

}  // namespace graft
