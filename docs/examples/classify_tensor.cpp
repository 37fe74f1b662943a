// Runs a model once on a grey picture and prints its best class.
#include <algorithm>
#include <cstdio>

#include "importer/reader.h"
#include "runtime/core/error.h"
#include "runtime/cpu/cpu_backend.h"
#include "runtime/plan/plan.h"

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: classify_tensor MODEL.onnx\n"), 2;
  try {
    const graft::Model model = graft::read_model(argv[1]);
    graft::Plan plan =
        graft::compile_inference(model.graph, {.batch = 1, .height = 224, .width = 224}, graft::cpu_backend());
    const graft::View picture = plan.input(0);
    std::fill_n(picture.as<float>(), picture.shape.elements(), 0.0f);
    plan.forward();
    const graft::View scores = plan.output(0);
    const float* first = scores.as<float>();
    const auto best = std::max_element(first, first + scores.shape.elements()) - first;
    std::printf("%zu-class model; best class of a grey picture: %td\n", static_cast<size_t>(scores.shape.elements()),
                best);
  } catch (const graft::Error& e) {
    std::fprintf(stderr, "error: %s\n", e.what());
    return 1;
  }
}
