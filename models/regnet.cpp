// RegNet [Radosavovic et al. 2020], X and, with squeeze and excitation, Y, with torchvision's names of parameters.
#include <algorithm>

#include "models/builder.h"
#include "models/registry.h"

namespace graft {
namespace {

using Activation = NetworkBuilder::Activation;

struct Configuration {
  std::vector<int64_t> depths, widths;
  int64_t group;  // channels of each group of the 3×3 layers
  bool squeezed = false;
};

ValueId layer(NetworkBuilder& net, const std::string& name, ValueId x, int64_t out, const ConvolutionOptions& options,
              Activation kind = Activation::relu) {
  const ValueId y = net.batch_norm(name + ".1", net.convolution(name + ".0", x, out, options));
  return net.activation(name + ".act", y, kind);
}

ValueId block(NetworkBuilder& net, const std::string& name, ValueId x, int64_t out, int64_t stride,
              const Configuration& c) {
  const int64_t in = net.channels(x), groups = out / std::min(c.group, out);
  ValueId y = layer(net, name + ".f.a", x, out, {});
  y = layer(net, name + ".f.b", y, out, {.kernel = {3, 3}, .stride = stride, .groups = groups});
  const std::string se = name + ".f.se";
  if (c.squeezed)
    y = net.squeeze_excitation(se + ".avgpool", se + ".fc1", se + ".fc2", y, in / 4, Activation::relu,
                               Activation::sigmoid);
  y = layer(net, name + ".f.c", y, out, {}, Activation::none);
  if (stride != 1 || in != out) x = layer(net, name + ".proj", x, out, {.stride = stride}, Activation::none);
  return net.relu(name + ".activation", net.add(name + ".add", x, y));
}

Graph build(const Configuration& c, const ArchitectureOptions& o) {
  NetworkBuilder net(o.seed, o.initialise);
  net.torch_names = true;
  net.denses = {Initialiser::Kind::gaussian, 0.01f};
  ValueId x = layer(net, "stem", net.picture(3, 224, 224), 32, {.kernel = {3, 3}, .stride = 2});
  for (size_t stage = 0; stage < c.depths.size(); ++stage) {
    const std::string own = "block" + std::to_string(stage + 1), name = "trunk_output." + own + "." + own + "-";
    for (int64_t i = 0; i < c.depths[stage]; ++i)
      x = block(net, name + std::to_string(i), x, c.widths[stage], i == 0 ? 2 : 1, c);
  }
  return net.take(net.dense("fc", net.global_average("avgpool", x), o.classes_or(1000)));
}

}  // namespace

void add_regnet(ArchitectureTable& table) {
  const std::vector<std::pair<std::string, Configuration>> all{
      {"regnet-x-400mf", {{1, 2, 7, 12}, {32, 64, 160, 400}, 16}},
      {"regnet-x-800mf", {{1, 3, 7, 5}, {64, 128, 288, 672}, 16}},
      {"regnet-x-1.6gf", {{2, 4, 10, 2}, {72, 168, 408, 912}, 24}},
      {"regnet-x-3.2gf", {{2, 6, 15, 2}, {96, 192, 432, 1008}, 48}},
      {"regnet-x-8gf", {{2, 5, 15, 1}, {80, 240, 720, 1920}, 120}},
      {"regnet-x-16gf", {{2, 6, 13, 1}, {256, 512, 896, 2048}, 128}},
      {"regnet-y-400mf", {{1, 3, 6, 6}, {48, 104, 208, 440}, 8, true}},
      {"regnet-y-800mf", {{1, 3, 8, 2}, {64, 144, 320, 784}, 16, true}},
      {"regnet-y-1.6gf", {{2, 6, 17, 2}, {48, 120, 336, 888}, 24, true}},
      {"regnet-y-3.2gf", {{2, 5, 13, 1}, {72, 216, 576, 1512}, 24, true}},
      {"regnet-y-8gf", {{2, 4, 10, 1}, {224, 448, 896, 2016}, 56, true}},
      {"regnet-y-16gf", {{2, 4, 11, 1}, {224, 448, 1232, 3024}, 112, true}},
  };
  for (const auto& [name, values] : all)
    table[name] = [configuration = values](const ArchitectureOptions& o) { return build(configuration, o); };
}

}  // namespace graft
