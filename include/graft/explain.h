#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graft/classifier.h"
#include "graft/listener.h"
#include "graft/model.h"

namespace graft {

/// How a network's answers are explained.
struct ExplainSettings {
  /// "grad-cam": activations of a layer, weighted by the mean gradient of the class's score [Selvaraju et al. 2017].
  /// "attention-rollout": products of the attention of all blocks, of transformers alone [Abnar & Zuidema 2020].
  /// "auto": rollout where every attention is one of all tokens, else grad-cam.
  std::string method = "auto";
  std::string layer;  // of grad-cam: name of a node or value; empty: the last with a place for each part of the picture
  int target = -1;    // output that is explained; below 0: the one with the highest score
};

/// Where a network looked for its answer.
struct Explanation {
  int index = 0;                  // output that is explained
  std::string label;              // its name
  float score = 0;                // its probability; regression: the value
  int64_t height = 0, width = 0;  // of the crop that the network sees
  std::vector<float> map;         // height × width, from 0 (nothing) to 1
  std::vector<uint8_t> pixels;    // height × width × 3: the crop, 8-bit RGB
  std::string error;              // why the picture could not be read; all else is empty then
};

/// One thread at a time may use one; several may run in several threads.
class Explainer {
 public:
  /// Throws Error: as Classifier; not_found for a layer or method that is not there; unsupported for a network without
  /// a layer that has places, and for operators without a gradient behind it.
  explicit Explainer(const Model& model, const ExplainSettings& explain = {}, const RunSettings& settings = {});
  ~Explainer();
  Explainer(Explainer&&) noexcept;
  Explainer& operator=(Explainer&&) noexcept;

  /// "grad-cam" or "attention-rollout".
  const std::string& method() const;
  /// The layer that grad-cam reads; the number of attentions that a rollout multiplies ("12 attentions").
  const std::string& layer() const;

  /// One for each file, in order.
  std::vector<Explanation> explain(const std::vector<std::string>& paths, Listener* listener = nullptr);
  /// Of a picture file in memory. `target`: in the place of ExplainSettings::target, for this call.
  Explanation explain(const EncodedPictureView& picture, std::optional<int> target = {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace graft
