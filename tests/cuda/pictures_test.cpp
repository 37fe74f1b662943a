// Pictures that go to the device as bytes: turned and normalised there as the pipeline does it here.
#include <gtest/gtest.h>

#include <array>

#include "finetune/training/host_kernels.h"
#include "finetune/training/picture_prefetcher.h"
#include "finetune/training/step_inputs.h"
#include "runtime/core/random.h"
#include "runtime/cpu/cpu_backend.h"
#include "runtime/cuda/device_backend.h"
#include "runtime/ops/unary.h"
#include "tests/finetune/job.h"

namespace graft {
namespace {

const Backend& device() { return cuda::emulated_backend(cpu_backend()); }

/// A batch of pictures as bytes, and as the floats they stand for.
struct Batch {
  int64_t pictures, height, width, channels;
  std::vector<uint8_t> pixels, turns;
  std::vector<float> table, floats;
  Batch(int64_t n, int64_t h, int64_t w, int64_t c, uint64_t key)
      : pictures(n),
        height(h),
        width(w),
        channels(c),
        pixels(static_cast<size_t>(n * h * w * c)),
        table(static_cast<size_t>(c) * 256) {
    Random random(key);
    for (uint8_t& p : pixels) p = static_cast<uint8_t>(random.below(256));
    for (size_t v = 0; v < table.size(); ++v)
      table[v] = static_cast<float>(v % 256) * 0.01f - static_cast<float>(v / 256);
    for (int64_t i = 0; i < n; ++i)
      turns.push_back(static_cast<uint8_t>(i % 5));  // as it is, both ways, both at once, blank
    for (int64_t i = 0; i < n; ++i)
      for (int64_t y = 0; y < h; ++y)
        for (int64_t x = 0; x < w; ++x)
          for (int64_t k = 0; k < c; ++k) {
            const int turn = turns[static_cast<size_t>(i)];
            const int64_t top = turn & 2 ? h - 1 - y : y, left = turn & 1 ? w - 1 - x : x;
            floats.push_back(turn & 4
                                 ? 0.0f
                                 : table[static_cast<size_t>(
                                       k * 256 + pixels[static_cast<size_t>(((i * h + top) * w + left) * c + k)])]);
          }
  }
  PictureBytes view() const { return {pixels.data(), turns.data(), table.data(), pictures, height, width, channels}; }
};

TEST(PicturePrefetcher, AreTurnedAndNormalisedOnTheDevice) {
  Graph graph;
  graph.outputs = {
      graph.add("negative", make_unary(Unary::Kind::neg), {graph.add_input("x", DType::f32, {10, 3, 5, 7})})};
  Plan plan(std::move(graph), device());
  PicturePrefetcher prefetcher(plan, 0);
  for (uint64_t key = 1; key < 4; ++key) {
    Batch batch(10, 5, 7, 3, key);
    prefetcher.prefetch(batch.view());
    const std::vector<float> expected = batch.floats;
    std::fill(batch.pixels.begin(), batch.pixels.end(), uint8_t{0});  // they were copied
    EXPECT_TRUE(prefetcher.pending());
    prefetcher.stage();
    plan.forward();
    for (size_t i = 0; i < expected.size(); ++i)
      ASSERT_EQ(plan.output(0).as<float>()[i], -expected[i]) << i;  // channels-last, as pictures are
  }
}

TEST(PicturePrefetcher, TheProcessorNormalisesAlike) {
  const LossPtr loss = make_loss({"cross-entropy"});
  const OptimizerPtr optimizer = make_optimizer({"sgd"});
  std::vector<Parameter> parameters;
  OptimizerState slots;
  const Batch batch(10, 5, 7, 3, 9);
  std::vector<float> found(batch.floats.size());
  HostKernels(*loss, *optimizer, parameters, slots).normalise(batch.view(), found.data());
  EXPECT_EQ(found, batch.floats);
}

TEST(StepInputs, TheProcessorReadsBatchesWhereTheyAre) {
  Graph graph;
  graph.outputs = {graph.add("negative", make_unary(Unary::Kind::neg), {graph.add_input("x", DType::f32, {1, 4})})};
  Plan plan(std::move(graph), cpu_backend());
  const auto inputs = StepInputs::make(plan);
  std::vector<float> first{1, 2, 3, 4}, second{5, 6, 7, 8};
  FeedBatch batch, next;
  batch.inputs = {first.data()};
  next.inputs = {second.data()};
  inputs->stage(batch);
  inputs->prefetch(next);
  first[0] = 9;  // nothing was copied
  plan.forward();
  EXPECT_EQ(plan.output(0).as<float>()[0], -9);
  inputs->stage(next);
  plan.forward();
  EXPECT_EQ(plan.output(0).as<float>()[0], -5);
}

TEST(StepInputs, ADeviceTakesWhatWasPrefetchedOrElseTheBatch) {
  Graph graph;
  graph.outputs = {graph.add("negative", make_unary(Unary::Kind::neg), {graph.add_input("x", DType::f32, {1, 4})})};
  Plan plan(std::move(graph), device());
  const auto inputs = StepInputs::make(plan);
  std::vector<float> values{1, 2, 3, 4};
  FeedBatch batch;
  batch.inputs = {values.data()};
  const auto result = [&] {
    inputs->stage(batch);
    plan.forward();
    return plan.output(0).as<float>()[0];
  };
  EXPECT_EQ(result(), -1);
  inputs->prefetch(batch);
  values[0] = 7;
  EXPECT_EQ(result(), -1);  // as it was prefetched
  inputs->prefetch(batch);
  inputs->discard();
  values[0] = 8;
  EXPECT_EQ(result(), -8);
}

/// Pictures drawn at random in three classes of brightness; as floats, and with `bytes` as bytes too.
class Bright final : public SampleSource {
 public:
  Bright(int64_t count, bool bytes) : count_(count), bytes_(bytes) {}
  int64_t size() const override { return count_; }
  int label(int64_t index) const override { return static_cast<int>(index % 3); }
  std::unique_ptr<SampleStream> stream(std::vector<SampleRef> order, size_t batch) const override {
    return std::make_unique<Stream>(std::move(order), batch, false);
  }
  std::unique_ptr<SampleStream> byte_stream(const std::vector<SampleRef>& order, size_t batch) const override {
    return bytes_ ? std::make_unique<Stream>(order, batch, true) : nullptr;
  }
  static inline int byte_batches = 0;

 private:
  static constexpr int64_t kSide = 64;
  class Stream final : public SampleStream {
   public:
    Stream(std::vector<SampleRef> order, size_t batch, bool bytes)
        : order_(std::move(order)), batch_(batch), bytes_(bytes), errors_(batch) {}
    bool next(SampleBatch& to) override {
      if (at_ >= order_.size()) return false;
      pixels_.clear();
      turns_.clear();
      floats_.clear();
      for (size_t i = 0; i < batch_; ++i) {
        const SampleRef& ref = order_[at_ + i];
        Random random(mix(static_cast<uint64_t>(ref.index), ref.variant));
        const auto turn = static_cast<uint8_t>(ref.variant == 0 ? 0 : random.below(4));
        std::array<std::array<uint8_t, kSide * 3>, kSide> picture;
        for (auto& row : picture)
          for (uint8_t& p : row)
            p = static_cast<uint8_t>(random.below(120) + 60 * static_cast<uint64_t>(ref.index % 3));
        for (const auto& row : picture) pixels_.insert(pixels_.end(), row.begin(), row.end());
        turns_.push_back(turn);
        for (int64_t y = 0; y < kSide; ++y)
          for (int64_t x = 0; x < kSide; ++x)
            for (int64_t c = 0; c < 3; ++c)
              floats_.push_back(value(c, picture[static_cast<size_t>(turn & 2 ? kSide - 1 - y : y)]
                                                [static_cast<size_t>((turn & 1 ? kSide - 1 - x : x) * 3 + c)]));
      }
      at_ += batch_;
      to = {bytes_ ? nullptr : floats_.data(), batch_, static_cast<size_t>(kSide * kSide * 3), errors_, {}};
      if (!bytes_) return true;
      for (int64_t c = 0; c < 3; ++c)
        for (int v = 0; v < 256; ++v) table_[static_cast<size_t>(c * 256 + v)] = value(c, v);
      to.bytes = {pixels_.data(), turns_.data(), table_.data(), static_cast<int64_t>(batch_), kSide, kSide, 3};
      ++byte_batches;
      return true;
    }

   private:
    static float value(int64_t channel, int byte) {
      return (static_cast<float>(byte) / 255 - 0.4f - 0.05f * static_cast<float>(channel)) / 0.25f;
    }
    std::vector<SampleRef> order_;
    size_t batch_, at_ = 0;
    bool bytes_;
    std::vector<uint8_t> pixels_, turns_;
    std::vector<float> floats_;
    std::array<float, 768> table_{};
    std::vector<std::string> errors_;
  };
  int64_t count_;
  bool bytes_;
};

/// Trains and returns what became of the weights. `policy`: whether the trained part reads the pictures, or a frozen
/// part before it.
std::vector<float> trained_on(const Backend& backend, const std::string& policy, bool bytes) {
  Job job = make_job(policy);
  TrainOptions options = small_options(1);
  options.cache.mode = CacheOptions::Mode::off;
  train(job.graph, job.head.parameters, Bright(12, bytes), Bright(3, bytes), 3, options, {}, backend);
  return all_parameters(job.graph);
}

TEST(PicturePrefetcher, TrainingOnBytesIsTrainingOnFloatsBitForBit) {
  for (const char* policy : {"none", "last:2"}) {
    SCOPED_TRACE(policy);
    const auto floats = trained_on(device(), policy, false);
    Bright::byte_batches = 0;
    EXPECT_EQ(trained_on(device(), policy, true), floats);
    EXPECT_GT(Bright::byte_batches, 0) << "no bytes were asked for";
    Bright::byte_batches = 0;
    trained_on(cpu_backend(), policy, true);
    EXPECT_EQ(Bright::byte_batches, 0) << "the processor takes floats";
  }
}

}  // namespace
}  // namespace graft
