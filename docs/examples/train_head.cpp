// Trains a head through the C interface, for programs that must not share C++ types: train_head MODEL DATA OUTPUT
#include <graft/graft.h>

#include <cstdio>
#include <memory>
#include <stdexcept>

struct Close {
  void operator()(graft_model* model) const { graft_model_close(model); }
};
using Model = std::unique_ptr<graft_model, Close>;

static void check(graft_status status) {
  if (status != GRAFT_OK) throw std::runtime_error(graft_last_error());
}

int main(int argc, char** argv) try {
  if (argc != 4) return std::fprintf(stderr, "usage: train_head MODEL DATA OUTPUT\n"), 2;
  graft_model* opened = nullptr;
  check(graft_model_open(argv[1], nullptr, &opened));
  const Model pretrained(opened);
  graft_finetune_options options;
  graft_finetune_defaults(&options);
  options.budget_seconds = 0;  // the plain recipe
  options.note = [](void*, const char* text) { std::fprintf(stderr, "%s\n", text); };
  double score = 0;
  check(graft_finetune(pretrained.get(), argv[2], GRAFT_CLASSES, &options, &opened, &score));
  const Model trained(opened);
  check(graft_model_save(trained.get(), argv[3]));
  std::printf("%zu classes, validation top-1 %.4f\n", graft_model_label_count(trained.get()), score);
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
