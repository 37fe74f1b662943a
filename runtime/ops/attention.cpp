#include "runtime/ops/attention.h"

#include <cmath>
#include <limits>

#include "runtime/core/error.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/broadcast.h"
#include "runtime/ops/comparison.h"
#include "runtime/ops/expansion.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/softmax.h"
#include "runtime/ops/unary.h"

namespace graft {
namespace {

constexpr float kMasked = -std::numeric_limits<float>::infinity();

int64_t head_width(int64_t all, int64_t heads) {
  if (heads < 1 || all % heads != 0)
    throw Error(std::to_string(all) + " numbers are not " + std::to_string(heads) + " heads side by side");
  return all / heads;
}

/// The extents of a mask, with 1 for the leading ones that it leaves out.
Shape mask_extents(const Shape& mask, const Attention::Extents& e) {
  Shape full = mask;
  if (full.rank() > 4) throw Error("a mask of " + mask.str() + " has more than four dimensions");
  full.insert(full.begin(), static_cast<size_t>(4 - full.rank()), 1);
  const Shape wanted{e.batch, e.heads, e.queries, e.keys};
  for (size_t i = 0; i < 4; ++i) {
    const bool fits = full[i] == 1 || full[i] == wanted[i] || (i == 3 && full[i] < wanted[i] && mask.rank() > 0);
    if (!fits) throw Error("a mask of " + mask.str() + " does not fit scores of " + wanted.str());
  }
  return full;
}

ValueId number(Expansion& to, float value) { return to.constant(Tensor::of<float>({}, {value})); }

ValueId masked_where_not(Expansion& to, ValueId allowed, ValueId scores) {
  return to.emit(std::make_shared<Where>(), {allowed, scores, number(to, kMasked)});
}

/// Scores (N×key_heads×shared×S×T) with the mask.
ValueId with_mask(Expansion& to, ValueId scores, ValueId mask, const Attention::Extents& e) {
  const Shape full = mask_extents(to.shape(mask), e);
  const bool boolean = to.dtype(mask) == DType::boolean;
  // ONNX pads what is too short; a single number stretches instead.
  if (full[3] < e.keys && full[3] != 1) {
    auto pad = std::make_shared<Pad>();
    pad->pads.assign(2 * to.shape(mask).size(), 0);
    pad->pads.back() = e.keys - full[3];
    pad->fill = boolean ? 0 : kMasked;
    mask = to.emit(pad, {mask});
  }
  if (to.shape(mask).rank() > 2) {  // heads as key heads and those that share one
    const std::vector<int64_t> heads =
        full[1] == 1 ? std::vector<int64_t>{1, 1} : std::vector<int64_t>{e.key_heads, e.shared()};
    const int64_t batch = to.shape(mask).rank() == 4 ? 0 : 1;  // its own, or for all
    const std::vector<int64_t> target{batch, heads[0], heads[1], full[2], to.shape(mask).back()};
    mask = to.reshape(mask, target);
  }
  return boolean ? masked_where_not(to, mask, scores) : to.emit(make_binary(Binary::Kind::add), {scores, mask});
}

ValueId with_causal_mask(Expansion& to, ValueId scores, const Attention::Extents& e) {
  Tensor allowed(DType::boolean, {e.queries, e.keys});
  for (int64_t i = 0; i < e.queries; ++i)
    for (int64_t j = 0; j < e.keys; ++j) allowed.data<bool>()[static_cast<size_t>(i * e.keys + j)] = j <= i;
  return masked_where_not(to, to.constant(std::move(allowed)), scores);
}

ValueId capped(Expansion& to, ValueId scores, float softcap) {
  const ValueId small = to.emit(make_binary(Binary::Kind::div), {scores, number(to, softcap)});
  const ValueId bounded = to.emit(make_unary(Unary::Kind::tanh), {small});
  return to.emit(make_binary(Binary::Kind::mul), {bounded, number(to, softcap)});
}

}  // namespace

Attention::Extents Attention::extents(const Shape& q, const Shape& k, const Shape& v) const {
  Extents e{};
  e.side_by_side = q.rank() == 3;
  const int64_t rank = e.side_by_side ? 3 : 4;
  if (q.rank() != rank || k.rank() != rank || v.rank() != rank)
    throw Error("query " + q.str() + ", key " + k.str() + " and value " + v.str() +
                " should all have 3 or 4 dimensions");
  e.batch = q[0];
  int64_t key_width = 0;
  if (e.side_by_side) {
    if (heads < 1 || key_heads < 1) throw Error("does not say how many heads lie side by side");
    e.heads = heads;
    e.key_heads = key_heads;
    e.queries = q[1];
    e.keys = k[1];
    e.width = head_width(q[2], heads);
    key_width = head_width(k[2], key_heads);
    e.value_width = head_width(v[2], key_heads);
  } else {
    e.heads = q[1];
    e.key_heads = k[1];
    e.queries = q[2];
    e.keys = k[2];
    e.width = q[3];
    key_width = k[3];
    e.value_width = v[3];
  }
  const bool fits = k[0] == e.batch && v[0] == e.batch && key_width == e.width && v[e.side_by_side ? 1 : 2] == e.keys &&
                    (e.side_by_side || v[1] == e.key_heads);
  if (!fits) throw Error("query " + q.str() + ", key " + k.str() + " and value " + v.str() + " do not fit");
  if (e.key_heads < 1 || e.heads % e.key_heads != 0)
    throw Error(std::to_string(e.heads) + " heads cannot share " + std::to_string(e.key_heads) + " keys evenly");
  return e;
}

std::vector<ValueType> Attention::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() < 3 || inputs.size() > 4) throw Error("needs query, key and value, and takes a mask");
  for (size_t i = 0; i < 3; ++i)
    if (inputs[i].dtype != DType::f32)
      throw Error(std::string("input is ") + name_of(inputs[i].dtype) + ", not float32");
  const Extents e = extents(inputs[0].shape, inputs[1].shape, inputs[2].shape);
  if (inputs.size() > 3) {
    if (inputs[3].dtype != DType::f32 && inputs[3].dtype != DType::boolean)
      throw Error(std::string("the mask is ") + name_of(inputs[3].dtype) + ", neither boolean nor float32");
    mask_extents(inputs[3].shape, e);
  }
  if (e.side_by_side) return {{DType::f32, Shape{e.batch, e.queries, e.heads * e.value_width}}};
  return {{DType::f32, Shape{e.batch, e.heads, e.queries, e.value_width}}};
}

int64_t Attention::multiply_adds(std::span<const ValueType> inputs, std::span<const ValueType>) const {
  const Extents e = extents(inputs[0].shape, inputs[1].shape, inputs[2].shape);
  return e.batch * e.heads * e.queries * e.keys * (e.width + e.value_width);
}

ValueId Attention::expand(Expansion& to) const {
  ValueId q = to.input(0), k = to.input(1), v = to.input(2);
  const Extents e = extents(to.shape(q), to.shape(k), to.shape(v));
  const int64_t rows = e.shared() * e.queries;  // queries that meet one key head, as rows of one matrix
  if (e.side_by_side) {
    q = to.transpose(to.reshape(q, {0, e.queries, e.key_heads, e.shared(), e.width}), {0, 2, 3, 1, 4});
    k = to.transpose(to.reshape(k, {0, e.keys, e.key_heads, 1, e.width}), {0, 2, 3, 4, 1});
    v = to.transpose(to.reshape(v, {0, e.keys, e.key_heads, 1, e.value_width}), {0, 2, 3, 1, 4});
    k = to.reshape(k, {-1, e.width, e.keys});
  } else {
    k = to.transpose(to.reshape(k, {-1, e.keys, e.width}), {0, 2, 1});
  }
  q = to.reshape(q, {-1, rows, e.width});
  v = to.reshape(v, {-1, e.keys, e.value_width});
  const float factor = scale != 0 ? scale : 1 / std::sqrt(static_cast<float>(e.width));
  q = to.emit(make_binary(Binary::Kind::mul), {q, number(to, factor)});
  ValueId scores = to.emit(std::make_shared<MatMul>(), {q, k});
  if (softcap != 0) scores = capped(to, scores, softcap);
  const ValueId mask = to.input(3);
  if (causal || mask != kNoValue) {
    scores = to.reshape(scores, {-1, e.key_heads, e.shared(), e.queries, e.keys});
    if (mask != kNoValue) scores = with_mask(to, scores, mask, e);
    if (causal) scores = with_causal_mask(to, scores, e);
    scores = to.reshape(scores, {-1, rows, e.keys});
  }
  const ValueId weights = to.emit(std::make_shared<Softmax>(), {scores});
  const ValueId y = to.emit(std::make_shared<MatMul>(), {weights, v});
  if (!e.side_by_side) return to.reshape(y, {-1, e.heads, e.queries, e.value_width});
  const ValueId apart = to.reshape(y, {-1, e.key_heads, e.shared(), e.queries, e.value_width});
  return to.reshape(to.transpose(apart, {0, 3, 1, 2, 4}), {0, e.queries, e.heads * e.value_width});
}

}  // namespace graft
