// ConvNeXt [Liu et al. 2022], with torchvision's names of parameters.
#include "models/builder.h"
#include "models/registry.h"

namespace graft {
namespace {

struct Configuration {
  std::vector<int64_t> depths, widths;
};

/// A layer norm over the channels of each place of N×C×H×W.
ValueId channel_norm(NetworkBuilder& net, const std::string& name, ValueId x) {
  const ValueId last = net.transpose(name + ".last", x, {0, 2, 3, 1});
  return net.transpose(name + ".first", net.layer_norm(name, last), {0, 3, 1, 2});
}

/// Its dense layers are convolutions of 1×1 here, the same weights and sums, so that pictures of any size fit.
ValueId block(NetworkBuilder& net, const std::string& name, ValueId x) {
  const int64_t width = net.channels(x);
  const std::string layers = name + ".block.";
  ValueId y = net.convolution(layers + "0", x, width, {.kernel = {7, 7}, .groups = width, .bias = true});
  y = channel_norm(net, layers + "2", y);
  y = net.convolution(layers + "3", y, 4 * width, {.bias = true});
  y = net.activation(layers + "4", y, NetworkBuilder::Activation::gelu);
  y = net.convolution(layers + "5", y, width, {.bias = true});
  y = net.multiply(name + ".scaled", y, net.parameter(name + ".layer_scale", {width, 1, 1}, 1e-6f));
  return net.add(name + ".add", x, y);
}

Graph build(const Configuration& c, const ArchitectureOptions& o) {
  NetworkBuilder net(o.seed, o.initialise);
  net.epsilon = 1e-6f;
  net.convolutions = net.denses = {Initialiser::Kind::gaussian, 0.02f};
  ValueId x = net.convolution("features.0.0", net.picture(3, 224, 224), c.widths[0],
                              {.kernel = {4, 4}, .stride = 4, .bias = true, .valid = true});
  x = channel_norm(net, "features.0.1", x);
  for (size_t stage = 0; stage < c.depths.size(); ++stage) {
    const std::string name = "features." + std::to_string(2 * stage + 1) + ".";
    for (int64_t i = 0; i < c.depths[stage]; ++i) x = block(net, name + std::to_string(i), x);
    if (stage + 1 == c.depths.size()) break;
    const std::string next = "features." + std::to_string(2 * stage + 2) + ".";
    x = net.convolution(next + "1", channel_norm(net, next + "0", x), c.widths[stage + 1],
                        {.kernel = {2, 2}, .stride = 2, .bias = true, .valid = true});
  }
  x = net.layer_norm("classifier.0", net.global_average("avgpool", x));
  return net.take(net.linear("classifier.2", x, o.classes_or(1000)));
}

}  // namespace

void add_convnext(ArchitectureTable& table) {
  const std::vector<std::pair<std::string, Configuration>> all{
      {"convnext-tiny", {{3, 3, 9, 3}, {96, 192, 384, 768}}},
      {"convnext-small", {{3, 3, 27, 3}, {96, 192, 384, 768}}},
      {"convnext-base", {{3, 3, 27, 3}, {128, 256, 512, 1024}}},
      {"convnext-large", {{3, 3, 27, 3}, {192, 384, 768, 1536}}},
  };
  for (const auto& [name, values] : all)
    table[name] = [configuration = values](const ArchitectureOptions& o) { return build(configuration, o); };
}

}  // namespace graft
