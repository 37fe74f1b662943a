#include "importer/weights.h"

#include <cstdint>
#include <filesystem>

#include "runtime/core/error.h"

namespace graft {
namespace {

constexpr size_t kLarge = 4096;  // bytes from which a tensor's content stays in the file
constexpr int kDeepest = 64;     // messages within messages

enum class Message : uint8_t { other, model, graph, node, attribute, tensor };

/// The messages on the way to tensors, by their field numbers in onnx.proto.
Message child(Message parent, uint64_t field) {
  switch (parent) {
    case Message::model:
      return field == 7 ? Message::graph : Message::other;
    case Message::graph:
      return field == 1 ? Message::node : field == 5 ? Message::tensor : Message::other;
    case Message::node:
      return field == 5 ? Message::attribute : Message::other;
    case Message::attribute:
      return field == 5 ? Message::tensor : field == 6 ? Message::graph : Message::other;
    default:
      return Message::other;
  }
}

constexpr uint64_t kExternalData = 13, kDataLocation = 14;  // of a tensor

/// Packed floats lie as raw bytes do.
bool holds_content(uint64_t field) { return field == 9 || field == 4; }

bool read_varint(std::string_view& in, uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 64 && !in.empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(in.front());
    in.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return true;
  }
  return false;
}

void write_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

void write_field(std::string& out, uint64_t field, std::string_view content) {
  write_varint(out, field << 3 | 2);
  write_varint(out, content.size());
  out.append(content);
}

class Rewriter {
 public:
  Rewriter(const char* begin, std::vector<Weights::Range>& ranges) : begin_(begin), ranges_(ranges) {}

  /// Appends the message to `out`, content of large tensors left out. False where it is malformed.
  bool rewrite(Message message, std::string_view in, std::string& out, int depth) {
    if (depth > kDeepest) return false;
    while (!in.empty()) {
      const std::string_view start = in;
      uint64_t tag = 0, length = 0;
      if (!read_varint(in, tag)) return false;
      const uint64_t field = tag >> 3;
      switch (tag & 7) {
        case 0:
          if (!read_varint(in, length)) return false;
          // Said outright, DEFAULT would undo what leave_behind() says.
          if (message == Message::tensor && field == kDataLocation && length == 0) continue;
          break;
        case 1:
        case 5: {
          const size_t bytes = (tag & 7) == 1 ? 8 : 4;
          if (in.size() < bytes) return false;
          in.remove_prefix(bytes);
          break;
        }
        case 2: {
          if (!read_varint(in, length) || length > in.size()) return false;
          const std::string_view content = in.substr(0, length);
          in.remove_prefix(length);
          if (message == Message::tensor && holds_content(field) && length >= kLarge) {
            leave_behind(content, out);
            continue;
          }
          const Message inner = child(message, field);
          if (inner == Message::other) break;
          std::string rewritten;
          if (!rewrite(inner, content, rewritten, depth + 1)) return false;
          write_field(out, field, rewritten);
          continue;
        }
        default:
          return false;
      }
      out.append(start.substr(0, start.size() - in.size()));
    }
    return true;
  }

 private:
  /// external_data: key (1), value (2); data_location: EXTERNAL.
  void leave_behind(std::string_view content, std::string& out) {
    const auto entry = [&](const std::string& key, const std::string& value) {
      std::string message;
      write_field(message, 1, key);
      write_field(message, 2, value);
      write_field(out, kExternalData, message);
    };
    entry("location", Weights::kOwnFile);
    entry("offset", std::to_string(ranges_.size()));
    write_varint(out, kDataLocation << 3);
    write_varint(out, 1);
    ranges_.push_back({static_cast<size_t>(content.data() - begin_), content.size()});
  }

  const char* begin_;
  std::vector<Weights::Range>& ranges_;
};

}  // namespace

std::optional<std::string> Weights::take_from(std::shared_ptr<const MappedFile> file) {
  ranges_.clear();
  std::string message;
  if (!Rewriter(file->data(), ranges_).rewrite(Message::model, {file->data(), file->size()}, message, 0))
    return std::nullopt;
  file_ = std::move(file);
  return message;
}

void Weights::read_own(size_t range, void* to, size_t bytes) const {
  if (range >= ranges_.size()) throw Error("names content that the file does not hold", "the file is damaged");
  const Range& r = ranges_[range];
  if (r.bytes != bytes)
    throw Error("holds " + std::to_string(r.bytes) + " bytes where its shape needs " + std::to_string(bytes),
                "the file is damaged");
  file_->read(r.offset, to, bytes);
}

void Weights::read_beside(const std::string& location, size_t offset, void* to, size_t bytes) const {
  namespace fs = std::filesystem;
  const fs::path relative = fs::path(location).lexically_normal();
  if (location.empty() || relative.is_absolute() || *relative.begin() == "..")
    throw Error("external data at \"" + location + "\" lies outside the model's folder",
                "refused, because a model file must not read other files");
  std::error_code code;
  fs::path path(folder_);
  for (const fs::path& part : relative) {
    path /= part;
    if (fs::is_symlink(fs::symlink_status(path, code)))
      throw Error("external data \"" + location + "\" is a link, which is refused");
  }
  const auto size = fs::file_size(path, code);
  if (code)
    throw Error("external data file \"" + location + "\" is missing", "put it beside the model", ErrorCode::not_found);
  if (offset > size || size - offset < bytes)
    throw Error("external data \"" + location + "\" is shorter than the tensor needs", "the file is truncated");
  MappedFile(path.string()).read(offset, to, bytes);
  bytes_beside_ += bytes;
}

}  // namespace graft
