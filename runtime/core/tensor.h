#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace graft {

enum class DType : uint8_t { f32, f64, f16, bf16, i64, i32, u8, i8, boolean };

size_t size_of(DType dtype);
const char* name_of(DType dtype);

/// The C++ type that stores one element of each dtype; half types travel as their bit pattern and are converted at
/// import.
template <typename T>
inline constexpr DType dtype_of = DType::f32;
template <>
inline constexpr DType dtype_of<double> = DType::f64;
template <>
inline constexpr DType dtype_of<int64_t> = DType::i64;
template <>
inline constexpr DType dtype_of<int32_t> = DType::i32;
template <>
inline constexpr DType dtype_of<uint8_t> = DType::u8;
template <>
inline constexpr DType dtype_of<int8_t> = DType::i8;
template <>
inline constexpr DType dtype_of<bool> = DType::boolean;

/// The stand-in for a dimension that is fixed only when a plan is made (the batch, or an image side).
inline constexpr int64_t kOpenDim = -1;

/// Extents in elements, outermost first. Four-dimensional activations are N×C×H×W here whatever their layout in memory.
struct Shape : std::vector<int64_t> {
  using std::vector<int64_t>::vector;
  Shape(const std::vector<int64_t>& dims) : std::vector<int64_t>(dims) {}
  int64_t elements() const;
  int64_t rank() const { return static_cast<int64_t>(size()); }
  bool is_open() const;
  /// "64×3×7×7"; open dimensions print as N (first), H and W (last two of four), or ?.
  std::string str() const;
};

/// Distance in elements between neighbours along each dimension, in the Shape's order.
using Strides = std::vector<int64_t>;

Strides plain_strides(const Shape& shape);
/// Strides of an N×C×H×W shape stored as N, H, W, C.
Strides channels_last_strides(const Shape& shape);

/// Turns a possibly negative axis into 0…rank-1; throws Error when it lies outside.
int64_t resolve_axis(int64_t axis, int64_t rank);

/// A dense block of memory that it owns (64-byte aligned), in plain row-major order.
class Tensor {
 public:
  Tensor() = default;
  Tensor(DType dtype, Shape shape);
  template <typename T>
  static Tensor of(Shape shape, std::initializer_list<T> values) {
    return copy_of<T>(std::move(shape), std::span<const T>(values.begin(), values.size()));
  }
  template <typename T>
  static Tensor copy_of(Shape shape, std::span<const T> values) {
    Tensor t(dtype_of<T>, std::move(shape));
    t.assign(values.data(), values.size_bytes());
    return t;
  }
  static Tensor zeros(DType dtype, Shape shape);

  Tensor clone() const;
  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  int64_t elements() const { return shape_.elements(); }
  size_t bytes() const { return static_cast<size_t>(elements()) * size_of(dtype_); }
  void* raw() { return data_.get(); }
  const void* raw() const { return data_.get(); }
  template <typename T>
  std::span<T> data() {
    return {checked<T>(), static_cast<size_t>(elements())};
  }
  template <typename T>
  std::span<const T> data() const {
    return {checked<T>(), static_cast<size_t>(elements())};
  }
  /// Same elements under another shape. Throws Error when the counts differ.
  void reshape(Shape shape);

 private:
  struct Free {
    void operator()(std::byte* p) const;
  };
  template <typename T>
  T* checked() const {
    require(dtype_of<T>);
    return reinterpret_cast<T*>(data_.get());
  }
  void require(DType wanted) const;
  void assign(const void* source, size_t bytes);

  DType dtype_ = DType::f32;
  Shape shape_{0};
  std::unique_ptr<std::byte, Free> data_;
};

/// A copy converted element by element (f16 and bf16 included, rounding to nearest even).
Tensor cast(const Tensor& from, DType to);

/// The same into memory of the caller: `count` elements each.
void cast_elements(DType from, const void* source, DType to, void* target, int64_t count);

/// Makes every byte but 0 of a boolean tensor 1, which is all that C++ allows a bool to be: for bytes that come from
/// outside. Other tensors stay as they are.
void normalise_booleans(Tensor& tensor);

/// The integers of a small i64 or i32 tensor (shapes, axes, pads).
std::vector<int64_t> to_int64s(const Tensor& tensor);

}  // namespace graft
