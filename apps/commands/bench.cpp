#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "apps/cli/compute_options.h"
#include "apps/cli/json_output.h"
#include "apps/cli/profile_table.h"
#include "apps/cli/usage.h"
#include "apps/commands/commands.h"
#include "finetune/heads/freeze.h"
#include "finetune/heads/head.h"
#include "finetune/losses/loss.h"
#include "finetune/optimizers/optimizer.h"
#include "finetune/training/training_step.h"
#include "importer/picture_form.h"
#include "importer/reader.h"
#include "runtime/core/error.h"
#include "runtime/passes/resolve_control_flow.h"

namespace graft::app {
namespace {

using nlohmann::json;

struct Options {
  CommonOptions common;
  std::string model, mode = "inference", freeze = "none", optimizer = "momentum", memory, data,
                     augmentation = "default";
  int64_t size = 0, classes = 2;  // size 0: one that fits the model
  double seconds = 8;
  size_t runs = 0;  // 0: for so many seconds
  bool profile = false, train = false;
};

void fill(const View& view) {
  for (int64_t i = 0; i < view.shape.elements(); ++i) view.as<float>()[i] = std::sin(static_cast<float>(i % 9973));
}

std::vector<double> timed(const Options& o, const std::function<void()>& step) {
  using Clock = std::chrono::steady_clock;
  for (int i = 0; i < 2; ++i) step();
  std::vector<double> times;
  const auto end = Clock::now() + std::chrono::duration<double>(o.seconds);
  while (o.runs > 0 ? times.size() < o.runs : Clock::now() < end || times.size() < 3) {
    const auto start = Clock::now();
    step();
    times.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  std::sort(times.begin(), times.end());
  return times;
}

/// What float32 kernels of the processor are held against; those of other precisions and devices have other peaks.
void print_profile(Plan& plan, const CommonOptions& common) {
  std::optional<MachinePeaks> peaks;
  if (!plan.backend().device() && plan.backend().activations() == DType::f32) peaks = measure_peaks(common.threads);
  write_profile(plan, peaks, std::cerr);
}

/// What a device's memory holds of this run. Plans take theirs before they run, so looking once is enough.
class DeviceUse {
 public:
  explicit DeviceUse(const Backend& backend)
      : device_(backend.device()), free_before_(device_ ? device_->available() : 0) {}
  void look() {
    if (device_) mebibytes_ = (free_before_ - std::min(free_before_, device_->available())) >> 20;
  }
  size_t mebibytes() const { return mebibytes_; }

 private:
  const Device* device_;
  size_t free_before_, mebibytes_ = 0;
};

std::vector<double> bench_inference(const Options& o, const OnnxModel& model, const OpenDims& dims, DeviceUse& device) {
  Plan plan = compile_inference(model.graph, dims, backend(o.common), o.common.threads);
  fill(plan.input(0));
  auto times = timed(o, [&] { plan.forward(); });
  device.look();
  if (o.profile) print_profile(plan, o.common);
  return times;
}

/// `updates`: what of each step went into the weights' update, where this program does it.
std::vector<double> bench_training(const Options& o, OnnxModel& model, OpenDims dims, DeviceUse& device,
                                   std::vector<double>& updates) {
  retype(model.graph, dims, backend(o.common));
  const GraftedHead head = graft_head(model.graph, {o.classes, o.common.seed});
  apply_freeze(model.graph, {o.freeze, BatchNormPolicy::automatic}, head.parameters);
  const FrozenSplit split = split_frozen(resolve_control_flow(model.graph, dims, backend(o.common)));
  TrainOptions options;
  options.batch = dims.batch;
  options.optimizer = {o.optimizer};
  const auto optimizer = make_optimizer(options.optimizer);
  const bool along = o.mode != "update" && releases_gradients_early(backend(o.common), *optimizer, options, 1);
  TrainingPlan training =
      compile_training(split.rest, dims, backend(o.common), o.common.threads, memory_limit(o.memory),
                       along ? GradientLifetime::released_early : GradientLifetime::kept);
  model = OnnxModel();  // the packed copies in the plan are enough; a job keeps what it needs in the same way
  const auto loss = make_loss(options.loss);
  TrainingState state;
  for (const auto& [tensor, output] : training.gradients) {
    state.parameters.push_back({"", tensor, training.plan.output(output).as<float>(), 1, 5e-4f});
  }
  state.slots = optimizer->make_state(state.parameters);
  if (backend(o.common).activations() == DType::f16) state.loss_scale.emplace();
  Plan& plan = training.plan;
  constexpr float kRate = 1e-4f;
  if (o.mode == "update") {
    // The rule alone: what kernels make anew of changed weights belongs to the step.
    const HostKernels host(*loss, *optimizer, state.parameters, state.slots);
    const StepTarget target = choose_targets(plan.backend(), host, *optimizer, options).update;
    for (const auto& [tensor, output] : training.gradients) fill(plan.output(output));
    WeightUpdate update(training, state, options, target, 1);
    return timed(o, [&] {
      if (target.device.shares_host_memory())
        return optimizer->step(kRate, ++state.step, state.parameters, state.slots);
      update.prepare(kRate, ++state.step);
      update.apply();
      target.device.synchronize();
    });
  }
  TrainingStep step(training, state, *loss, *optimizer, options, o.classes, 1);
  FeedBatch batch;
  for (size_t i = 0; i < training.first_seed; ++i) {
    fill(plan.input(i));
    batch.inputs.push_back(plan.input(i).as<float>());
  }
  for (int64_t i = 0; i < dims.batch; ++i) batch.labels.push_back(static_cast<int>(i % o.classes));
  auto times = timed(o, [&] {
    step.run(batch, kRate, true);
    if (!plan.backend().device()) updates.push_back(step.update_seconds());
  });
  std::sort(updates.begin(), updates.end());
  device.look();
  if (o.profile) print_profile(plan, o.common);
  return times;
}

void bench(const Options& o) {
  const Backend& where = backend(o.common);
  DeviceUse device(where);
  const auto given = [&](const Graph&) { return OpenDims{1, o.size, o.size}; };
  OnnxModel model = o.size > 0 ? read_model(o.model, given) : read_model(o.model);
  take_picture_form(model);
  const auto picture = model.picture();
  const int64_t batch = o.common.batch > 0 ? o.common.batch : 1;
  const PictureSize open = o.size > 0 ? PictureSize{o.size, o.size} : model.usual_size;
  const OpenDims dims{batch, picture.height > 0 ? picture.height : open.height,
                      picture.width > 0 ? picture.width : open.width};
  const bool training = o.train || o.mode != "inference";
  const std::string mode = o.train ? "training" : o.mode;
  std::vector<double> updates;
  const auto times = with_place([&] { return o.model; },
                                [&] {
                                  return training ? bench_training(o, model, dims, device, updates)
                                                  : bench_inference(o, model, dims, device);
                                });
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const double median = times[times.size() / 2];
  json result{{"images_per_s", static_cast<double>(batch) / median},
              {"median_s", median},
              {"min_s", times.front()},
              {"max_s", times.back()},
              {"runs", times.size()},
              {"peak_rss_mib", usage.ru_maxrss / 1024},
              {"batch", batch},
              {"dtype", precision(o.common)},
              {"device", where.name()},
              {"device_memory_mib", device.mebibytes()},
              {"mode", mode},
              {"model", o.model}};
  if (!updates.empty()) result["update_s"] = updates[updates.size() / 2];
  if (o.common.json)
    print_json(result);
  else
    std::printf("%s, batch %lld: %.1f images/s (median %.2f ms of %zu runs, %.2f to %.2f), peak memory %ld MiB%s\n",
                mode.c_str(), static_cast<long long>(batch), static_cast<double>(batch) / median, median * 1e3,
                times.size(), times.front() * 1e3, times.back() * 1e3, usage.ru_maxrss / 1024,
                where.device() ? (", on the device " + std::to_string(device.mebibytes()) + " MiB").c_str() : "");
}

}  // namespace

void register_bench(CLI::App& app, PictureBench* pictures) {
  auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand("bench", "Measure images/s and memory");
  command->footer(examples({"graft bench model.onnx --batch 32", "graft bench model.onnx --mode training --batch 16",
                            "graft bench model.onnx --data photos/  # how fast pictures are loaded"}));
  add_device_options(*command, o->common);
  add_batch_option(*command, o->common);
  add_seed_option(*command, o->common, "Seed of weights and inputs");
  add_output_options(*command, o->common);
  CLI::Option* data = nullptr;
  command->add_option("model", o->model, pictures ? "ONNX model; may be left out with --data" : "ONNX model");
  if (pictures) {
    data = command->add_option("--data", o->data,
                               "Pictures: measure how fast they are read, decoded and transformed instead");
    command->add_option("--augment", o->augmentation, "--data: how training pictures are varied")
        ->capture_default_str()
        ->needs(data);
  }
  command->add_option("--mode", o->mode, "inference | training | update (of the weights alone)")
      ->transform(one_of({"inference", "training", "update"}))
      ->capture_default_str();
  command->add_flag("--train", o->train, "The same as --mode training");
  command->add_option("--freeze", o->freeze, "training: what is frozen; a frozen trunk counts as cached")
      ->capture_default_str();
  command->add_option("--optimizer", o->optimizer, "training: update rule")->capture_default_str();
  add_memory_option(*command, o->memory);
  command->add_option("--classes", o->classes, "training: outputs of the new head")
      ->check(CLI::Range(2, 1000000))
      ->capture_default_str();
  command
      ->add_option("--size", o->size, "Picture side, where the model leaves it open (default: 224, or one that fits)")
      ->check(CLI::Range(8, 4096));
  command->add_option("--seconds", o->seconds, "How long to measure")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  command->add_option("--runs", o->runs, "Measure so many runs, not for a time (0: for a time)")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str()
      ->excludes(command->get_option("--seconds"));
  command->add_flag("--profile", o->profile,
                    "Time of every kernel, GFLOP/s, bytes and the share of what the machine can do, on stderr");
  for (const char* name :
       {"--mode", "--train", "--freeze", "--optimizer", "--memory", "--classes", "--size", "--runs", "--profile"})
    if (data) data->excludes(command->get_option(name));
  command->callback([o, pictures] {
    if (!o->data.empty()) return pictures(o->common, o->model, o->data, o->augmentation, o->seconds);
    if (o->model.empty()) throw CLI::RequiredError("model");
    bench(*o);
  });
}

}  // namespace graft::app
