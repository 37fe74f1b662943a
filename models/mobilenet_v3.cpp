// MobileNetV3 [Howard et al. 2019], tables 1 and 2, with torchvision's names of parameters.
#include <algorithm>

#include "models/builder.h"
#include "models/registry.h"

namespace graft {
namespace {

using Activation = NetworkBuilder::Activation;
constexpr Activation kRelu = Activation::relu, kSwish = Activation::hard_swish;

struct Block {
  int64_t kernel, expanded, channels;
  bool squeezed;
  Activation activation;
  int64_t stride;
};

struct Configuration {
  std::vector<Block> blocks;
  int64_t hidden;  // width before the scores
};

/// The nearest multiple of 8 that is not below 90% of `channels`.
int64_t in_eights(int64_t channels) {
  const int64_t nearest = std::max(int64_t{8}, (channels + 4) / 8 * 8);
  return 10 * nearest < 9 * channels ? nearest + 8 : nearest;
}

ValueId layer(NetworkBuilder& net, const std::string& name, ValueId x, int64_t out, const ConvolutionOptions& options,
              Activation kind) {
  const ValueId y = net.batch_norm(name + ".1", net.convolution(name + ".0", x, out, options));
  return net.activation(name + ".act", y, kind);
}

ValueId block(NetworkBuilder& net, const std::string& name, ValueId x, const Block& b) {
  const int64_t in = net.channels(x);
  int index = 0;
  const auto next = [&] { return name + ".block." + std::to_string(index++); };
  ValueId y = b.expanded == in ? x : layer(net, next(), x, b.expanded, {}, b.activation);
  y = layer(net, next(), y, b.expanded, {.kernel = {b.kernel, b.kernel}, .stride = b.stride, .groups = b.expanded},
            b.activation);
  if (b.squeezed) {
    const std::string se = next();
    y = net.squeeze_excitation(se + ".avgpool", se + ".fc1", se + ".fc2", y, in_eights(b.expanded / 4),
                               Activation::relu, Activation::hard_sigmoid);
  }
  y = layer(net, next(), y, b.channels, {}, Activation::none);
  return b.stride == 1 && in == b.channels ? net.add(name + ".add", y, x) : y;
}

Graph build(const Configuration& c, const ArchitectureOptions& o) {
  NetworkBuilder net(o.seed, o.initialise);
  net.torch_names = true;
  net.epsilon = 1e-3f;
  net.denses = {Initialiser::Kind::gaussian, 0.01f};
  ValueId x = layer(net, "features.0", net.picture(3, 224, 224), 16, {.kernel = {3, 3}, .stride = 2}, kSwish);
  int index = 0;
  for (const Block& b : c.blocks) x = block(net, "features." + std::to_string(++index), x, b);
  x = layer(net, "features." + std::to_string(++index), x, 6 * net.channels(x), {}, kSwish);
  x = net.dense("classifier.0", net.global_average("avgpool", x), c.hidden);
  x = net.dropout("classifier.2", net.activation("classifier.1", x, kSwish), 0.2f);
  return net.take(net.dense("classifier.3", x, o.classes_or(1000)));
}

}  // namespace

void add_mobilenet_v3(ArchitectureTable& table) {
  const std::vector<std::pair<std::string, Configuration>> all{
      {"mobilenet-v3-large",
       {{{3, 16, 16, false, kRelu, 1},
         {3, 64, 24, false, kRelu, 2},
         {3, 72, 24, false, kRelu, 1},
         {5, 72, 40, true, kRelu, 2},
         {5, 120, 40, true, kRelu, 1},
         {5, 120, 40, true, kRelu, 1},
         {3, 240, 80, false, kSwish, 2},
         {3, 200, 80, false, kSwish, 1},
         {3, 184, 80, false, kSwish, 1},
         {3, 184, 80, false, kSwish, 1},
         {3, 480, 112, true, kSwish, 1},
         {3, 672, 112, true, kSwish, 1},
         {5, 672, 160, true, kSwish, 2},
         {5, 960, 160, true, kSwish, 1},
         {5, 960, 160, true, kSwish, 1}},
        1280}},
      {"mobilenet-v3-small",
       {{{3, 16, 16, true, kRelu, 2},
         {3, 72, 24, false, kRelu, 2},
         {3, 88, 24, false, kRelu, 1},
         {5, 96, 40, true, kSwish, 2},
         {5, 240, 40, true, kSwish, 1},
         {5, 240, 40, true, kSwish, 1},
         {5, 120, 48, true, kSwish, 1},
         {5, 144, 48, true, kSwish, 1},
         {5, 288, 96, true, kSwish, 2},
         {5, 576, 96, true, kSwish, 1},
         {5, 576, 96, true, kSwish, 1}},
        1024}},
  };
  for (const auto& [name, values] : all)
    table[name] = [configuration = values](const ArchitectureOptions& o) { return build(configuration, o); };
}

}  // namespace graft
