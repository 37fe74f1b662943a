// LeNet-5 [LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition, 1998], with fully
// connected C3.
#include "models/builder.h"
#include "models/registry.h"

namespace graft {
namespace {

Graph lenet5(const ArchitectureOptions& o) {
  NetworkBuilder net(o.seed, o.initialise);
  net.convolutions = net.denses = {Initialiser::Kind::lecun, 0};
  const ConvolutionOptions five{.kernel = {5, 5}, .bias = true, .valid = true};
  ValueId x = net.picture(1, 32, 32);
  x = net.average_pool("s2", net.tanh("c1.tanh", net.convolution("c1", x, 6, five)), 2, 2);
  x = net.average_pool("s4", net.tanh("c3.tanh", net.convolution("c3", x, 16, five)), 2, 2);
  x = net.flatten("flatten", net.tanh("c5.tanh", net.convolution("c5", x, 120, five)));
  x = net.tanh("f6.tanh", net.dense("f6", x, 84));
  return net.take(net.dense("output", x, o.classes_or(10)));
}

}  // namespace

void add_lenet(ArchitectureTable& table) { table["lenet5"] = lenet5; }

}  // namespace graft
