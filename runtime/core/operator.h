#pragma once

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "runtime/core/tensor.h"

namespace graft {

class Expansion;
class GradientBuilder;

/// A value of a graph (graph.h).
using ValueId = int32_t;

/// What is known of a value before it is computed. `constant` is set when its content is known, and is not owned.
struct ValueType {
  DType dtype = DType::f32;
  Shape shape;
  const Tensor* constant = nullptr;
};

/// What a kernel does to its result before it writes it: y = activation(result + residual).
struct Activation {
  enum class Kind : uint8_t { none, relu, clip, leaky_relu };
  Kind kind = Kind::none;
  float alpha = 0;  // clip: low; leaky_relu: slope
  float beta = 0;   // clip: high
};

struct Epilogue {
  bool residual = false;  // the node's last input is added, same shape as the output
  Activation activation;
  bool empty() const { return !residual && activation.kind == Activation::Kind::none; }
};

/// Some of an operator's inputs, or of its outputs, by their index.
class OperandSet {
 public:
  static constexpr OperandSet none() { return OperandSet(0); }
  static constexpr OperandSet all() { return OperandSet(~uint32_t{0}); }
  /// Indices below 31.
  static constexpr OperandSet only(std::initializer_list<size_t> indices) {
    uint32_t bits = 0;
    for (size_t i : indices) bits |= uint32_t{1} << i;
    return OperandSet(bits);
  }
  static constexpr OperandSet all_but(std::initializer_list<size_t> indices) {
    return OperandSet(~only(indices).bits_);
  }
  constexpr bool contains(size_t index) const { return (bits_ >> std::min(index, kLast) & 1) != 0; }

 private:
  static constexpr size_t kLast = 31;  // stands for every later operand too
  explicit constexpr OperandSet(uint32_t bits) : bits_(bits) {}
  uint32_t bits_;
};

/// Which operands of an operator may be of a half type where a backend computes in it; the others stay float.
struct HalfOperands {
  OperandSet inputs = OperandSet::none(), outputs = OperandSet::none();
  static constexpr HalfOperands all() { return {OperandSet::all(), OperandSet::all()}; }
};

/// An operator is its attributes, two rules (shape and gradient), and what passes ask about it: they know no operator
/// by name that they do not look for as a pattern. It knows no device, no layout and no memory. Operators are
/// immutable; nodes of several graphs may share one.
class Operator {
 public:
  virtual ~Operator() = default;

  /// ONNX's name where ONNX has the operator.
  virtual std::string_view type() const = 0;

  /// dtypes and shapes of the outputs. Throws Error when the inputs do not fit.
  virtual std::vector<ValueType> infer(std::span<const ValueType> inputs) const = 0;

  /// Appends the nodes for the gradients of those inputs that the builder wants. The default throws Error.
  virtual void differentiate(GradientBuilder& grad) const;

  /// Multiply-adds of one evaluation, by the usual counting (convolutions and dense layers only).
  virtual int64_t multiply_adds(std::span<const ValueType>, std::span<const ValueType>) const { return 0; }

  /// Inputs that are the weights and biases of a layer: constants among them are what training changes.
  virtual OperandSet weights() const { return OperandSet::none(); }

  /// The tail fused into this operator, or null when it cannot carry one.
  virtual const Epilogue* epilogue() const { return nullptr; }
  virtual std::shared_ptr<const Operator> with_epilogue(const Epilogue&) const { return nullptr; }

  /// Index of the input that a fused residual becomes, after the optional ones; none where the operator takes no
  /// residual.
  virtual std::optional<size_t> residual_input() const { return std::nullopt; }

  /// This operator with an activation applied to output 0 (float), or null when it cannot apply one, or does already.
  virtual std::shared_ptr<const Operator> with_activation(const Activation& activation) const {
    if (!epilogue() || epilogue()->activation.kind != Activation::Kind::none) return nullptr;
    return with_epilogue({epilogue()->residual, activation});
  }

  /// Which operands may be of a half type (lower_precision). The default keeps all of them float.
  virtual HalfOperands half_operands() const { return {}; }

  /// True when each element of the results depends on those elements of the inputs alone that broadcasting (aligned at
  /// the last dimension) puts beside it, whatever the rank: dimensions may then be merged or moved around it.
  virtual bool is_element_wise() const { return false; }

  /// How kernels of this operator like operands of rank four to lie.
  enum class Layout : uint8_t {
    channels_last,  // as pictures do
    any,            // all of them alike: where one is row-major, the others had better be, too
    each_any        // each for itself: results lie otherwise than inputs anyway
  };
  virtual Layout layout() const { return is_element_wise() ? Layout::any : Layout::channels_last; }

  /// For operators that work along the last dimension of input 0, …×C: the form that gives output 0 as a matrix of C
  /// columns from input 0 as such a matrix and the other inputs as they are. `inputs`: types of this operator's own.
  /// Null when there is none. Element-wise operators are their own form.
  virtual std::shared_ptr<const Operator> row_form(std::span<const ValueType> /*inputs*/) const { return nullptr; }

  /// The operator that makes output 0 again in the backward pass, where everything but output 0 was kept; `inputs`,
  /// the node's, become what it reads, for which `outputs` are the node's. Null where that is this operator, from the
  /// same inputs.
  virtual std::shared_ptr<const Operator> recomputed_form(std::vector<ValueId>& /*inputs*/,
                                                          std::span<const ValueId> /*outputs*/) const {
    return nullptr;
  }

  /// True when making output 0 again (recomputed_form) costs less time than keeping it costs memory, so that every
  /// training does it.
  virtual bool is_cheap_to_recompute() const { return false; }

  /// The results, where they follow from the inputs' types alone (ONNX Shape); empty where contents matter.
  virtual std::vector<Tensor> results_from_types(std::span<const ValueType> /*inputs*/) const { return {}; }

  /// True when the output holds the input's elements in the same (logical row-major) order under another shape.
  virtual bool is_reshape() const { return false; }

  /// True when the output is the input's memory seen otherwise, given how both lie.
  virtual bool is_view(const ValueType& /*input*/, const Strides& /*from*/, const ValueType& /*output*/,
                       const Strides& /*to*/) const {
    return false;
  }

  /// Inputs that an output may overwrite when nobody needs them afterwards, the best first.
  virtual std::vector<int> in_place_inputs(size_t /*output*/) const { return {}; }

  /// The form with everything resolved that depends on the inputs' extents (automatic padding), or null when this one
  /// is.
  virtual std::shared_ptr<const Operator> resolved(std::span<const ValueType>) const { return nullptr; }

  /// True for operators that only stand for others (ONNX Einsum). `specialise` puts those in their place, and so does
  /// the writer where the written opset has no such operator; no backend has a kernel for a composite.
  virtual bool is_composite() const { return false; }

  /// Appends what a composite stands for, from the shapes of its inputs; returns what stands for output 0, the only
  /// one. Extents that `specialise` may close otherwise another time (the batch) should not be spelled out: the writer
  /// leaves the batch open. Throws Error where there is no such graph.
  virtual ValueId expand(Expansion& expansion) const;

  /// True for operators whose outputs are some of their inputs, which ones being known once extents are (ONNX If).
  /// `specialise` puts those inputs in place of the outputs; what the others follow from is then not needed, and need
  /// not fit the extents either.
  virtual bool chooses_inputs() const { return false; }
  /// For each output the index of the input that it is. Throws Error where that is not known.
  virtual std::vector<size_t> chosen_inputs(std::span<const ValueType> /*inputs*/) const { return {}; }

  /// The form that keeps what the gradient needs (extra outputs are appended), or null when this one does.
  virtual std::shared_ptr<const Operator> training_form() const { return nullptr; }

  /// Weight-like outputs stay row-major; other activations of rank four are channels-last, but for those that have no
  /// picture about them (see layout()).
  virtual bool output_is_weight_like() const { return false; }
};

using OperatorPtr = std::shared_ptr<const Operator>;

}  // namespace graft
