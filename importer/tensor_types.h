#pragma once

#include "onnx.pb.h"
#include "runtime/core/error.h"
#include "runtime/core/tensor.h"

namespace graft {

/// TensorProto's number for an element type, as graft writes it.
inline int onnx_type(DType dtype) {
  switch (dtype) {
    case DType::i64:
      return onnx::TensorProto::INT64;
    case DType::i32:
      return onnx::TensorProto::INT32;
    case DType::u8:
      return onnx::TensorProto::UINT8;
    case DType::i8:
      return onnx::TensorProto::INT8;
    case DType::boolean:
      return onnx::TensorProto::BOOL;
    default:
      return onnx::TensorProto::FLOAT;
  }
}

/// How graft holds elements of TensorProto's type `type`: halves and doubles as float32. Throws Error for other types.
inline DType activation_dtype(int type) {
  switch (type) {
    case onnx::TensorProto::FLOAT:
    case onnx::TensorProto::FLOAT16:
    case onnx::TensorProto::BFLOAT16:
    case onnx::TensorProto::DOUBLE:
      return DType::f32;
    case onnx::TensorProto::INT64:
      return DType::i64;
    case onnx::TensorProto::INT32:
      return DType::i32;
    case onnx::TensorProto::UINT8:
      return DType::u8;
    case onnx::TensorProto::INT8:
      return DType::i8;
    case onnx::TensorProto::BOOL:
      return DType::boolean;
    default:
      throw Error("element type " + std::to_string(type) + " is not supported");
  }
}

}  // namespace graft
