// EfficientNet [Tan & Le 2019], table 1, with torchvision's names of parameters. Stochastic depth is a setting of
// training and left out.
#include <algorithm>
#include <cmath>

#include "models/builder.h"
#include "models/registry.h"

namespace graft {
namespace {

using Activation = NetworkBuilder::Activation;

struct Configuration {
  double width, depth;  // factors of B0's channels and repeats
  int64_t side;
  float dropout, epsilon = 1e-5f;
};

/// The nearest multiple of 8 that is not below 90% of `channels`.
int64_t in_eights(double channels) {
  const int64_t nearest = std::max(int64_t{8}, static_cast<int64_t>(channels + 4) / 8 * 8);
  return static_cast<double>(nearest) < 0.9 * channels ? nearest + 8 : nearest;
}

ValueId layer(NetworkBuilder& net, const std::string& name, ValueId x, int64_t out, const ConvolutionOptions& options,
              Activation kind = Activation::silu) {
  const ValueId y = net.batch_norm(name + ".1", net.convolution(name + ".0", x, out, options));
  return net.activation(name + ".act", y, kind);
}

ValueId block(NetworkBuilder& net, const std::string& name, ValueId x, int64_t expansion, int64_t kernel,
              int64_t stride, int64_t out) {
  const int64_t in = net.channels(x), wide = in * expansion;
  int index = 0;
  const auto next = [&] { return name + ".block." + std::to_string(index++); };
  ValueId y = expansion == 1 ? x : layer(net, next(), x, wide, {});
  y = layer(net, next(), y, wide, {.kernel = {kernel, kernel}, .stride = stride, .groups = wide});
  const std::string se = next();
  y = net.squeeze_excitation(se + ".avgpool", se + ".fc1", se + ".fc2", y, std::max(int64_t{1}, in / 4),
                             Activation::silu, Activation::sigmoid);
  y = layer(net, next(), y, out, {}, Activation::none);
  return stride == 1 && in == out ? net.add(name + ".add", y, x) : y;
}

Graph build(const Configuration& c, const ArchitectureOptions& o) {
  struct Stage {
    int64_t expansion, kernel, stride, channels, repeats;
  };
  constexpr Stage kStages[] = {{1, 3, 1, 16, 1},  {6, 3, 2, 24, 2},  {6, 5, 2, 40, 2}, {6, 3, 2, 80, 3},
                               {6, 5, 1, 112, 3}, {6, 5, 2, 192, 4}, {6, 3, 1, 320, 1}};
  const int64_t classes = o.classes_or(1000);
  NetworkBuilder net(o.seed, o.initialise);
  net.torch_names = true;
  net.epsilon = c.epsilon;
  // torchvision draws uniformly from ±1/√classes; this has the same variance.
  net.denses = {Initialiser::Kind::gaussian, 1 / std::sqrt(3 * static_cast<float>(classes))};
  ValueId x = layer(net, "features.0", net.picture(3, c.side, c.side), in_eights(32 * c.width),
                    {.kernel = {3, 3}, .stride = 2});
  int stage = 0;
  for (const Stage& s : kStages) {
    const std::string name = "features." + std::to_string(++stage) + ".";
    const int64_t out = in_eights(static_cast<double>(s.channels) * c.width);
    const auto repeats = static_cast<int64_t>(std::ceil(static_cast<double>(s.repeats) * c.depth));
    for (int64_t i = 0; i < repeats; ++i)
      x = block(net, name + std::to_string(i), x, s.expansion, s.kernel, i == 0 ? s.stride : 1, out);
  }
  x = layer(net, "features.8", x, 4 * net.channels(x), {});
  x = net.dropout("classifier.0", net.global_average("avgpool", x), c.dropout);
  return net.take(net.dense("classifier.1", x, classes));
}

}  // namespace

void add_efficientnet(ArchitectureTable& table) {
  const std::vector<std::pair<std::string, Configuration>> all{
      {"efficientnet-b0", {1.0, 1.0, 224, 0.2f}},        {"efficientnet-b1", {1.0, 1.1, 240, 0.2f}},
      {"efficientnet-b2", {1.1, 1.2, 288, 0.3f}},        {"efficientnet-b3", {1.2, 1.4, 300, 0.3f}},
      {"efficientnet-b4", {1.4, 1.8, 380, 0.4f}},        {"efficientnet-b5", {1.6, 2.2, 456, 0.4f, 1e-3f}},
      {"efficientnet-b6", {1.8, 2.6, 528, 0.5f, 1e-3f}}, {"efficientnet-b7", {2.0, 3.1, 600, 0.5f, 1e-3f}},
  };
  for (const auto& [name, values] : all)
    table[name] = [configuration = values](const ArchitectureOptions& o) { return build(configuration, o); };
}

}  // namespace graft
