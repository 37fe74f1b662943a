#include <algorithm>
#include <cmath>
#include <map>

#include "apps/library/features_file.h"
#include "apps/library/neighbour_graph.h"
#include "graft/similar.h"
#include "runtime/core/api_boundary.h"
#include "runtime/core/atomic_file.h"
#include "runtime/core/content_key.h"
#include "runtime/core/npz.h"

namespace graft {
namespace {

/// Of unit length; false where it has none.
bool make_unit_row(std::vector<float>& row) {
  double squares = 0;
  for (const float v : row) squares += static_cast<double>(v) * static_cast<double>(v);
  const double length = std::sqrt(squares);
  if (!std::isfinite(length)) return false;
  for (float& v : row) v = length > 0 ? static_cast<float>(static_cast<double>(v) / length) : 0;
  return true;
}

NpzReader opened(const std::string& path) {
  try {
    return NpzReader(path);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::not_found) throw;
    throw Error("is no index, or not a whole one", "graft index makes one of a features file", ErrorCode::corrupt_file);
  }
}

/// Says before the work what cannot be written after it.
void check_size(size_t rows, size_t width) {
  constexpr size_t kBesideNumbers = 512;  // of a row, at most
  if (rows > NpzWriter::kMostBytes / (width * sizeof(float) + kBesideNumbers))
    throw Error("an index of more than 4 GiB cannot be written", "make several", ErrorCode::unsupported);
}

}  // namespace

struct PictureIndex::Impl {
  size_t width = 0;
  std::vector<std::string> paths, class_names;
  std::string made_by;
  /// Of different rows: pictures that are the same, or blank, would fill each other's lists of neighbours.
  std::unique_ptr<NeighbourGraph> graph;
  std::vector<std::vector<size_t>> pictures;  // of each row of the graph
};

PictureIndex::PictureIndex(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PictureIndex::~PictureIndex() = default;
PictureIndex::PictureIndex(PictureIndex&&) noexcept = default;
PictureIndex& PictureIndex::operator=(PictureIndex&&) noexcept = default;

PictureIndex PictureIndex::of_features(const std::string& path, Listener* listener) {
  return at_api_boundary([&] {
    auto impl = std::make_unique<Impl>();
    std::vector<float> rows;
    read_features(
        path, [&](const std::string& made_by) { impl->made_by = made_by; },
        [&](const FeatureRow& row) {
          std::vector<float> unit(row.features.begin(), row.features.end());
          if (!make_unit_row(unit))
            throw Error(path + ": the features of " + row.path + " are no numbers", "extract them again",
                        ErrorCode::bad_data);
          impl->width = unit.size();
          rows.insert(rows.end(), unit.begin(), unit.end());
          impl->paths.push_back(row.path);
          impl->class_names.push_back(row.class_name);
        });
    if (impl->paths.empty() || impl->width == 0)
      throw Error(path + ": holds no features", "graft extract writes some", ErrorCode::bad_data);
    const size_t count = impl->paths.size(), width = impl->width;
    std::map<std::pair<uint64_t, uint64_t>, size_t> known;  // content of a row → its place in the graph
    std::vector<size_t> first;                              // picture of each row of the graph
    for (size_t i = 0; i < count; ++i) {
      const ContentKey key = ContentHasher().bytes(rows.data() + i * width, width * sizeof(float)).key();
      const auto [place, is_new] = known.try_emplace({key.low, key.high}, first.size());
      if (is_new) {
        first.push_back(i);
        impl->pictures.emplace_back();
      }
      impl->pictures[place->second].push_back(i);
    }
    check_size(first.size(), width);
    impl->graph = std::make_unique<NeighbourGraph>(width, first.size());
    for (size_t i = 0; i < first.size(); ++i) {
      impl->graph->add(rows.data() + first[i] * width);
      if (!listener || (i + 1) % 256 != 0) continue;
      listener->progress("index", static_cast<int64_t>(i + 1), static_cast<int64_t>(first.size()));
      if (listener->stop()) throw Error("stopped before the index was complete", {}, ErrorCode::cancelled);
    }
    if (listener) listener->progress("index", static_cast<int64_t>(first.size()), static_cast<int64_t>(first.size()));
    return PictureIndex(std::move(impl));
  });
}

PictureIndex::PictureIndex(const std::string& path) {
  at_api_boundary([&] {
    with_place([&] { return path; },
               [&] {
                 with_code(ErrorCode::corrupt_file, [&] {
                   NpzReader reader = opened(path);
                   auto impl = std::make_unique<Impl>();
                   if (!reader.has("neighbours") || !reader.has("width"))
                     throw Error("is no index", "graft index makes one of a features file");
                   const Tensor graph = reader.tensor("neighbours"), width = reader.tensor("width");
                   if (graph.dtype() != DType::u8 || width.dtype() != DType::i64 || width.elements() != 1)
                     throw Error("is no index", "graft index makes one of a features file");
                   impl->width = static_cast<size_t>(std::max<int64_t>(width.data<int64_t>()[0], 0));
                   impl->paths = reader.texts("paths");
                   impl->class_names = reader.texts("class_names");
                   impl->made_by = reader.texts("made_by").at(0);
                   const Tensor rows = reader.tensor("rows");
                   if (impl->class_names.size() != impl->paths.size() || rows.dtype() != DType::i64 ||
                       static_cast<size_t>(rows.elements()) != impl->paths.size())
                     throw Error("its lists have other lengths");
                   for (size_t i = 0; i < impl->paths.size(); ++i) {
                     const int64_t row = rows.data<int64_t>()[i];
                     if (row < 0 || static_cast<size_t>(row) > impl->pictures.size())
                       throw Error("is no index that graft wrote");
                     if (static_cast<size_t>(row) == impl->pictures.size()) impl->pictures.emplace_back();
                     impl->pictures[static_cast<size_t>(row)].push_back(i);
                   }
                   impl->graph = std::make_unique<NeighbourGraph>(
                       std::span(static_cast<const uint8_t*>(graph.raw()), graph.bytes()), impl->width,
                       impl->pictures.size());
                   impl_ = std::move(impl);
                 });
               });
  });
}

void PictureIndex::save(const std::string& path) const {
  at_api_boundary([&] {
    const std::vector<uint8_t> graph = impl_->graph->bytes();
    std::vector<int64_t> rows(impl_->paths.size());
    for (size_t row = 0; row < impl_->pictures.size(); ++row)
      for (const size_t picture : impl_->pictures[row]) rows[picture] = static_cast<int64_t>(row);
    write_atomically(path, [&](std::ostream& stream) {
      NpzWriter writer(stream, path);
      writer.add("neighbours", Tensor::copy_of<uint8_t>({static_cast<int64_t>(graph.size())}, graph));
      writer.add("width", Tensor::copy_of<int64_t>({1}, std::vector<int64_t>{static_cast<int64_t>(impl_->width)}));
      writer.add("rows", Tensor::copy_of<int64_t>({static_cast<int64_t>(rows.size())}, rows));
      writer.add("paths", impl_->paths);
      writer.add("class_names", impl_->class_names);
      writer.add("made_by", std::vector<std::string>{impl_->made_by});
      writer.finish();
    });
  });
}

std::vector<PictureIndex::Neighbour> PictureIndex::nearest(std::span<const float> features, size_t count) const {
  return at_api_boundary([&] {
    if (features.size() != impl_->width)
      throw Error(std::to_string(features.size()) + " features for an index of " + std::to_string(impl_->width),
                  "use the model and the layer that the index was made with");
    std::vector<float> row(features.begin(), features.end());
    if (!make_unit_row(row)) throw Error("the features are no numbers");
    std::vector<Neighbour> result;
    for (const auto& [node, similarity] : impl_->graph->nearest(row.data(), count))
      for (const size_t index : impl_->pictures[node]) result.push_back({index, std::clamp(similarity, -1.0F, 1.0F)});
    std::stable_sort(result.begin(), result.end(), [](const Neighbour& a, const Neighbour& b) {
      return a.similarity != b.similarity ? a.similarity > b.similarity : a.index < b.index;
    });
    if (result.size() > count) result.resize(count);
    return result;
  });
}

size_t PictureIndex::size() const { return impl_->paths.size(); }
size_t PictureIndex::width() const { return impl_->width; }
const std::string& PictureIndex::path(size_t index) const { return impl_->paths.at(index); }
const std::string& PictureIndex::class_name(size_t index) const { return impl_->class_names.at(index); }
const std::string& PictureIndex::made_by() const { return impl_->made_by; }

}  // namespace graft
