// Fine-tunes a model on a folder of labelled pictures, and says what one picture shows.
#include <cstdio>

#include "graft/classifier.h"
#include "graft/error.h"
#include "graft/finetune.h"

int main(int argc, char** argv) {
  if (argc != 4) return std::fprintf(stderr, "usage: finetune_folder MODEL.onnx DATA PICTURE\n"), 2;
  try {
    graft::FinetuneSettings settings;
    settings.epochs = 8;
    const graft::Dataset data = graft::read_dataset(argv[2]);
    const graft::FinetuneResult result = graft::finetune(graft::Model::load(argv[1]), data, settings);
    std::printf("%zu classes, validation top-1 %.4f\n", data.classes.size(), result.best_score);
    graft::Classifier classifier(*result.model);
    const graft::Score best = classifier.classify({argv[3]}, 1).at(0).top.at(0);
    std::printf("%s: %s %.3f\n", argv[3], best.label.c_str(), static_cast<double>(best.score));
  } catch (const std::exception& error) {
    return std::fprintf(stderr, "error: %s\n", error.what()), 1;
  }
}
