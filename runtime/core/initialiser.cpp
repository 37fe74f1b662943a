#include "runtime/core/initialiser.h"

#include <cmath>

namespace graft {

Tensor drawn_weights(Shape shape, const Initialiser& initialiser, Random random) {
  Tensor t(DType::f32, std::move(shape));
  const Shape& s = t.shape();
  const auto taps = static_cast<float>(s.rank() == 4 ? s[2] * s[3] : 1);
  const float fan_in = static_cast<float>(s[1]) * taps, fan_out = static_cast<float>(s[0]) * taps;
  const auto normal = [&](float sigma) {
    for (float& v : t.data<float>()) v = sigma * random.normal();
  };
  const auto uniform = [&](float bound) {
    for (float& v : t.data<float>()) v = random.uniform(-bound, bound);
  };
  switch (initialiser.kind) {
    case Initialiser::Kind::gaussian:
      normal(initialiser.sigma);
      break;
    case Initialiser::Kind::he_fan_out:
      normal(std::sqrt(2.0f / fan_out));
      break;
    case Initialiser::Kind::he_fan_in:
      normal(std::sqrt(2.0f / fan_in));
      break;
    case Initialiser::Kind::xavier:
      uniform(std::sqrt(6.0f / (fan_in + fan_out)));
      break;
    case Initialiser::Kind::lecun:
      uniform(2.4f / fan_in);
      break;
  }
  return t;
}

}  // namespace graft
