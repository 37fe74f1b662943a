#pragma once

#include "onnx.pb.h"

#include <filesystem>
#include <string>
#include <vector>

#include "runtime/core/tensor.h"

namespace graft::conformance {

/// One of ONNX's backend tests: a model, and sets of inputs and outputs.
struct Case {
  std::string name;
  onnx::ModelProto model;
  struct Data {
    std::vector<onnx::TensorProto> inputs, outputs;
  };
  std::vector<Data> data;
};

/// A folder with model.onnx and test_data_set_*.
Case load_case(const std::filesystem::path& folder);
/// A light model: its input is 0, 1/n, 2/n, … and its output lies beside it.
Case load_light_case(const std::filesystem::path& model);

/// The model with its inputs turned into initialisers: graft computes weights, axes and bounds once. `first`: the first
/// of them (an input before it stays open).
onnx::ModelProto with_constant_inputs(onnx::ModelProto model, const std::vector<onnx::TensorProto>& inputs,
                                      size_t first);

/// Imports the model through a file and compares every output. Throws Error at the first difference.
void run_case(const Case& test);

/// Compares the slope of Σ r·y, y being the first output and r random, with central differences along random directions
/// of all float inputs at once. Returns false where the operator has no gradient; throws Error where they differ.
bool check_gradient(const Case& test);

/// Grafts a new head on a network, without options, and checks that it alone would be trained. Throws Error where it is
/// not so.
void check_head(const Case& test);

/// Why a test lies outside of what graft claims; empty where it must pass.
std::string outside(const onnx::ModelProto& model);

}  // namespace graft::conformance
