#include "runtime/core/tensor.h"

#include <sys/mman.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

#include "runtime/core/error.h"
#include "runtime/core/integer.h"

namespace graft {

size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::f64:
    case DType::i64:
      return 8;
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::f16:
    case DType::bf16:
      return 2;
    case DType::u8:
    case DType::i8:
    case DType::boolean:
      return 1;
  }
  return 0;
}

const char* name_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "float32";
    case DType::f64:
      return "float64";
    case DType::f16:
      return "float16";
    case DType::bf16:
      return "bfloat16";
    case DType::i64:
      return "int64";
    case DType::i32:
      return "int32";
    case DType::u8:
      return "uint8";
    case DType::i8:
      return "int8";
    case DType::boolean:
      return "bool";
  }
  return "?";
}

int64_t Shape::elements() const {
  int64_t count = 1;
  bool overflow = false, empty = false;
  for (int64_t d : *this) {
    if (d < 0) throw Error("shape " + str() + " has no countable size");
    empty = empty || d == 0;
    overflow = __builtin_mul_overflow(count, d, &count) || overflow;
  }
  if (empty) return 0;  // whatever its other extents are
  if (overflow) throw Error("shape " + str() + " has no countable size");
  return count;
}

bool Shape::is_open() const {
  for (int64_t d : *this)
    if (d < 0) return true;
  return false;
}

std::string Shape::str() const {
  if (empty()) return "scalar";
  std::string text;
  for (size_t i = 0; i < size(); ++i) {
    if (i > 0) text += "×";
    const char* const open = i == 0 ? "N" : size() == 4 && i > 1 ? (i == 2 ? "H" : "W") : "?";
    text += (*this)[i] == kOpenDim ? open : std::to_string((*this)[i]);
  }
  return text;
}

Strides plain_strides(const Shape& shape) {
  Strides strides(shape.size());
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = step;
    step *= shape[i];
  }
  return strides;
}

Strides channels_last_strides(const Shape& shape) {
  const int64_t c = shape[1], h = shape[2], w = shape[3];
  return {h * w * c, 1, w * c, c};
}

int64_t resolve_axis(int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank) {
    throw Error("axis " + std::to_string(axis) + " lies outside a tensor of rank " + std::to_string(rank));
  }
  return axis < 0 ? axis + rank : axis;
}

void Tensor::Free::operator()(std::byte* p) const { std::free(p); }

Tensor::Tensor(DType dtype, Shape shape) : dtype_(dtype), shape_(std::move(shape)) {
  size_t bytes = 0;
  if (__builtin_mul_overflow(static_cast<size_t>(shape_.elements()), size_of(dtype), &bytes) ||
      bytes > std::numeric_limits<size_t>::max() / 2) {
    throw Error("a tensor of shape " + shape_.str() + " does not fit in memory", {}, ErrorCode::out_of_memory);
  }
  // Large pages spare the TLB where whole tensors are streamed; a few of them must fit, or alignment would waste what
  // they save.
  constexpr size_t kHugePage = size_t{2} << 20, kWorthHugePages = 4 * kHugePage;
  const size_t alignment = bytes >= kWorthHugePages ? kHugePage : 64,
               rounded = std::max<size_t>((bytes + 63) / 64 * 64, 64);
  void* memory = nullptr;  // not aligned_alloc, whose sizes must be multiples of the alignment
  if (posix_memalign(&memory, alignment, rounded) != 0)
    throw Error("out of memory for a tensor of shape " + shape_.str(), {}, ErrorCode::out_of_memory);
  data_.reset(static_cast<std::byte*>(memory));
  if (bytes >= kWorthHugePages) (void)madvise(data_.get(), rounded / kHugePage * kHugePage, MADV_HUGEPAGE);
}

Tensor Tensor::zeros(DType dtype, Shape shape) {
  Tensor t(dtype, std::move(shape));
  std::memset(t.raw(), 0, t.bytes());
  return t;
}

Tensor Tensor::clone() const {
  Tensor copy(dtype_, shape_);
  std::memcpy(copy.raw(), raw(), bytes());
  return copy;
}

void Tensor::reshape(Shape shape) {
  if (shape.elements() != elements()) throw Error("cannot view " + shape_.str() + " as " + shape.str());
  shape_ = std::move(shape);
}

void Tensor::require(DType wanted) const {
  if (dtype_ != wanted) {
    throw Error(std::string("tensor holds ") + name_of(dtype_) + " where " + name_of(wanted) + " is needed");
  }
}

void Tensor::assign(const void* source, size_t size) {
  if (size != bytes())
    throw Error("a tensor of shape " + shape_.str() + " cannot hold " + std::to_string(size) + " bytes");
  if (size > 0) std::memcpy(raw(), source, size);
}

namespace {

float half_to_float(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000u) << 16;
  const uint32_t exponent = (h >> 10) & 0x1f, mantissa = h & 0x3ff;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  const float magnitude = std::ldexp(static_cast<float>(mantissa), -24);
  return sign ? -magnitude : magnitude;
}

uint16_t float_to_half(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
  const float magnitude = std::fabs(value);
  if (std::isnan(value)) return sign | 0x7e00;
  if (magnitude >= 65520.0f) return sign | 0x7c00;
  if (magnitude < 6.103515625e-05f) {  // subnormal: 2^-24 steps, rounded to even by the float unit
    return sign | static_cast<uint16_t>(std::nearbyint(std::ldexp(magnitude, 24)));
  }
  const uint32_t m = std::bit_cast<uint32_t>(magnitude);
  return sign | static_cast<uint16_t>((m - 0x38000000u + 0xfffu + ((m >> 13) & 1u)) >> 13);
}

float bfloat_to_float(uint16_t b) { return std::bit_cast<float>(static_cast<uint32_t>(b) << 16); }

uint16_t float_to_bfloat(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value)) return static_cast<uint16_t>((bits >> 16) | 0x40);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

template <typename Visit>
void visit_storage(DType dtype, Visit visit) {
  switch (dtype) {
    case DType::f32:
      return visit(float{});
    case DType::f64:
      return visit(double{});
    case DType::i64:
      return visit(int64_t{});
    case DType::i32:
      return visit(int32_t{});
    case DType::u8:
      return visit(uint8_t{});
    case DType::i8:
      return visit(int8_t{});
    case DType::boolean:
      return visit(bool{});
    case DType::f16:
    case DType::bf16:
      return visit(uint16_t{});
  }
}

template <typename To, typename From>
To convert(From value) {
  if constexpr (std::is_same_v<To, bool>) {
    return value != From{};
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    return saturating_cast<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

}  // namespace

void cast_elements(DType from, const void* source_bytes, DType to, void* target_bytes, int64_t count) {
  const size_t n = static_cast<size_t>(count);
  if (from == to) {
    std::memcpy(target_bytes, source_bytes, n * size_of(from));
    return;
  }
  visit_storage(from, [&](auto source_tag) {
    using Source = decltype(source_tag);
    const Source* source = static_cast<const Source*>(source_bytes);
    visit_storage(to, [&](auto target_tag) {
      using Target = decltype(target_tag);
      Target* target = static_cast<Target*>(target_bytes);
      for (size_t i = 0; i < n; ++i) {
        if constexpr (std::is_same_v<Source, uint16_t>) {
          const float value = from == DType::f16 ? half_to_float(source[i]) : bfloat_to_float(source[i]);
          if constexpr (std::is_same_v<Target, uint16_t>) {
            target[i] = to == DType::f16 ? float_to_half(value) : float_to_bfloat(value);
          } else {
            target[i] = convert<Target>(value);
          }
        } else if constexpr (std::is_same_v<Target, uint16_t>) {
          const float value = static_cast<float>(source[i]);
          target[i] = to == DType::f16 ? float_to_half(value) : float_to_bfloat(value);
        } else {
          target[i] = convert<Target>(source[i]);
        }
      }
    });
  });
}

Tensor cast(const Tensor& from, DType to) {
  Tensor result(to, from.shape());
  if (from.elements() > 0) cast_elements(from.dtype(), from.raw(), to, result.raw(), from.elements());
  return result;
}

void normalise_booleans(Tensor& tensor) {
  if (tensor.dtype() != DType::boolean) return;
  auto* bytes = static_cast<uint8_t*>(tensor.raw());
  for (size_t i = 0; i < tensor.bytes(); ++i) bytes[i] = bytes[i] != 0;
}

std::vector<int64_t> to_int64s(const Tensor& tensor) {
  if (tensor.dtype() == DType::i64) {
    const auto values = tensor.data<int64_t>();
    return {values.begin(), values.end()};
  }
  if (tensor.dtype() == DType::i32) {
    const auto values = tensor.data<int32_t>();
    return {values.begin(), values.end()};
  }
  throw Error(std::string("expected integers, found ") + name_of(tensor.dtype()));
}

}  // namespace graft
