#include "apps/pictures/bench_pictures.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "apps/cli/common.h"
#include "apps/cli/json_output.h"
#include "apps/cli/notes.h"
#include "apps/library/pipelines.h"
#include "apps/pictures/picture_paths.h"
#include "augment/colour_axes.h"
#include "augment/loader.h"
#include "graft/model.h"
#include "runtime/core/error.h"
#include "runtime/core/processors.h"

namespace graft::app {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

/// Seconds a picture of one thread, by stage. Of a picture as much is decoded as its view needs: how long that takes is
/// the difference to the same view of a decoded picture.
struct Stages {
  double read = 0, decode = 0, transform = 0, floats = 0;
  int64_t pictures = 0, unreadable = 0;
};

Stages measure_stages(const Pipeline& pipeline, const std::vector<std::string>& paths, double seconds) {
  Stages stages;
  std::vector<float> out(static_cast<size_t>(pipeline.height() * pipeline.width() * pipeline.channels()));
  const auto begin = Clock::now();
  // At least one that can be read, if there is one, and then as long as there is time.
  for (size_t i = 0; stages.pictures > 0 ? seconds_since(begin) < seconds : i < paths.size(); ++i) {
    try {
      const auto start = Clock::now();
      const std::vector<uint8_t> bytes = read_picture_file(paths[i % paths.size()]);
      const auto read = Clock::now();
      Image image = pipeline.transform(WarpedImage(EncodedPicture(bytes, pipeline.decoding())), i);
      const auto pixels = Clock::now();
      pipeline.normalise(image, out.data());
      const auto done = Clock::now();
      const auto whole = std::make_shared<const Image>(decode_image(bytes, pipeline.decoding()));
      const auto decoded = Clock::now();
      pipeline.transform(WarpedImage(whole), i);
      const auto transformed = Clock::now();
      const auto took = [](Clock::time_point a, Clock::time_point b) {
        return std::chrono::duration<double>(b - a).count();
      };
      stages.read += took(start, read);
      stages.decode += took(read, pixels) - took(decoded, transformed);
      stages.transform += took(decoded, transformed);
      stages.floats += took(pixels, done);
      ++stages.pictures;
    } catch (const Error&) {
      ++stages.unreadable;
    }
  }
  for (double* stage : {&stages.read, &stages.decode, &stages.transform, &stages.floats})
    *stage /= static_cast<double>(std::max<int64_t>(1, stages.pictures));
  return stages;
}

/// Pictures a second that a loader delivers.
double loading_speed(const Pipeline& pipeline, const std::vector<std::string>& paths, size_t batch, int threads,
                     double seconds) {
  std::vector<LoadRequest> requests;
  uint64_t key = 0;
  while (requests.size() < 32 * batch || requests.size() < 20000)
    for (const std::string& path : paths) requests.push_back({path, key++});
  Loader loader(pipeline, std::move(requests), batch, threads);
  for (int i = 0; i < 4; ++i)
    loader.next();  // what is made ahead while nobody takes anything, and files come into memory
  const auto begin = Clock::now();
  size_t loaded = 0;
  do {
    const Loader::Batch* next = loader.next();
    if (!next) break;
    loaded += next->count;
  } while (seconds_since(begin) < seconds);
  return static_cast<double>(loaded) / seconds_since(begin);
}

json to_json(const Stages& s, double per_second) {
  return {{"read_s", s.read},       {"decode_s", s.decode},       {"transform_s", s.transform}, {"floats_s", s.floats},
          {"pictures", s.pictures}, {"unreadable", s.unreadable}, {"images_per_s", per_second}};
}

void print(const char* name, const Stages& s, double per_second, int threads) {
  std::printf(
      "%-11s %5.2f ms a picture: read %.2f, decode %.2f, transform %.2f, floats %.2f; threads %d: %.0f pictures/s\n",
      name, 1e3 * (s.read + s.decode + s.transform + s.floats), 1e3 * s.read, 1e3 * s.decode, 1e3 * s.transform,
      1e3 * s.floats, threads, per_second);
}

}  // namespace

void bench_pictures(const CommonOptions& common, const std::string& model, const std::string& data,
                    const std::string& augmentation, double seconds) {
  const Preprocessing preprocessing = model.empty() ? Preprocessing{} : preprocessing_for(Model::load(model));
  const std::vector<std::string> paths = picture_paths(data);
  TransformContext context = transform_context(preprocessing);
  context.colour_axes = colour_axes_of(paths);
  const Pipeline evaluation = evaluation_pipeline(preprocessing),
                 training = make_pipeline(augmentation, context, preprocessing);
  const int threads = common.threads > 0 ? common.threads : usable_processors();
  const auto batch = static_cast<size_t>(common.batch > 0 ? common.batch : 32);
  json result{
      {"threads", threads}, {"batch", batch}, {"files", paths.size()}, {"data", data}, {"augment", augmentation}};
  for (const auto& [name, pipeline] : {std::pair{"evaluation", &evaluation}, std::pair{"training", &training}}) {
    const Stages stages = measure_stages(*pipeline, paths, seconds / 4);
    if (stages.pictures == 0) throw Error(data + ": holds no picture that can be read", {}, ErrorCode::bad_data);
    if (stages.unreadable > 0) {
      set_exit_status(kSomeSkipped);
      tell_note(std::to_string(stages.unreadable) + " times a picture could not be read; the loader's speed counts it",
                common.quiet);
    }
    const double speed = loading_speed(*pipeline, paths, batch, threads, seconds / 4);
    result[name] = to_json(stages, speed);
    if (!common.json) print(name, stages, speed, threads);
  }
  if (common.json) print_json(result);
}

}  // namespace graft::app
