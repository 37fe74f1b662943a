// ai.onnx.ml's linear models, as scikit-learn's converter puts them behind a network's features.
#include "importer/spelling.h"

namespace graft {
namespace {

std::string scores_of(NodeReader& node, Spelling& spell, int64_t targets, const char* intercepts) {
  const std::vector<float> weights = node.reals("coefficients"), bias = node.reals(intercepts);
  const auto count = static_cast<int64_t>(weights.size());
  if (targets < 1 || count == 0 || count % targets != 0)
    throw Error(std::to_string(count) + " coefficients do not make " + std::to_string(targets) + " scores");
  if (!bias.empty() && static_cast<int64_t>(bias.size()) != targets)
    throw Error(std::to_string(bias.size()) + " intercepts for " + std::to_string(targets) + " scores");
  Spelling::Names inputs{spell.input(0),
                         spell.constant("weight", Tensor::copy_of<float>({targets, count / targets}, weights))};
  if (!bias.empty()) inputs.push_back(spell.constant("bias", Tensor::copy_of<float>({targets}, bias)));
  return spell.add("Gemm", "scores", inputs, {attribute("transB", int64_t{1})});
}

/// What post_transform makes of scores.
std::string transformed(NodeReader& node, Spelling& spell, const std::string& scores) {
  const std::string transform = node.text("post_transform", "NONE");
  if (transform == "NONE") return scores;
  if (transform == "LOGISTIC") return spell.add("Sigmoid", "probabilities", {scores});
  if (transform == "SOFTMAX") return spell.add("Softmax", "probabilities", {scores}, {attribute("axis", int64_t{-1})});
  throw Error("post_transform \"" + transform + "\" is not supported", {}, ErrorCode::unsupported);
}

/// Which class each row is, as a number: that of the largest score, or of two classes with one score the second where
/// that is positive.
std::string class_of(Spelling& spell, const std::string& raw, bool single) {
  if (!single)
    return spell.add("ArgMax", "best", {raw}, {attribute("axis", int64_t{1}), attribute("keepdims", int64_t{0})});
  const std::string is_second = spell.add("Greater", "second", {raw, spell.number("zero", 0)});
  return spell.add("Squeeze", "best",
                   {spell.add("Cast", "number", {is_second}, {attribute("to", int64_t{onnx::TensorProto::INT64})}),
                    spell.integers("columns", {1})});
}

/// Labels (numbers) and scores. Two classes may have one score, s: it is then (1 - s, s), as ONNX Runtime has it.
void read_classifier(NodeReader& node) {
  Spelling spell(node);
  const std::vector<int64_t> labels = node.integers("classlabels_ints");
  if (labels.empty()) throw Error("names no classes");
  const auto classes = static_cast<int64_t>(labels.size());
  const bool single = classes == 2 && node.reals("intercepts").size() == 1;
  const std::string raw = scores_of(node, spell, single ? 1 : classes, "intercepts");
  const std::string transform = node.text("post_transform", "NONE");
  if (single && transform != "NONE" && transform != "LOGISTIC")
    throw Error("a " + transform + " of one score is not supported", {}, ErrorCode::unsupported);
  std::string scores = transformed(node, spell, raw);
  if (single)
    scores = spell.add("Concat", "both", {spell.add("Sub", "first", {spell.number("one", 1), scores}), scores},
                       {attribute("axis", int64_t{1})});
  spell.give("Gather", {spell.integers("labels", labels), class_of(spell, raw, single)},
             {attribute("axis", int64_t{0})}, 0);
  spell.give("Identity", {scores}, {}, 1);
}

void read_regressor(NodeReader& node) {
  Spelling spell(node);
  spell.give("Identity", {transformed(node, spell, scores_of(node, spell, node.integer("targets", 1), "intercepts"))});
}

/// 1 above the threshold, 0 elsewhere.
void read_binarizer(NodeReader& node) {
  Spelling spell(node);
  const std::string above =
      spell.add("Greater", "above", {spell.input(0), spell.number("threshold", node.real("threshold", 0))});
  spell.give("Cast", {above}, {attribute("to", int64_t{onnx::TensorProto::FLOAT})});
}

/// Rows side by side, of each the first so many numbers where that is said.
void read_feature_vectorizer(NodeReader& node) {
  Spelling spell(node);
  const std::vector<int64_t> widths = node.integers("inputdimensions");
  if (!widths.empty() && widths.size() != node.input_count())
    throw Error(std::to_string(widths.size()) + " widths for " + std::to_string(node.input_count()) + " inputs");
  Spelling::Names parts;
  for (size_t i = 0; i < node.input_count(); ++i) {
    const std::string suffix = "part" + std::to_string(i);
    parts.push_back(widths.empty() ? spell.input(i)
                                   : spell.add("Slice", suffix,
                                               {spell.input(i), spell.integers(suffix + "_from", {0}),
                                                spell.integers(suffix + "_to", {widths[i]}),
                                                spell.integers(suffix + "_axis", {1})}));
  }
  spell.give("Concat", parts, {attribute("axis", int64_t{1})});
}

}  // namespace

void map_linear_model(OpTable& table) {
  table.read("ai.onnx.ml.LinearClassifier", read_classifier);
  table.read("ai.onnx.ml.LinearRegressor", read_regressor);
  table.read("ai.onnx.ml.Binarizer", read_binarizer);
  table.read("ai.onnx.ml.FeatureVectorizer", read_feature_vectorizer);
}

}  // namespace graft
