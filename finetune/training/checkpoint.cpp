#include "finetune/training/checkpoint.h"

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "runtime/core/atomic_file.h"
#include "runtime/core/error.h"
#include "runtime/core/json_integer.h"

namespace graft {
namespace {

using nlohmann::json;

const char* code_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "F32";
    case DType::f64:
      return "F64";
    case DType::i64:
      return "I64";
    default:
      throw Error(std::string("checkpoints do not hold ") + name_of(dtype));
  }
}

DType dtype_of_code(const std::string& code) {
  if (code == "F32") return DType::f32;
  if (code == "F64") return DType::f64;
  if (code == "I64") return DType::i64;
  throw Error("holds elements of type " + code);
}

}  // namespace

void write_checkpoint(const std::string& path, const Checkpoint& checkpoint) {
  json header;
  header["__metadata__"] = {{"state", checkpoint.state}};
  size_t offset = 0;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    header[name] = {{"dtype", code_of(tensor.dtype())},
                    {"shape", static_cast<const std::vector<int64_t>&>(tensor.shape())},
                    {"data_offsets", {offset, offset + tensor.bytes()}}};
    offset += tensor.bytes();
  }
  const std::string text = header.dump(-1, ' ', false, json::error_handler_t::replace);
  write_atomically(path, [&](std::ostream& stream) {
    const uint64_t length = text.size();
    stream.write(reinterpret_cast<const char*>(&length), sizeof length);
    stream << text;
    for (const auto& [name, tensor] : checkpoint.tensors)
      stream.write(static_cast<const char*>(tensor.raw()), static_cast<std::streamsize>(tensor.bytes()));
  });
}

Checkpoint read_checkpoint(const std::string& path) {
  return with_place(
      [&] { return path; },
      [&] {
        std::ifstream stream(path, std::ios::binary | std::ios::ate);
        if (!stream)
          throw Error("cannot be opened", "start the run without " + mention("resume"), ErrorCode::not_found);
        const auto size = static_cast<uint64_t>(stream.tellg());
        stream.seekg(0);
        uint64_t length = 0;
        if (!stream.read(reinterpret_cast<char*>(&length), sizeof length) || length > size - sizeof length)
          throw Error("is not a checkpoint, or is truncated", {}, ErrorCode::corrupt_file);
        std::string text(length, '\0');
        stream.read(text.data(), static_cast<std::streamsize>(length));
        try {
          const json header = json::parse(text);
          Checkpoint checkpoint;
          checkpoint.state = header.at("__metadata__").at("state").get<std::string>();
          const uint64_t base = sizeof length + length;
          for (const auto& [name, entry] : header.items()) {
            if (name == "__metadata__") continue;
            Shape shape;
            for (const json& extent : entry.at("shape")) shape.push_back(json_integer(extent));
            const int64_t first = json_integer(entry.at("data_offsets").at(0)),
                          last = json_integer(entry.at("data_offsets").at(1));
            const auto begin = static_cast<uint64_t>(first), end = static_cast<uint64_t>(last);
            if (first < 0 || begin > end || end > size - base) throw Error("is truncated", {}, ErrorCode::corrupt_file);
            const DType dtype = dtype_of_code(entry.at("dtype").get<std::string>());
            if (static_cast<uint64_t>(shape.elements()) * size_of(dtype) != end - begin)
              throw Error("tensor \"" + name + "\" has the wrong length", {}, ErrorCode::corrupt_file);
            Tensor tensor(dtype, shape);
            stream.seekg(static_cast<std::streamoff>(base + begin));
            stream.read(static_cast<char*>(tensor.raw()), static_cast<std::streamsize>(tensor.bytes()));
            checkpoint.tensors.emplace(name, std::move(tensor));
          }
          return checkpoint;
        } catch (const json::exception& e) {
          throw Error(std::string("is not a checkpoint (") + e.what() + ")", {}, ErrorCode::corrupt_file);
        }
      });
}

}  // namespace graft
