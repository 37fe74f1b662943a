#include "apps/run/tensorboard.h"

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "augment/encode.h"
#include "importer/model.h"
#include "runtime/core/atomic_file.h"
#include "runtime/core/error.h"

namespace graft::app {
namespace {

/// CRC-32C, bit-reflected polynomial 0x82f63b78. [RFC 3720, appendix B.4]
uint32_t crc32c(const std::string& bytes) {
  static const std::array<uint32_t, 256> table = [] {
    std::array<uint32_t, 256> made{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t crc = i;
      for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
      made[i] = crc;
    }
    return made;
  }();
  uint32_t crc = ~0u;
  for (const char c : bytes) crc = crc >> 8 ^ table[(crc ^ static_cast<uint8_t>(c)) & 0xff];
  return ~crc;
}

/// As TFRecord stores it, so that a checksum of checksums does not mislead.
uint32_t masked(uint32_t crc) { return std::rotr(crc, 15) + 0xa282ead8u; }

template <typename Number>
std::string little_endian(Number number) {
  static_assert(std::endian::native == std::endian::little);
  std::string bytes(sizeof number, '\0');
  std::memcpy(bytes.data(), &number, sizeof number);
  return bytes;
}

// Protocol Buffers' wire format: a field's number and kind, then its bytes.
std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}
std::string whole(int field, int64_t value) {
  return varint(static_cast<uint64_t>(field) << 3) + varint(static_cast<uint64_t>(value));
}
std::string real(int field, double value) {
  return varint(static_cast<uint64_t>(field) << 3 | 1) + little_endian(value);
}
std::string real32(int field, float value) {
  return varint(static_cast<uint64_t>(field) << 3 | 5) + little_endian(value);
}
std::string bytes(int field, const std::string& value) {
  return varint(static_cast<uint64_t>(field) << 3 | 2) + varint(value.size()) + value;
}

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

std::string histogram(std::span<const float> values) {
  constexpr size_t kBuckets = 30;
  double least = INFINITY, most = -INFINITY, sum = 0, squares = 0;
  for (const float v : values) {
    const auto d = static_cast<double>(v);
    least = std::min(least, d);
    most = std::max(most, d);
    sum += d;
    squares += d * d;
  }
  const double range = std::max(most - least, 1e-12);
  std::array<double, kBuckets> counts{};
  for (const float v : values)
    counts[std::min(kBuckets - 1, static_cast<size_t>((static_cast<double>(v) - least) / range * kBuckets))] += 1;
  std::string limits, numbers;
  for (size_t i = 0; i < kBuckets; ++i) {
    limits += little_endian(least + range * static_cast<double>(i + 1) / kBuckets);
    numbers += little_endian(counts[i]);
  }
  return real(1, least) + real(2, most) + real(3, static_cast<double>(values.size())) + real(4, sum) +
         real(5, squares) + bytes(6, limits) + bytes(7, numbers);
}

}  // namespace

EventFile::EventFile(const std::string& folder) {
  path_ = (std::filesystem::path(folder) /
           ("events.out.tfevents." + std::to_string(static_cast<int64_t>(now())) + ".graft"))
              .string();
  stream_.open(path_, std::ios::binary | std::ios::trunc);
  record(real(1, now()) + bytes(3, "brain.Event:2"));
}

void EventFile::record(const std::string& event) {
  const std::string length = little_endian(static_cast<uint64_t>(event.size()));
  stream_ << length << little_endian(masked(crc32c(length))) << event << little_endian(masked(crc32c(event)));
  stream_.flush();
  if (!stream_) throw Error(path_ + ": cannot be written", "is the disk full?", ErrorCode::io);
}

void EventFile::write(int64_t step, const std::string& values) {
  record(real(1, now()) + whole(2, step) + bytes(5, values));
}

void EventFile::scalars(int64_t step, const std::vector<std::pair<std::string, double>>& values) {
  std::string all;
  for (const auto& [tag, value] : values) all += bytes(1, bytes(1, tag) + real32(2, static_cast<float>(value)));
  write(step, all);
}

void EventFile::image(int64_t step, const std::string& tag, const Image& image) {
  const std::vector<uint8_t> jpeg = jpeg_of(image, 90);
  const std::string encoded(jpeg.begin(), jpeg.end());
  const std::string value = whole(1, image.height) + whole(2, image.width) + whole(3, 3) + bytes(4, encoded);
  write(step, bytes(1, bytes(1, tag) + bytes(4, value)));
}

void EventFile::weights(int64_t step, const Model& model) {
  const Graph& graph = model.contents().graph;
  std::string all;
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const Value& value = graph.value(static_cast<ValueId>(i));
    if (!value.constant || value.dtype != DType::f32 || value.shape.rank() < 2) continue;
    all += bytes(1, bytes(1, "weights/" + value.name) + bytes(5, histogram(value.constant->data<float>())));
  }
  write(step, all);
}

void write_projector(const std::string& folder, const std::vector<float>& features, size_t width,
                     const std::vector<std::string>& labels, const std::vector<std::string>& paths) {
  const auto in_folder = [&](const char* name) { return (std::filesystem::path(folder) / name).string(); };
  const auto plain = [](std::string text) {
    for (char& c : text)
      if (c == '\t' || c == '\n' || c == '\r') c = ' ';
    return text;
  };
  write_atomically(in_folder("features.tsv"), [&](std::ostream& out) {
    out.precision(6);
    for (size_t i = 0; i < features.size(); ++i) out << features[i] << (i % width + 1 == width ? '\n' : '\t');
  });
  write_atomically(in_folder("labels.tsv"), [&](std::ostream& out) {
    out << "class\tpath\n";
    for (size_t i = 0; i < labels.size(); ++i) out << plain(labels[i]) << '\t' << plain(paths[i]) << '\n';
  });
  write_atomically(in_folder("projector_config.pbtxt"), [](std::ostream& out) {
    out << "embeddings {\n  tensor_name: \"features\"\n  tensor_path: \"features.tsv\"\n  metadata_path: "
           "\"labels.tsv\"\n}\n";
  });
}

}  // namespace graft::app
