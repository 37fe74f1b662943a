#include "finetune/training/safetensors.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "runtime/core/error.h"
#include "runtime/core/json_integer.h"

namespace graft {
namespace {

using nlohmann::json;

constexpr uint64_t kLongestHeader = 100 << 20;  // as the format's own library has it

DType dtype_of(const std::string& code) {
  if (code == "F32") return DType::f32;
  if (code == "F64") return DType::f64;
  if (code == "F16") return DType::f16;
  if (code == "BF16") return DType::bf16;
  if (code == "I64") return DType::i64;
  if (code == "I32") return DType::i32;
  throw Error("holds elements of type " + code, {}, ErrorCode::unsupported);
}

Tensor read_tensor(std::ifstream& stream, const std::string& name, const json& entry, uint64_t base, uint64_t size) {
  Shape shape;
  for (const json& extent : entry.at("shape")) shape.push_back(json_integer(extent));
  const int64_t first = json_integer(entry.at("data_offsets").at(0)),
                last = json_integer(entry.at("data_offsets").at(1));
  const auto begin = static_cast<uint64_t>(first), end = static_cast<uint64_t>(last);
  if (first < 0 || begin > end || end > size - base) throw Error("is truncated", {}, ErrorCode::corrupt_file);
  const DType dtype = dtype_of(entry.at("dtype").get<std::string>());
  if (static_cast<uint64_t>(shape.elements()) * size_of(dtype) != end - begin)
    throw Error("tensor \"" + name + "\" has the wrong length", {}, ErrorCode::corrupt_file);
  Tensor tensor(dtype, shape);
  stream.seekg(static_cast<std::streamoff>(base + begin));
  if (!stream.read(static_cast<char*>(tensor.raw()), static_cast<std::streamsize>(tensor.bytes())))
    throw Error("is truncated", {}, ErrorCode::corrupt_file);
  return dtype == DType::f16 || dtype == DType::bf16 ? cast(tensor, DType::f32) : std::move(tensor);
}

}  // namespace

Safetensors read_safetensors(const std::string& path) {
  return with_place([&] { return path; },
                    [&] {
                      std::ifstream stream(path, std::ios::binary | std::ios::ate);
                      if (!stream) throw Error("cannot be opened", "check the path", ErrorCode::not_found);
                      const auto size = static_cast<uint64_t>(stream.tellg());
                      stream.seekg(0);
                      uint64_t length = 0;
                      if (!stream.read(reinterpret_cast<char*>(&length), sizeof length) ||
                          length > size - sizeof length || length > kLongestHeader)
                        throw Error("is not in the safetensors format, or is truncated", {}, ErrorCode::corrupt_file);
                      std::string text(length, '\0');
                      stream.read(text.data(), static_cast<std::streamsize>(length));
                      try {
                        const json header = json::parse(text);
                        Safetensors file;
                        uint64_t read = 0;
                        for (const auto& [name, entry] : header.items()) {
                          if (name != "__metadata__") {
                            const auto& offsets = entry.at("data_offsets");
                            const int64_t bytes = json_integer(offsets.at(1)) - json_integer(offsets.at(0));
                            if (bytes < 0 || (read += static_cast<uint64_t>(bytes)) > size - sizeof length - length)
                              throw Error("is truncated, or has tensors that overlap", {}, ErrorCode::corrupt_file);
                            file.tensors.emplace(name, read_tensor(stream, name, entry, sizeof length + length, size));
                            continue;
                          }
                          for (const auto& [key, value] : entry.items()) file.metadata[key] = value.get<std::string>();
                        }
                        return file;
                      } catch (const json::exception& e) {
                        throw Error(std::string("is not in the safetensors format (") + e.what() + ")", {},
                                    ErrorCode::corrupt_file);
                      }
                    });
}

}  // namespace graft
