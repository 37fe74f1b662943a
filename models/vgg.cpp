// VGG [Simonyan & Zisserman 2015], table 1. Weights begin as the paper recommends in its footnote [Glorot & Bengio
// 2010]; with batch norm as [He et al. 2015].
#include "models/builder.h"
#include "models/registry.h"

namespace graft {
namespace {

struct Layer {
  int64_t channels, kernel;
};

struct Configuration {
  std::vector<std::vector<Layer>> blocks;  // a maximum pool ends each
  bool response_norm = false;              // after the first layer
};

std::vector<std::vector<Layer>> blocks(const std::vector<int>& depths, int64_t last_kernel = 3) {
  const int64_t widths[] = {64, 128, 256, 512, 512};
  std::vector<std::vector<Layer>> result;
  for (size_t b = 0; b < depths.size(); ++b) {
    result.emplace_back(static_cast<size_t>(depths[b]), Layer{widths[b], 3});
    if (depths[b] == 3) result.back().back().kernel = last_kernel;
  }
  return result;
}

Graph build(const Configuration& configuration, bool batch_norm, const ArchitectureOptions& o) {
  NetworkBuilder net(o.seed, o.initialise);
  net.convolutions = {batch_norm ? Initialiser::Kind::he_fan_out : Initialiser::Kind::xavier, 0};
  if (!batch_norm) net.denses = {Initialiser::Kind::xavier, 0};
  ValueId x = net.picture(3, 224, 224);
  for (size_t b = 0; b < configuration.blocks.size(); ++b) {
    const std::string block = std::to_string(b + 1);
    for (size_t i = 0; i < configuration.blocks[b].size(); ++i) {
      const Layer& layer = configuration.blocks[b][i];
      const std::string place = block + "_" + std::to_string(i + 1);
      x = net.convolution("conv" + place, x, layer.channels, {.kernel = {layer.kernel, layer.kernel}, .bias = true});
      if (batch_norm) x = net.batch_norm("bn" + place, x);
      x = net.relu("relu" + place, x);
      if (configuration.response_norm && b == 0 && i == 0) x = net.response_norm("norm" + place, x);
    }
    x = net.max_pool("pool" + block, x, 2, 2);
  }
  x = net.flatten("flatten", x);
  x = net.dropout("drop6", net.relu("relu6", net.dense("fc6", x, 4096)), 0.5f);
  x = net.dropout("drop7", net.relu("relu7", net.dense("fc7", x, 4096)), 0.5f);
  return net.take(net.dense("fc8", x, o.classes_or(1000)));
}

}  // namespace

void add_vgg(ArchitectureTable& table) {
  const Configuration a{blocks({1, 1, 2, 2, 2})}, a_lrn{blocks({1, 1, 2, 2, 2}), true}, b{blocks({2, 2, 2, 2, 2})},
      c{blocks({2, 2, 3, 3, 3}, 1)}, d{blocks({2, 2, 3, 3, 3})}, e{blocks({2, 2, 4, 4, 4})};
  const std::vector<std::pair<std::string, Configuration>> all{
      {"vgg-a", a}, {"vgg-a-lrn", a_lrn}, {"vgg-b", b},  {"vgg-c", c},  {"vgg-d", d},
      {"vgg-e", e}, {"vgg-11", a},        {"vgg-13", b}, {"vgg-16", d}, {"vgg-19", e}};
  for (const auto& [name, values] : all) {
    table[name] = [configuration = values](const ArchitectureOptions& o) { return build(configuration, false, o); };
    table[name + "-bn"] = [configuration = values](const ArchitectureOptions& o) {
      return build(configuration, true, o);
    };
  }
}

}  // namespace graft
