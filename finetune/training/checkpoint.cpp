#include "finetune/training/checkpoint.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "finetune/training/safetensors.h"
#include "runtime/core/atomic_file.h"
#include "runtime/core/error.h"

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
  std::ifstream there(path, std::ios::binary);
  if (!there)
    throw Error(path + ": cannot be opened", "start the run without " + mention("resume"), ErrorCode::not_found);
  Safetensors file = read_safetensors(path);
  const auto state = file.metadata.find("state");
  if (state == file.metadata.end()) throw Error(path + ": is not a checkpoint", {}, ErrorCode::corrupt_file);
  return {std::move(file.tensors), std::move(state->second)};
}

}  // namespace graft
