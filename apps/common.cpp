#include "apps/common.h"

#include <iostream>

#include "graft/error.h"

namespace graft::app {
namespace {

int status_if_fine = kDone;

}  // namespace

void add_picture_options(CLI::App& command, PreprocessingSettings& o) {
  command.add_option("--preprocess", o.name,
                     "imagenet | tf | caffe | unit | FILE.json (default: what the model says, else imagenet)");
  command.add_option("--resize", o.resize, "Short side before the crop, in pixels (0: no resizing)")
      ->check(CLI::Range(0, 16384));
  command.add_option("--crop", o.crop, "Side of the crop, where the model leaves it open")->check(CLI::Range(1, 16384));
}

void add_picture_model(CLI::App& command, PictureModelOptions& o) {
  add_common(command, o.common);
  add_picture_options(command, o.pictures);
  command.add_option("model", o.model, "ONNX model")->required();
}

Preprocessing resolve_preprocessing(const Model& model, const PreprocessingSettings& o, const CommonOptions& common) {
  const Preprocessing resolved = preprocessing_for(model, o);
  if (o.name.empty() && !model.preprocessing() && !common.quiet)
    std::cerr << "graft: note: " << model.path()
              << " does not say how its pictures were prepared; taking --preprocess imagenet\n";
  return resolved;
}

RunSettings run_settings(const Model& model, const PictureModelOptions& o) {
  return {compute_settings(o.common), resolve_preprocessing(model, o.pictures, o.common)};
}

void open_device_for(const PictureModelOptions& o) {
  with_place([&] { return o.model; }, [&] { backend(o.common); });
}

void set_exit_status(int status) { status_if_fine = status; }
int exit_status() { return status_if_fine; }

}  // namespace graft::app
