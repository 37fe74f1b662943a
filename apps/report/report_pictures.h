#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/report/report.h"

namespace graft::app {

// The parts of a report that are made of pictures, as the page's script takes them: pictures as data URIs by the index
// of their file. `notes` get what is left out, and why.

nlohmann::json report_thumbnails(const EvaluatedPart& part, const std::vector<size_t>& predictions);

/// The answers' maps over the crops. `method`: what made them.
nlohmann::json report_overlays(const Model& model, const EvaluatedPart& part, const std::vector<size_t>& predictions,
                               const RunSettings& run, Listener* listener, std::string& method,
                               std::vector<std::string>& notes);

/// Places of some pictures in the plane: [{prediction, pca: [x, y], tsne: [x, y]}].
nlohmann::json report_map(const Model& model, const EvaluatedPart& part, const RunSettings& run, Listener* listener,
                          std::vector<std::string>& notes);

/// The first layer's filters, and what two layers make of one picture: [{title, image}].
nlohmann::json report_inside(const Model& model, const std::string& picture, const RunSettings& run,
                             std::vector<std::string>& notes);

/// Rows of one picture each: its plain view, then random ones.
nlohmann::json report_augmentation(const ReportSource& source, const Preprocessing& preprocessing,
                                   std::vector<std::string>& notes);

}  // namespace graft::app
