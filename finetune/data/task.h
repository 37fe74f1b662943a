#pragma once

#include <string>
#include <vector>

#include "graft/task.h"
#include "runtime/core/error.h"

namespace graft {

/// What a run of this task is judged by: the best epoch is the one with the highest `first`.
struct ScoreNames {
  const char *first, *second;
};
inline ScoreNames score_names(Task task) {
  switch (task) {
    case Task::multi_label:
      return {"val_map", "val_exact"};  // mean average precision; share of pictures with every mark right
    case Task::regression:
      return {"val_r2", "val_mae"};  // share of the variance explained, mean of the outputs; mean absolute error
    default:
      return {"val_top1", "val_top5"};
  }
}

inline const char* name_of(Task task) {
  return task == Task::multi_label ? "multi-label" : task == Task::regression ? "regression" : "classes";
}

/// Throws Error for another word.
inline Task task_named(const std::string& name) {
  for (const Task task : {Task::classes, Task::multi_label, Task::regression})
    if (name == name_of(task)) return task;
  throw Error("unknown task \"" + name + "\"", "use classes, multi-label or regression", ErrorCode::not_found);
}

}  // namespace graft
