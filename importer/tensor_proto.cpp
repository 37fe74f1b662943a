#include <charconv>
#include <cstring>
#include <limits>

#include "importer/op_table.h"

namespace graft {
namespace {

using onnx::TensorProto;

constexpr int64_t kLargestTensorElements = int64_t{1} << 31;

DType stored_dtype(int type) {
  switch (type) {
    case TensorProto::FLOAT:
      return DType::f32;
    case TensorProto::DOUBLE:
      return DType::f64;
    case TensorProto::FLOAT16:
      return DType::f16;
    case TensorProto::BFLOAT16:
      return DType::bf16;
    case TensorProto::INT64:
      return DType::i64;
    case TensorProto::INT32:
      return DType::i32;
    case TensorProto::UINT8:
      return DType::u8;
    case TensorProto::INT8:
      return DType::i8;
    case TensorProto::BOOL:
      return DType::boolean;
    default:
      throw Error("element type " + std::to_string(type) + " is not supported");
  }
}

Shape checked_shape(const TensorProto& proto) {
  Shape shape;
  int64_t count = 1;
  for (int64_t d : proto.dims()) {
    if (d < 0) throw Error("dimension " + std::to_string(d) + " is negative", "the file is damaged");
    if (__builtin_mul_overflow(count, d, &count) || count > kLargestTensorElements)
      throw Error("dimensions are impossibly large", "the file is damaged");
    shape.push_back(d);
  }
  if (shape.size() > 8) throw Error("has more than 8 dimensions");
  return shape;
}

Tensor read_external(const TensorProto& proto, DType dtype, const Shape& shape, const Weights& weights) {
  std::string location;
  uint64_t offset = 0, length = 0;
  bool has_length = false;
  const auto read = [](const std::string& text, uint64_t& number) {
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (code != std::errc() || end != text.data() + text.size())
      throw Error("external data has an offset or length that is no number: \"" + text + "\"");
  };
  for (const auto& entry : proto.external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() == "offset") read(entry.value(), offset);
    if (entry.key() == "length") read(entry.value(), length), has_length = true;
  }
  const size_t bytes = static_cast<size_t>(shape.elements()) * size_of(dtype);
  if (has_length && length != bytes)
    throw Error("external data \"" + location + "\" has " + std::to_string(length) + " bytes where its shape needs " +
                    std::to_string(bytes),
                "the file is damaged");
  Tensor tensor(dtype, shape);
  if (location == Weights::kOwnFile)
    weights.read_own(offset, tensor.raw(), bytes);
  else
    weights.read_beside(location, offset, tensor.raw(), bytes);
  return tensor;
}

template <typename T, typename Field>
Tensor from_field(DType dtype, const Shape& shape, const Field& field) {
  Tensor t(dtype, shape);
  if (field.size() != shape.elements()) {
    throw Error(
        "holds " + std::to_string(field.size()) + " elements where its shape says " + std::to_string(shape.elements()),
        "the file is damaged");
  }
  auto* out = static_cast<T*>(t.raw());
  for (int i = 0; i < field.size(); ++i) out[i] = static_cast<T>(field.Get(i));
  return t;
}

Tensor from_bytes(DType dtype, const Shape& shape, const std::string& raw) {
  const auto wanted = static_cast<size_t>(shape.elements()) * size_of(dtype);
  if (raw.size() != wanted)
    throw Error("holds " + std::to_string(raw.size()) + " bytes where its shape needs " + std::to_string(wanted),
                "the file is damaged");
  Tensor t(dtype, shape);
  std::memcpy(t.raw(), raw.data(), raw.size());
  return t;
}

Tensor stored(const TensorProto& proto, const Weights& weights) {
  const DType dtype = stored_dtype(proto.data_type());
  const Shape shape = checked_shape(proto);
  if (proto.data_location() == TensorProto::EXTERNAL) {
    return read_external(proto, dtype, shape, weights);
  }
  if (proto.has_raw_data()) return from_bytes(dtype, shape, proto.raw_data());
  switch (dtype) {
    case DType::f32:
      return from_field<float>(dtype, shape, proto.float_data());
    case DType::f64:
      return from_field<double>(dtype, shape, proto.double_data());
    case DType::i64:
      return from_field<int64_t>(dtype, shape, proto.int64_data());
    case DType::i32:
      return from_field<int32_t>(dtype, shape, proto.int32_data());
    case DType::u8:
      return from_field<uint8_t>(dtype, shape, proto.int32_data());
    case DType::i8:
      return from_field<int8_t>(dtype, shape, proto.int32_data());
    case DType::boolean:
      return from_field<bool>(dtype, shape, proto.int32_data());
    case DType::f16:
    case DType::bf16:
      return from_field<uint16_t>(dtype, shape, proto.int32_data());
  }
  throw Error("element type is not supported");
}

}  // namespace

Tensor read_tensor(const TensorProto& proto, const Weights& weights) {
  return with_place([&] { return "tensor \"" + proto.name() + "\""; },
                    [&] {
                      Tensor t = stored(proto, weights);
                      normalise_booleans(t);
                      switch (t.dtype()) {
                        case DType::f16:
                        case DType::bf16:
                        case DType::f64:
                          return cast(t, DType::f32);
                        default:
                          return t;
                      }
                    });
}

void write_tensor(const Tensor& tensor, const std::string& name, TensorProto& proto) {
  proto.set_name(name);
  for (int64_t d : tensor.shape()) proto.add_dims(d);
  switch (tensor.dtype()) {
    case DType::f32:
      proto.set_data_type(TensorProto::FLOAT);
      break;
    case DType::f64:
      proto.set_data_type(TensorProto::DOUBLE);
      break;
    case DType::f16:
      proto.set_data_type(TensorProto::FLOAT16);
      break;
    case DType::bf16:
      proto.set_data_type(TensorProto::BFLOAT16);
      break;
    case DType::i64:
      proto.set_data_type(TensorProto::INT64);
      break;
    case DType::i32:
      proto.set_data_type(TensorProto::INT32);
      break;
    case DType::u8:
      proto.set_data_type(TensorProto::UINT8);
      break;
    case DType::i8:
      proto.set_data_type(TensorProto::INT8);
      break;
    case DType::boolean:
      proto.set_data_type(TensorProto::BOOL);
      break;
  }
  proto.set_raw_data(tensor.raw(), tensor.bytes());
}

}  // namespace graft
