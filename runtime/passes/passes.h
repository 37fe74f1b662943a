#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "runtime/core/backend.h"
#include "runtime/core/graph.h"

namespace graft {

/// Graph-to-graph passes. Each has its own file and changes the graph in place unless it says otherwise.

/// Extents for the open dimensions of the inputs: batch for dimension 0, height and width for the spatial ones of
/// N×C×H×W and of uint8 N×H×W×3.
struct OpenDims {
  int64_t batch = 1;
  int64_t height = 224, width = 224;
  std::map<std::string, Shape> shapes{};  // whole shapes of inputs that are known by name
};

/// What `specialise` made of a graph's loops and branches.
struct ControlFlowTrace {
  std::vector<Node>
      nodes;            // what the graph does at these extents, in order: branches taken, loops unrolled, else alike
  size_t unrolled = 0;  // nodes and iterations of all loops, counted even where it throws
};

/// A copy with every shape closed and everything computable now computed: chains of Shape, Gather, Concat … become
/// constants, branches are taken and loops unrolled. Values keep their ids; new ones come after them. Trainable values
/// are never folded. Kernels of `backend` do the computing. `trace`: filled in where the graph has control flow.
Graph specialise(const Graph& graph, const OpenDims& dims, const Backend& backend, ControlFlowTrace* trace = nullptr);

/// Whether some nodes are branches or loops that only extents decide.
bool has_control_flow(const Graph& graph);

/// Closes the open image sides of the inputs and types every value again for one picture; the batch stays open.
void retype(Graph& graph, const OpenDims& dims, const Backend& backend);

/// Drops Identity and casts to the same type; in inference also Dropout.
void remove_identities(Graph& graph, bool keep_dropout);

/// Drops nodes and constants that no output needs.
void remove_dead_code(Graph& graph);

/// Products whose operands and result stand between Dequantise and Quantise are computed on the 8-bit integers
/// (QuantisedProduct), as are maxima and reshapes; sums of two of them become a product's residual. For backends that
/// multiply bytes; others, and what does not fit, compute on floats, to the same results up to the rounding of sums.
void quantise_products(Graph& graph);

/// MatMul by a constant matrix, with a following constant Add, becomes Gemm; a constant per-channel Add after a
/// convolution without bias becomes its bias. Makes every dense layer look alike to head surgery, fusion and backends.
void canonicalise_dense(Graph& graph);

/// Folds a batch norm with fixed statistics into the convolution before it, where neither is trainable:
/// w' = w·s, b' = (b - mean)·s + bias with s = scale/√(var + ε). [Jacob et al. 2018, §3.2]
void fold_batch_norm(Graph& graph);

/// Moves a following Add and activation into the node before it, where that node can carry them.
void fuse_epilogues(Graph& graph);

/// Turns each BatchNorm one of whose parameters is computed into arithmetic, through which gradients pass. Networks
/// that standardise their weights (NFNet) are exported so: the mean and variance are those of a weight.
void expand_computed_batch_norm(Graph& graph);

/// Turns each BatchNorm whose scale or bias is trainable into BatchNormTraining. Returns, for each, the running mean
/// and variance (constants) with the values that hold the batch's own.
struct BatchStatistics {
  std::shared_ptr<Tensor> running_mean, running_variance;
  ValueId batch_mean, batch_variance;
  float momentum;  // ONNX's
  int64_t count;   // elements a channel, to turn the biased variance into the unbiased one
};
std::vector<BatchStatistics> train_batch_norm(Graph& graph);

/// Between a transposition to N×H×W×C and the one back, what works on channels (dense layers, layer norms, element-wise
/// steps) works on rows of a matrix instead, which channels-last pictures already are: both transpositions vanish.
/// Dense layers on tokens, B×N×C and the like, and what follows them, work on rows of a matrix, too: they are the dense
/// layers that packed weights, biases and epilogues are for.
void channels_as_rows(Graph& graph);

/// Stochastic depth: in front of each residual addition, the longer branch is left out for whole samples, with a
/// probability that grows in even steps from the first block's to `last` at the last. Returns the number of branches.
/// [Huang et al. 2016]
int add_stochastic_depth(Graph& graph, float last);
/// Takes them out again.
void remove_stochastic_depth(Graph& graph);

/// Activations that exporters spell out in several nodes (SiLU, hard swish, GELU) become one.
void recognise_functions(Graph& graph);

/// Products of matrices around a Softmax, with what scales its scores and is added to them, become one operator
/// (FusedAttention). It reads projections and writes heads where they lie: transpositions around them vanish. For
/// backends that have a kernel for it.
void fuse_attention(Graph& graph);

/// Where a convolution makes the input of a BatchNormTraining, it measures the mean and variance of its results while
/// they are in the cache, and the norm only applies them. After `differentiate`, which needs the norm whole.
void share_batch_statistics(Graph& graph);

/// Where the gradient of a convolution's input is all that reaches a batch norm with a residual, the convolution passes
/// it through the activation and sums what the norm's parameters need while it is in the cache.
void share_norm_gradients(Graph& graph);

/// Lets activations and their gradients, and the weights that meet them, be of the half type in which a backend
/// computes, as far as its half_operands say. What enters and leaves the graph stays float, as do trained parameters
/// (each step casts them), and the parameters and statistics of batch norms. The last pass: it sets types that
/// operators' own rules would not. [Micikevicius et al. 2018, "Mixed precision training"]
void lower_precision(Graph& graph, const Backend& backend);

struct Gradients {
  std::vector<ValueId> seeds;  // the added inputs: dL/d(output), in the order of `outputs`
  std::vector<std::pair<ValueId, ValueId>>
      of;  // (value, its gradient), in the order of `wanted`; kNoValue when independent
};
/// Appends the backward pass for L = Σ ⟨seed, output⟩ with respect to `wanted`, computing nothing that no wanted value
/// depends on, and adds the gradients to the graph's outputs.
Gradients differentiate(Graph& graph, const std::vector<ValueId>& outputs, const std::vector<ValueId>& wanted);

/// Trades time for memory in a differentiated graph: of what the forward nodes before each cut (an index of a node,
/// ascending) make, only what nodes behind it read is kept; the rest is made again, a segment at a time, when the
/// backward pass comes to it. The same kernels on the same operands give the same bits. [Chen et al. 2016, "Training
/// deep nets with sublinear memory cost"]
void recompute_activations(Graph& graph, const std::vector<size_t>& cuts);
/// Cuts for about `segments` segments with equally many bytes, at places that one value crosses; fewer where there are
/// not so many.
std::vector<size_t> place_cuts(const Graph& graph, size_t segments);

/// The part of the graph that no trainable value reaches, and the rest, which takes the boundary values as inputs.
/// What the rest needs and what has no row for each picture (extents, indices, what is made of weights alone, windows)
/// is worked out in both. Values have the types of one picture.
struct FrozenSplit {
  Graph trunk;  // graph inputs → boundary values
  Graph rest;   // boundary values (then graph inputs it still reads) → graph outputs
};
FrozenSplit split_frozen(const Graph& graph);

/// Removes the marked nodes.
void erase_nodes(Graph& graph, const std::vector<bool>& dead);

}  // namespace graft
