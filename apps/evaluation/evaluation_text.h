#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "apps/evaluation/evaluation_files.h"

namespace graft::app {

/// The figures as JSON: of classes that neither occur nor are answered nothing is told. `mistakes`: how many of the
/// worst are named.
nlohmann::json to_json(const EvaluatedPart& part, size_t mistakes);

/// The same as text on stdout: the figures, a row for each class, the confusion, the worst mistakes.
void print(const EvaluatedPart& part, size_t mistakes);

/// The figures of several parts, or of several models, side by side, on stdout; `split` heads the column.
void print_columns(const std::vector<EvaluatedPart>& parts);

}  // namespace graft::app
