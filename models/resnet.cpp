// ResNet [He et al. 2016], with the stride of a bottleneck in its 3×3 layer; ResNeXt [Xie et al. 2017]; wide
// bottlenecks [Zagoruyko & Komodakis 2016].
#include <regex>

#include "models/builder.h"
#include "models/registry.h"

namespace graft {
namespace {

struct Configuration {
  std::vector<int> depths;
  bool bottleneck = true;
  int64_t groups = 1, width = 64;  // of the 3×3 layers in the first stage, all groups: groups·width·channels/64
};

ValueId normalised(NetworkBuilder& net, const std::string& name, ValueId x, int64_t out,
                   const ConvolutionOptions& options) {
  return net.batch_norm(name + ".bn", net.convolution(name + ".conv", x, out, options));
}

ValueId block(NetworkBuilder& net, const std::string& name, ValueId x, int64_t channels, int64_t stride,
              const Configuration& c) {
  const int64_t out = c.bottleneck ? channels * 4 : channels, width = c.groups * (channels * c.width / 64);
  ValueId y = kNoValue;
  if (c.bottleneck) {
    y = net.relu(name + ".relu1", normalised(net, name + ".1", x, width, {}));
    y = net.relu(name + ".relu2",
                 normalised(net, name + ".2", y, width, {.kernel = {3, 3}, .stride = stride, .groups = c.groups}));
    y = normalised(net, name + ".3", y, out, {});
  } else {
    y = net.relu(name + ".relu1", normalised(net, name + ".1", x, channels, {.kernel = {3, 3}, .stride = stride}));
    y = normalised(net, name + ".2", y, channels, {.kernel = {3, 3}});
  }
  const bool projected = stride != 1 || net.channels(x) != out;
  const ValueId shortcut = projected ? normalised(net, name + ".shortcut", x, out, {.stride = stride}) : x;
  return net.relu(name + ".relu", net.add(name + ".add", y, shortcut));
}

Graph build(const Configuration& c, const ArchitectureOptions& o) {
  NetworkBuilder net(o.seed, o.initialise);
  ValueId x = net.picture(3, 224, 224);
  x = net.relu("conv1.relu", normalised(net, "conv1", x, 64, {.kernel = {7, 7}, .stride = 2}));
  x = net.max_pool("pool1", x, 3, 2, 1);
  for (size_t stage = 0; stage < c.depths.size(); ++stage)
    for (int i = 0; i < c.depths[stage]; ++i) {
      const std::string name = "conv" + std::to_string(stage + 2) + "_" + std::to_string(i + 1);
      x = block(net, name, x, int64_t{64} << stage, stage > 0 && i == 0 ? 2 : 1, c);
    }
  x = net.global_average("pool5", x);
  return net.take(net.dense("fc", x, o.classes_or(1000)));
}

}  // namespace

/// "conv2_1.3.bn.scale" is torchvision's "layer1.0.bn3.weight".
std::string resnet_torch_name(const std::string& parameter) {
  std::smatch part;
  static const std::regex pattern(R"(conv(\d+)(?:_(\d+)\.(\d|shortcut))?\.(conv|bn)\.(\w+))");
  if (!std::regex_match(parameter, part, pattern)) return parameter;
  const std::string of = part[5] == "scale"      ? "weight"
                         : part[5] == "mean"     ? "running_mean"
                         : part[5] == "variance" ? "running_var"
                                                 : part[5].str();
  if (!part[2].matched) return part[4].str() + part[1].str() + "." + of;
  const std::string block =
      "layer" + std::to_string(std::stoi(part[1]) - 1) + "." + std::to_string(std::stoi(part[2]) - 1) + ".";
  if (part[3] == "shortcut") return block + "downsample." + (part[4] == "conv" ? "0." : "1.") + of;
  return block + part[4].str() + part[3].str() + "." + of;
}

void add_resnet(ArchitectureTable& table) {
  const std::vector<std::pair<std::string, Configuration>> all{
      {"resnet-18", {{2, 2, 2, 2}, false}},
      {"resnet-34", {{3, 4, 6, 3}, false}},
      {"resnet-50", {{3, 4, 6, 3}}},
      {"resnet-101", {{3, 4, 23, 3}}},
      {"resnet-152", {{3, 8, 36, 3}}},
      {"resnext-50-32x4d", {{3, 4, 6, 3}, true, 32, 4}},
      {"resnext-101-32x8d", {{3, 4, 23, 3}, true, 32, 8}},
      {"wide-resnet-50-2", {{3, 4, 6, 3}, true, 1, 128}},
      {"wide-resnet-101-2", {{3, 4, 23, 3}, true, 1, 128}},
  };
  for (const auto& [name, values] : all) {
    table[name] = [configuration = values](const ArchitectureOptions& o) { return build(configuration, o); };
  }
}

}  // namespace graft
