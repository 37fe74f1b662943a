/* Names what pictures show: classify MODEL PICTURE... */
#include <graft/graft.h>
#include <stdio.h>
#include <stdlib.h>

static int failed(void) {
  fprintf(stderr, "%s\n", graft_last_error());
  return 1;
}

int main(int argc, char** argv) {
  graft_model* model = NULL;
  graft_rows* rows = NULL;
  size_t count = argc > 2 ? (size_t)(argc - 2) : 0;
  graft_picture* pictures = calloc(count + 1, sizeof *pictures);
  if (count == 0 || !pictures) return fprintf(stderr, "usage: classify MODEL PICTURE...\n"), 2;
  for (size_t i = 0; i < count; ++i) pictures[i].path = argv[i + 2];
  if (graft_model_open(argv[1], NULL, &model) != GRAFT_OK) return failed();
  if (graft_classify(model, pictures, count, &rows) != GRAFT_OK) return failed();
  for (size_t i = 0; i < count; ++i) {
    const float* scores = graft_rows_get(rows, i);
    size_t best = 0;
    if (!scores) {
      printf("%s\n", graft_rows_error(rows, i));
      continue;
    }
    for (size_t k = 1; k < graft_rows_width(rows); ++k)
      if (scores[k] > scores[best]) best = k;
    const char* label = graft_model_label(model, best);
    printf("%s: %s %.4f\n", argv[i + 2], label ? label : "?", scores[best]);
  }
  graft_rows_free(rows);
  graft_model_close(model);
  free(pictures);
  return 0;
}
