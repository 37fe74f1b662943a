// Inception-v4 [Szegedy et al. 2017], figures 3 to 9. Every convolution is followed by batch norm and ReLU and has no
// bias of its own.
#include "models/builder.h"
#include "models/registry.h"

namespace graft {
namespace {

class Inception4 {
 public:
  explicit Inception4(const ArchitectureOptions& o) : net_(o.seed, o.initialise), classes_(o.classes_or(1000)) {
    net_.epsilon = 1e-3f;
  }

  Graph build() {
    ValueId x = stem(net_.picture(3, 299, 299));
    for (int i = 1; i <= 4; ++i) x = block_a("a" + std::to_string(i), x);
    x = reduction_a(x);
    for (int i = 1; i <= 7; ++i) x = block_b("b" + std::to_string(i), x);
    x = reduction_b(x);
    for (int i = 1; i <= 3; ++i) x = block_c("c" + std::to_string(i), x);
    x = net_.dropout("drop", net_.global_average("pool", x), 0.2f);
    return net_.take(net_.dense("fc", x, classes_));
  }

 private:
  ValueId layer(const std::string& name, ValueId x, int64_t out, Extent2d kernel = {1, 1}, int64_t stride = 1,
                bool valid = false) {
    return net_.relu(
        name + ".relu",
        net_.batch_norm(name + ".bn",
                        net_.convolution(name, x, out, {.kernel = kernel, .stride = stride, .valid = valid})));
  }
  ValueId pooled(const std::string& name, ValueId x, int64_t out) {
    return layer(name, net_.average_pool(name + ".pool", x, 3, 1, 1), out);
  }

  ValueId stem(ValueId x) {
    x = layer("stem1", x, 32, {3, 3}, 2, true);
    x = layer("stem3", layer("stem2", x, 32, {3, 3}, 1, true), 64, {3, 3});
    x = net_.concat("stem4", {net_.max_pool("stem4.pool", x, 3, 2), layer("stem4.conv", x, 96, {3, 3}, 2, true)});
    const ValueId left = layer("stem5.left2", layer("stem5.left1", x, 64), 96, {3, 3}, 1, true);
    ValueId right = layer("stem5.right2", layer("stem5.right1", x, 64), 64, {1, 7});
    right = layer("stem5.right4", layer("stem5.right3", right, 64, {7, 1}), 96, {3, 3}, 1, true);
    x = net_.concat("stem5", {left, right});
    return net_.concat("stem6", {layer("stem6.conv", x, 192, {3, 3}, 2, true), net_.max_pool("stem6.pool", x, 3, 2)});
  }

  ValueId block_a(const std::string& n, ValueId x) {
    const ValueId one = layer(n + ".one", x, 96), three = layer(n + ".three2", layer(n + ".three1", x, 64), 96, {3, 3});
    const ValueId five = layer(n + ".five3", layer(n + ".five2", layer(n + ".five1", x, 64), 96, {3, 3}), 96, {3, 3});
    return net_.concat(n, {one, three, five, pooled(n + ".average", x, 96)});
  }

  ValueId reduction_a(ValueId x) {
    const ValueId three = layer("ra.three", x, 384, {3, 3}, 2, true);
    const ValueId five =
        layer("ra.five3", layer("ra.five2", layer("ra.five1", x, 192), 224, {3, 3}), 256, {3, 3}, 2, true);
    return net_.concat("ra", {three, five, net_.max_pool("ra.pool", x, 3, 2)});
  }

  ValueId block_b(const std::string& n, ValueId x) {
    const ValueId one = layer(n + ".one", x, 384);
    const ValueId seven =
        layer(n + ".seven3", layer(n + ".seven2", layer(n + ".seven1", x, 192), 224, {1, 7}), 256, {7, 1});
    ValueId twice = layer(n + ".twice2", layer(n + ".twice1", x, 192), 192, {7, 1});
    twice = layer(n + ".twice4", layer(n + ".twice3", twice, 224, {1, 7}), 224, {7, 1});
    twice = layer(n + ".twice5", twice, 256, {1, 7});
    return net_.concat(n, {one, seven, twice, pooled(n + ".average", x, 128)});
  }

  ValueId reduction_b(ValueId x) {
    const ValueId three = layer("rb.three2", layer("rb.three1", x, 192), 192, {3, 3}, 2, true);
    const ValueId seven = layer("rb.seven3", layer("rb.seven2", layer("rb.seven1", x, 256), 256, {1, 7}), 320, {7, 1});
    return net_.concat("rb",
                       {three, layer("rb.seven4", seven, 320, {3, 3}, 2, true), net_.max_pool("rb.pool", x, 3, 2)});
  }

  ValueId block_c(const std::string& n, ValueId x) {
    const ValueId one = layer(n + ".one", x, 256), split = layer(n + ".split", x, 384);
    const ValueId deep =
        layer(n + ".deep3", layer(n + ".deep2", layer(n + ".deep1", x, 384), 448, {3, 1}), 512, {1, 3});
    return net_.concat(n, {one, layer(n + ".split_wide", split, 256, {1, 3}),
                           layer(n + ".split_high", split, 256, {3, 1}), layer(n + ".deep_wide", deep, 256, {1, 3}),
                           layer(n + ".deep_high", deep, 256, {3, 1}), pooled(n + ".average", x, 256)});
  }

  NetworkBuilder net_;
  int64_t classes_;
};

}  // namespace

void add_inception_v4(ArchitectureTable& table) {
  table["inception-v4"] = [](const ArchitectureOptions& o) { return Inception4(o).build(); };
}

}  // namespace graft
