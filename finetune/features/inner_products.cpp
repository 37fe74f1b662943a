#include "finetune/features/inner_products.h"

#include <cmath>
#include <memory>

#include "runtime/core/graph.h"
#include "runtime/cpu/cpu_backend.h"
#include "runtime/ops/gemm.h"
#include "runtime/plan/plan.h"

namespace graft {

std::vector<float> inner_products(std::span<const float> a, std::span<const float> b, size_t width) {
  const auto k = static_cast<int64_t>(width), rows = static_cast<int64_t>(a.size() / width),
             columns = static_cast<int64_t>(b.size() / width);
  Graph graph;
  const ValueId left = graph.add_input("a", DType::f32, {rows, k}),
                right = graph.add_input("b", DType::f32, {columns, k});
  auto gemm = std::make_shared<Gemm>();
  gemm->transpose_b = Transpose2d::yes;
  graph.outputs = {graph.add("products", gemm, {left, right})};
  Plan plan = compile_inference(graph, {rows}, cpu_backend());
  plan.bind_input(0, a.data());
  plan.bind_input(1, b.data());
  plan.forward();
  std::vector<float> products(static_cast<size_t>(rows * columns));
  copy_to_plain(plan.output(0), products.data());
  return products;
}

void make_unit(std::span<float> rows, size_t length) {
  for (size_t at = 0; at < rows.size(); at += length) {
    double squares = 0;
    for (const float v : rows.subspan(at, length)) squares += static_cast<double>(v) * static_cast<double>(v);
    const auto scale = static_cast<float>(squares > 0 ? 1 / std::sqrt(squares) : 0);
    for (float& v : rows.subspan(at, length)) v *= scale;
  }
}

void make_orthonormal(std::span<float> rows, size_t length) {
  const auto dot = [length](const float* x, const float* y) {
    double sum = 0;
    for (size_t i = 0; i < length; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(y[i]);
    return sum;
  };
  for (size_t k = 0; k * length < rows.size(); ++k) {
    float* const row = rows.data() + k * length;
    const double before = std::sqrt(dot(row, row));
    for (int twice = 0; twice < 2; ++twice)
      for (size_t j = 0; j < k; ++j) {
        const float* const other = rows.data() + j * length;
        const auto along = static_cast<float>(dot(row, other));
        for (size_t i = 0; i < length; ++i) row[i] -= along * other[i];
      }
    const double left = std::sqrt(dot(row, row));
    const auto scale = static_cast<float>(left > 1e-5 * before ? 1 / left : 0);
    for (size_t i = 0; i < length; ++i) row[i] *= scale;
  }
}

}  // namespace graft
