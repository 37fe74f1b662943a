#include "apps/library/neighbour_graph.h"

// Its prefetching reads a link beyond the end of a row's list; distances are the runtime's.
#define NO_MANUAL_VECTORIZATION
#include <hnswlib/hnswlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <string>

#include "runtime/core/error.h"
#include "runtime/cpu/vector/vector.h"

namespace graft {
namespace {

constexpr size_t kLinks = 16, kCandidates = 200;  // M and efConstruction of the paper
constexpr size_t kLeastSearched = 128;            // ef
constexpr size_t kAllSeen = 20'000;  // so few rows are all looked at: it takes milliseconds, and misses none

/// A file in memory, since hnswlib reads and writes files alone.
class MemoryFile {
 public:
  MemoryFile() : fd_(::memfd_create("graft-neighbours", MFD_CLOEXEC)) {
    if (fd_ < 0) throw Error("no file in memory can be made for the index", {}, ErrorCode::io);
  }
  ~MemoryFile() { ::close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

/// The head of an index as hnswlib 0.6 writes it.
struct Head {
  uint64_t level0 = 0, most = 0, rows = 0, row_bytes = 0, label_offset = 0, data_offset = 0;
  int32_t top_level = 0;
  uint32_t entry = 0;
  uint64_t most_links = 0, most_links0 = 0, links = 0;
  double scale = 0;
  uint64_t candidates = 0;
};

class Reader {
 public:
  explicit Reader(std::span<const uint8_t> bytes) : bytes_(bytes) {}
  template <typename T>
  T take() {
    T value;
    std::memcpy(&value, part(sizeof value).data(), sizeof value);
    return value;
  }
  std::span<const uint8_t> part(size_t size) {
    if (size > bytes_.size()) throw Error("ends too early");
    const auto result = bytes_.first(size);
    bytes_ = bytes_.subspan(size);
    return result;
  }
  bool at_end() const { return bytes_.empty(); }

 private:
  std::span<const uint8_t> bytes_;
};

Head read_head(Reader& reader) {
  Head h;
  for (uint64_t* field : {&h.level0, &h.most, &h.rows, &h.row_bytes, &h.label_offset, &h.data_offset})
    *field = reader.take<uint64_t>();
  h.top_level = reader.take<int32_t>();
  h.entry = reader.take<uint32_t>();
  for (uint64_t* field : {&h.most_links, &h.most_links0, &h.links}) *field = reader.take<uint64_t>();
  h.scale = reader.take<double>();
  h.candidates = reader.take<uint64_t>();
  return h;
}

/// Whether a list of links holds rows that reach `level`, and no more than `most`.
bool links_fit(std::span<const uint8_t> list, size_t most, const std::vector<int>& levels, int level) {
  uint16_t count = 0;
  std::memcpy(&count, list.data(), sizeof count);
  if (count > most) return false;
  for (size_t i = 0; i < count; ++i) {
    uint32_t row = 0;
    std::memcpy(&row, list.data() + sizeof(uint32_t) * (i + 1), sizeof row);
    if (row >= levels.size() || levels[row] < level) return false;
  }
  return true;
}

/// hnswlib follows what it reads: all of it is held to what it writes.
bool is_sound(std::span<const uint8_t> bytes, size_t width, size_t rows) {
  if (width > bytes.size() / sizeof(float) || rows > bytes.size() / sizeof(float)) return false;
  Reader reader(bytes);
  const Head h = read_head(reader);
  const size_t list0 = sizeof(uint32_t) * (2 * kLinks + 1), list = sizeof(uint32_t) * (kLinks + 1);
  const size_t row_bytes = list0 + width * sizeof(float) + sizeof(size_t);
  if (h.level0 != 0 || h.most != rows || h.rows != rows || h.row_bytes != row_bytes || h.data_offset != list0 ||
      h.label_offset != list0 + width * sizeof(float) || h.most_links != kLinks || h.most_links0 != 2 * kLinks ||
      h.links != kLinks || h.candidates != kCandidates || !(h.scale > 0 && h.scale < 1) || h.entry >= rows ||
      h.top_level < 0 || h.top_level > 64)
    return false;
  if (rows > bytes.size() / row_bytes) return false;
  const auto level0 = reader.part(rows * row_bytes);
  std::vector<int> levels;
  std::vector<std::span<const uint8_t>> upper;
  for (size_t i = 0; i < rows; ++i) {
    const auto size = reader.take<uint32_t>();
    if (size % list != 0 || size / list > static_cast<size_t>(h.top_level)) return false;
    levels.push_back(static_cast<int>(size / list));
    upper.push_back(reader.part(size));
  }
  if (!reader.at_end() || levels[h.entry] != h.top_level) return false;
  for (size_t i = 0; i < rows; ++i) {
    const auto row = level0.subspan(i * row_bytes, row_bytes);
    size_t label = 0;
    std::memcpy(&label, row.data() + h.label_offset, sizeof label);
    if (label != i || row[2] != 0 || !links_fit(row, 2 * kLinks, levels, 0)) return false;  // [2]: marks of deletion
    for (int level = 1; level <= levels[i]; ++level)
      if (!links_fit(upper[i].subspan(static_cast<size_t>(level - 1) * list, list), kLinks, levels, level))
        return false;
    for (size_t j = 0; j < width; ++j) {
      float value = 0;
      std::memcpy(&value, row.data() + h.data_offset + j * sizeof value, sizeof value);
      if (!(value >= -1.001F && value <= 1.001F)) return false;
    }
  }
  return true;
}

/// Distances by the loops of this processor; hnswlib's own are compiled for the least one.
class InnerProducts final : public hnswlib::SpaceInterface<float> {
 public:
  explicit InnerProducts(size_t width) : width_(width) {}
  size_t get_data_size() override { return width_ * sizeof(float); }
  hnswlib::DISTFUNC<float> get_dist_func() override {
    return [](const void* a, const void* b, const void* width) {
      const auto depth = static_cast<int64_t>(*static_cast<const size_t*>(width));
      float sum = 0;
      cpu::vector_loops().dot_rows(depth, static_cast<const float*>(a), static_cast<const float*>(b), depth, 1, &sum);
      return 1 - sum;
    };
  }
  void* get_dist_func_param() override { return &width_; }

 private:
  size_t width_;
};

[[noreturn]] void refuse() {
  throw Error("is no index that graft wrote", "graft index makes one", ErrorCode::corrupt_file);
}

}  // namespace

struct NeighbourGraph::Impl {
  Impl(size_t numbers, size_t most) : space(numbers), graph(&space, most, kLinks, kCandidates), width(numbers) {}
  Impl(size_t numbers, const std::string& path, size_t most)
      : space(numbers), graph(&space, path, false, most), width(numbers), rows(most) {}
  InnerProducts space;
  hnswlib::HierarchicalNSW<float> graph;
  size_t width, rows = 0;
};

NeighbourGraph::NeighbourGraph(size_t width, size_t rows) : impl_(std::make_unique<Impl>(width, rows)) {}

NeighbourGraph::NeighbourGraph(std::span<const uint8_t> bytes, size_t width, size_t rows) {
  try {
    if (rows == 0 || width == 0 || !is_sound(bytes, width, rows)) refuse();
    const MemoryFile file;
    std::ofstream(file.path(), std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    impl_ = std::make_unique<Impl>(width, file.path(), rows);
  } catch (const std::exception&) {
    refuse();
  }
}

NeighbourGraph::~NeighbourGraph() = default;

void NeighbourGraph::add(const float* row) {
  impl_->graph.addPoint(row, impl_->rows);
  ++impl_->rows;
}

std::vector<uint8_t> NeighbourGraph::bytes() const {
  const MemoryFile file;
  impl_->graph.saveIndex(file.path());
  std::ifstream stream(file.path(), std::ios::binary | std::ios::ate);
  std::vector<uint8_t> bytes(static_cast<size_t>(std::max<std::streamoff>(stream.tellg(), 0)));
  stream.seekg(0);
  if (!stream.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size())) ||
      !is_sound(bytes, impl_->width, impl_->rows))  // no memory for the file, say
    throw Error("the index cannot be made: there is no room for it in memory", {}, ErrorCode::out_of_memory);
  return bytes;
}

std::vector<std::pair<size_t, float>> NeighbourGraph::nearest(const float* row, size_t count) const {
  count = std::min(count, impl_->rows);
  if (count == 0) return {};
  std::vector<std::pair<size_t, float>> result;
  if (impl_->rows <= kAllSeen) {
    const auto depth = static_cast<int64_t>(impl_->width);
    for (size_t i = 0; i < impl_->rows; ++i) {
      const char* const data = impl_->graph.getDataByInternalId(static_cast<hnswlib::tableint>(i));
      float sum = 0;
      cpu::vector_loops().dot_rows(depth, row, reinterpret_cast<const float*>(data), depth, 1, &sum);
      result.emplace_back(i, sum);
    }
    std::partial_sort(result.begin(), result.begin() + static_cast<std::ptrdiff_t>(count), result.end(),
                      [](const auto& a, const auto& b) { return a.second > b.second; });
    result.resize(count);
    return result;
  }
  impl_->graph.setEf(std::max(kLeastSearched, 2 * count));
  auto found = impl_->graph.searchKnn(row, count);
  result.resize(found.size());
  for (size_t i = result.size(); i-- > 0; found.pop()) result[i] = {found.top().second, 1 - found.top().first};
  return result;
}

}  // namespace graft
