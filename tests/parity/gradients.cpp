// Writes the gradients of L = Σ seed·output for every parameter, batch norms trained: the tool behind
// test_pytorch_gradients.py. Usage: graft_gradients MODEL.onnx X.npy SEED.npy OUT.npz
#include <cstdio>

#include "finetune/heads/freeze.h"
#include "importer/reader.h"
#include "runtime/core/error.h"
#include "runtime/core/npy.h"
#include "runtime/core/npz.h"
#include "runtime/plan/plan.h"
#include "tests/backend.h"

using namespace graft;

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  try {
    OnnxModel model = read_model(argv[1]);
    const Tensor x = read_npy(argv[2]), seed = read_npy(argv[3]);
    const OpenDims dims{x.shape()[0], x.shape()[2], x.shape()[3]};
    retype(model.graph, dims, test_backend());
    apply_freeze(model.graph, {"none", BatchNormPolicy::train}, {});
    TrainingPlan training = compile_training(model.graph, dims, test_backend());
    Plan& plan = training.plan;
    copy_from_plain(x.raw(), plan.input(0));
    copy_from_plain(seed.raw(), plan.input(training.first_seed));
    plan.forward();
    plan.backward();
    std::vector<Tensor> gradients;
    std::vector<std::string> names;
    for (const auto& [parameter, output] : training.gradients) {
      const View view = plan.output(output);
      gradients.emplace_back(DType::f32, view.shape);
      copy_to_plain(view, gradients.back().raw());
      for (size_t i = 0; i < model.graph.value_count(); ++i)
        if (model.graph.value(static_cast<ValueId>(i)).constant == parameter)
          names.push_back(model.graph.value(static_cast<ValueId>(i)).name);
    }
    std::vector<std::pair<std::string, const Tensor*>> arrays;
    for (size_t i = 0; i < gradients.size(); ++i) arrays.emplace_back(names[i], &gradients[i]);
    write_npz(argv[4], arrays, {});
  } catch (const Error& e) {
    std::fprintf(stderr, "graft_gradients: error: %s\n", e.what());
    return 1;
  }
  return 0;
}
