#include "runtime/cpu/indexed_slices.h"

#include <algorithm>
#include <utility>

#include "runtime/core/dimensions.h"
#include "runtime/core/parallel.h"
#include "runtime/core/strided_copy.h"
#include "runtime/cpu/row_layout.h"
#include "runtime/cpu/walk.h"
#include "runtime/cpu/words.h"

namespace graft::cpu {
namespace {

/// Where the slice that each index names begins in the data, and where it stands among the slices.
class SlicePlaces {
 public:
  SlicePlaces(const Operand& data, const Operand& indices, const Operand& slices, int64_t batch_dims)
      : wide_(indices.dtype == DType::i64),
        coordinates_(indices.shape, indices.strides, from_dimension(indices.shape.rank(), indices.shape.rank() - 1)),
        slices_(slices.shape, slices.strides, from_dimension(slices.shape.rank(), indices.shape.rank() - 1)) {
    if (!wide_ && indices.dtype != DType::i32)
      throw Error(std::string("indices are ") + name_of(indices.dtype) + ", not integers");
    const auto batches = static_cast<size_t>(batch_dims), named = batches + coordinates_.elements.size();
    Shape batch(std::vector<int64_t>(data.shape.begin(), data.shape.begin() + batch_dims));
    batches_ =
        RowLayout(batch, {data.strides.begin(), data.strides.begin() + batch_dims}, std::vector<bool>(batches, false))
            .starts;
    per_batch_ = batches_.empty() ? 1 : std::max<int64_t>(1, count() / std::ssize(batches_));
    for (size_t d = batches; d < named; ++d) dimensions_.push_back({data.shape[d], data.strides[d]});
    const auto first = static_cast<std::ptrdiff_t>(named);
    elements_ = RowLayout(Shape(std::vector<int64_t>(data.shape.begin() + first, data.shape.end())),
                          {data.strides.begin() + first, data.strides.end()},
                          std::vector<bool>(data.shape.size() - named, true))
                    .elements;
  }
  int64_t count() const { return coordinates_.rows(); }
  int64_t in_data(const void* indices, int64_t i) const {
    int64_t start = batches_[static_cast<size_t>(i / per_batch_)];
    for (size_t c = 0; c < dimensions_.size(); ++c) {
      const int64_t at = coordinates_.starts[static_cast<size_t>(i)] + coordinates_.elements[c];
      const int64_t index = wide_ ? static_cast<const int64_t*>(indices)[at] : static_cast<const int32_t*>(indices)[at];
      start += resolve_index(index, dimensions_[c].extent) * dimensions_[c].step;
    }
    return start;
  }
  int64_t in_slices(int64_t i) const { return slices_.starts[static_cast<size_t>(i)]; }
  /// Calls body(offset in the data, offset among the slices) for each element of slice i.
  template <typename Body>
  void each(const void* indices, int64_t i, const Body& body) const {
    const int64_t data = in_data(indices, i), slice = in_slices(i);
    for (size_t e = 0; e < elements_.size(); ++e) body(data + elements_[e], slice + slices_.elements[e]);
  }
  int64_t grain() const { return std::max<int64_t>(1, kGrain / std::max<int64_t>(1, std::ssize(elements_))); }

 private:
  struct Dimension {
    int64_t extent, step;
  };
  bool wide_;
  RowLayout coordinates_, slices_;
  std::vector<int64_t> batches_, elements_;
  std::vector<Dimension> dimensions_;
  int64_t per_batch_ = 1;
};

template <typename T>
class SliceGatherKernel final : public Kernel {
 public:
  explicit SliceGatherKernel(SlicePlaces places) : places_(std::move(places)) {}
  void run(const KernelArguments& a) override {
    const auto* data = static_cast<const T*>(a.inputs[0]);
    auto* y = static_cast<T*>(a.outputs[0]);
    parallel_for(places_.count(), places_.grain(), [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i)
        places_.each(a.inputs[1], i, [&](int64_t from, int64_t to) { y[to] = data[from]; });
    });
  }

 private:
  SlicePlaces places_;
};

/// Slices of one place come one after the other.
class SliceAddKernel final : public Kernel {
 public:
  SliceAddKernel(SlicePlaces places, int64_t elements) : places_(std::move(places)), elements_(elements) {}
  void run(const KernelArguments& a) override {
    const auto* slices = static_cast<const float*>(a.inputs[0]);
    auto* dx = static_cast<float*>(a.outputs[0]);
    std::fill_n(dx, elements_, 0.0f);
    for (int64_t i = 0; i < places_.count(); ++i)
      places_.each(a.inputs[1], i, [&](int64_t to, int64_t from) { dx[to] += slices[from]; });
  }

 private:
  SlicePlaces places_;
  int64_t elements_;
};

template <typename T>
class SliceScatterKernel final : public Kernel {
 public:
  SliceScatterKernel(SlicePlaces places, const Operand& data, const Operand& result, bool adds)
      : places_(std::move(places)), copy_(sizeof(T), data.shape, data.strides, result.strides), adds_(adds) {}
  void run(const KernelArguments& a) override {
    const auto* slices = static_cast<const T*>(a.inputs[2]);
    auto* y = static_cast<T*>(a.outputs[0]);
    if (a.inputs[0] != a.outputs[0]) copy_.run(a.inputs[0], a.outputs[0]);
    for (int64_t i = 0; i < places_.count(); ++i)
      places_.each(a.inputs[1], i, [&](int64_t to, int64_t from) { put(y[to], slices[from], adds_); });
  }

 private:
  SlicePlaces places_;
  StridedCopy copy_;
  bool adds_;
};

/// What each slice is worth: dy where it is the last of its place, nothing where another one came after it.
class SliceKeptKernel final : public Kernel {
 public:
  SliceKeptKernel(SlicePlaces places, int64_t data_elements)
      : places_(std::move(places)), data_elements_(data_elements) {}
  size_t scratch_bytes() const override { return static_cast<size_t>(data_elements_) * sizeof(int64_t); }
  void run(const KernelArguments& a) override {
    const auto* dy = static_cast<const float*>(a.inputs[0]);
    auto* slices = static_cast<float*>(a.outputs[0]);
    auto* last = static_cast<int64_t*>(a.scratch);  // by place in the data: the number that stays
    for (int64_t i = 0; i < places_.count(); ++i)
      places_.each(a.inputs[1], i, [&](int64_t place, int64_t number) { last[place] = number; });
    for (int64_t i = 0; i < places_.count(); ++i)
      places_.each(a.inputs[1], i,
                   [&](int64_t place, int64_t number) { slices[number] = last[place] == number ? dy[place] : 0.0f; });
  }

 private:
  SlicePlaces places_;
  int64_t data_elements_;
};

}  // namespace

std::unique_ptr<Kernel> make_slice_gather(const Operand& data, const Operand& indices, const Operand& slices,
                                          int64_t batch_dims) {
  return visit_words(data.dtype, [&](auto word) -> std::unique_ptr<Kernel> {
    return std::make_unique<SliceGatherKernel<decltype(word)>>(SlicePlaces(data, indices, slices, batch_dims));
  });
}

std::unique_ptr<Kernel> make_slice_add(const Operand& slices, const Operand& indices, const Operand& data,
                                       int64_t batch_dims) {
  return std::make_unique<SliceAddKernel>(SlicePlaces(data, indices, slices, batch_dims), data.shape.elements());
}

std::unique_ptr<Kernel> make_slice_scatter(const Operand& data, const Operand& indices, const Operand& slices,
                                           const Operand& result, bool adds) {
  return visit_words(data.dtype, [&](auto word) -> std::unique_ptr<Kernel> {
    return std::make_unique<SliceScatterKernel<decltype(word)>>(SlicePlaces(result, indices, slices, 0), data, result,
                                                                adds);
  });
}

std::unique_ptr<Kernel> make_slice_kept(const Operand& dy, const Operand& indices, const Operand& slices) {
  return std::make_unique<SliceKeptKernel>(SlicePlaces(dy, indices, slices, 0), dy.shape.elements());
}

}  // namespace graft::cpu
