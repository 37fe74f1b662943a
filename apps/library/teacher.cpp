#include "apps/library/teacher.h"

#include "apps/library/pipelines.h"
#include "apps/library/scores.h"
#include "runtime/core/error.h"
#include "runtime/passes/passes.h"

namespace graft {
namespace {

void check(const Graph& graph, const std::vector<std::string>& labels, const std::vector<std::string>& classes) {
  if (ends_in_probabilities(graph))
    throw Error("the teacher ends in probabilities, distillation needs its scores", "export it without");
  const Shape scores = graph.value(graph.outputs[0]).shape;
  if (scores.rank() != 2 || scores[1] != static_cast<int64_t>(classes.size()))
    throw Error("the teacher scores " + scores.str() + ", there are " + std::to_string(classes.size()) + " classes",
                "use one that was trained on the same classes");
  if (!labels.empty() && labels != classes)
    throw Error("the teacher's classes are others than the data's", "use one that was trained on the same classes");
}

}  // namespace

std::shared_ptr<const Graph> teacher_graph(const Model& teacher, const std::vector<std::string>& classes,
                                           const TrainOptions& options, const Backend& backend) {
  auto graph = std::make_shared<Graph>(teacher.contents().graph);
  retype(*graph, {1, options.height, options.width}, backend);
  if (graph->outputs.empty()) throw Error(place_of(teacher.contents()) + ": has no output");
  graph->outputs.erase(graph->outputs.begin() + 1, graph->outputs.end());
  with_place([&] { return place_of(teacher.contents()); }, [&] { check(*graph, teacher.labels(), classes); });
  return graph;
}

}  // namespace graft
