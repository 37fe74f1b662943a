"""Networks that read their maps at computed places: warped, deformed, picked by what they see, reversed, rotated; and low-bit and linear models
of other domains. Each is compared with ONNX Runtime, fine-tuned, written and compared again."""
import json
import unittest

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from networks import SIDE, Net, NetworkTest, integers, random, weight
from support import graft


def mean_of_tokens(net, tokens):
    return net.dense(net.add("ReduceMean", [tokens, net.constant(integers("axes", 1))], "mean", keepdims=0), "fc")


def mean_of_maps(net, maps):
    return net.dense(net.add("ReduceMean", [maps, net.constant(integers("axes", 2, 3))], "mean", keepdims=0), "fc")


def warped(mode, padding, aligned):
    """A spatial transformer: pictures are turned and moved as a small network says."""
    def build(net):
        from_picture = net.add("Flatten", [net.add("AveragePool", ["x"], "small", kernel_shape=[8, 8], strides=[8, 8])], "small_flat")
        theta = net.add("Reshape", [net.dense(from_picture, "localisation", out_of=48, into=6), net.constant(integers("two_rows", -1, 2, 3))], "theta")
        size = net.add("Concat", [net.add("Shape", ["x"], "batch", end=1), net.constant(integers("picture", 3, SIDE, SIDE))], "size", axis=0)
        grid = net.add("AffineGrid", [theta, size], "grid", align_corners=aligned)
        return net.dense(net.features(net.add("GridSample", ["x", grid], "op", mode=mode, padding_mode=padding, align_corners=aligned)), "fc")
    return build


def deformed(groups, offset_groups, masked):
    def build(net):
        maps = net.maps()
        places = offset_groups * 4
        shift = net.add("Conv", [maps, net.constant(weight("shift", 2 * places, 24, 1, 1))], "shifts")
        inputs = [maps, net.constant(weight("deform", 24, 24 // groups, 2, 2)), shift, net.constant(weight("deform_b", 24))]
        if masked:
            inputs.append(net.add("Sigmoid", [net.add("Conv", [maps, net.constant(weight("strength", places, 24, 1, 1))], "strengths")], "mask"))
        # The shifts have the extents of the result: padding one before and none after keeps them.
        return mean_of_maps(net, net.add("DeformConv", inputs, "op", kernel_shape=[2, 2], pads=[1, 1, 0, 0], group=groups, offset_group=offset_groups))
    return build


def picked(net):
    """The two tokens of the largest norm, as token pruning does it."""
    tokens = net.tokens()
    norms = net.add("ReduceL2", [tokens, net.constant(integers("last", 2))], "norms", keepdims=0)
    net.add("TopK", [norms, net.constant(integers("k", 2))], ["largest", "places"], axis=1)
    wide = net.add("Expand", [net.add("Unsqueeze", ["places", net.constant(integers("at", 2))], "column"), net.constant(integers("wide", 1, 1, 24))], "indices")
    return mean_of_tokens(net, net.add("GatherElements", [tokens, wide], "op", axis=1))


def replaced(kind):
    """The places of the two largest tokens get other numbers."""
    def build(net):
        tokens = net.tokens()
        norms = net.add("ReduceL2", [tokens, net.constant(integers("last", 2))], "norms", keepdims=0)
        net.add("TopK", [norms, net.constant(integers("k", 2))], ["largest", "places"], axis=1)
        column = net.add("Unsqueeze", ["places", net.constant(integers("at", 2))], "column")
        if kind == "ScatterElements":
            wide = net.add("Expand", [column, net.constant(integers("wide", 1, 1, 24))], "indices")
            updates = net.add("Mul", [net.add("GatherElements", [tokens, wide], "taken", axis=1), net.constant(weight("strength", 1, 2, 24))], "updates")
            return mean_of_tokens(net, net.add("Mul", [net.add(kind, [tokens, wide, updates], "op", axis=1, reduction="add"), net.constant(weight("after", 1, 4, 24))], "m"))
        # Coordinates (picture, place) for each of the two.
        number = net.add("Range", [net.constant(numpy_helper.from_array(np.int64(0), "zero")), net.add("Squeeze", [net.add("Shape", ["x"], "batch", end=1)], "batch_number"),
                                   net.constant(numpy_helper.from_array(np.int64(1), "one"))], "pictures")
        rows = net.add("Expand", [net.add("Reshape", ["pictures", net.constant(integers("three", -1, 1, 1))], "pictures_apart"),
                                  net.constant(integers("both", 1, 2, 1))], "pictures_twice")
        indices = net.add("Concat", [rows, column], "indices", axis=2)
        updates = net.add("Mul", [net.add("GatherND", [tokens, indices], "taken"), net.constant(weight("strength", 1, 2, 24))], "updates")
        return mean_of_tokens(net, net.add("Mul", [net.add(kind, [tokens, indices, updates], "op"), net.constant(weight("after", 1, 4, 24))], "m"))
    return build


def looked_up(net):
    """A learnt row for the channel that is largest on average."""
    table = net.constant(weight("table", 24, 24))
    flat = net.features()
    row = net.add("Gather", [table, net.add("ArgMax", [flat], "largest", axis=1, keepdims=0)], "op", axis=0)
    return net.dense(net.add("Add", [flat, row], "sum"), "fc")


def reversed_in_part(net):
    sequence = net.add("Transpose", [net.tokens()], "sequence", perm=[1, 0, 2])
    lengths = net.add("Expand", [net.constant(integers("length", 3)), net.add("Shape", ["x"], "batch", end=1)], "lengths")
    op = net.add("ReverseSequence", [sequence, lengths], "op", time_axis=0, batch_axis=1)
    positions = net.constant(weight("positions", 4, 1, 24))
    return net.dense(net.add("ReduceMean", [net.add("Mul", [op, positions], "product"), net.constant(integers("axes", 0))], "mean", keepdims=0), "fc")


def rotated(interleaved):
    def build(net):
        positions = net.constant(numpy_helper.from_array(np.zeros(1, np.int64), "offset"))
        angles = random.uniform(0, 6, (8, 4)).astype(np.float32)
        tables = [net.constant(numpy_helper.from_array(f(angles), n)) for n, f in (("cosines", np.cos), ("sines", np.sin))]
        op = net.add("RotaryEmbedding", [net.tokens(), positions, *tables], "op", domain="com.microsoft", interleaved=interleaved, num_heads=3)
        products = net.add("MatMul", [op, net.constant(weight("mixed", 24, 24))], "products")
        return mean_of_tokens(net, products)
    return build


def volumes(kind, **attributes):
    def build(net):
        volume = net.add("Reshape", [net.maps(), net.constant(integers("volume", -1, 4, 6, 2, 2))], "as_volume")
        return net.dense(net.add("Flatten", [net.add(kind, [volume], "op", **attributes)], "flat"), "fc", out_of=4 * 3 * 1 * 2)
    return build


def padded(mode):
    def build(net):
        maps = net.maps()
        wide = net.add("Pad", [maps, net.constant(integers("pads", 0, 0, 1, 1, 0, 0, 1, 0))], "op", mode=mode)
        return mean_of_maps(net, net.add("Conv", [wide, net.constant(weight("after", 24, 24, 3, 3))], "conv_after"))
    return build


def compared(net):
    """One-hot of the largest feature, as F.one_hot of an argmax is written: nothing flows back through a comparison."""
    flat = net.features()
    best = net.add("Unsqueeze", [net.add("ArgMax", [flat], "largest", axis=1, keepdims=0), net.constant(integers("at", 1))], "column")
    same = net.add("Equal", [best, net.constant(integers("classes", *range(24)))], "same")
    hot = net.add("Cast", [net.add("Cast", [same], "number", to=TensorProto.INT64)], "hot", to=TensorProto.FLOAT)
    return net.dense(net.add("Add", [flat, hot], "op"), "fc")


def in_sequences(net):
    """Tokens taken apart in three ways and put together again."""
    tokens = net.tokens()
    net.add("SplitToSequence", [tokens, net.constant(integers("extents", 1, 3))], "given", axis=1)
    net.add("SplitToSequence", [tokens, net.constant(numpy_helper.from_array(np.int64(3), "three"))], "equal", axis=1)
    net.add("SplitToSequence", [tokens], "single", axis=1, keepdims=0)
    at = {i: net.constant(numpy_helper.from_array(np.int64(i), f"at{i}")) for i in (0, 1, -1)}
    first = net.add("SequenceAt", ["given", at[-1]], "first")  # three tokens
    second = net.add("SequenceAt", ["equal", at[1]], "second")  # the last one
    last = net.add("SequenceAt", ["single", at[-1]], "last")
    net.add("SequenceConstruct", [first, second], "begun")
    net.add("SequenceInsert", ["begun", net.add("Unsqueeze", [last, net.constant(integers("back", 1))], "last_token"), at[0]], "whole")
    net.add("SequenceConstruct", [last, last, last], "rows_apart")
    net.add("SequenceErase", ["rows_apart"], "fewer")
    stacked = net.add("ConcatFromSequence", ["fewer"], "stacked", axis=1, new_axis=1)
    joined = net.add("Concat", [net.add("ConcatFromSequence", ["whole"], "joined", axis=1), stacked], "op", axis=1)  # seven tokens
    counted = net.add("Cast", [net.add("SequenceLength", ["equal"], "count")], "count_float", to=TensorProto.FLOAT)  # two
    weighted = net.add("Mul", [joined, net.constant(weight("strengths", 1, 7, 24))], "weighted")
    return mean_of_tokens(net, net.add("Mul", [weighted, counted], "counted"))


def low_bit(bits, zeros):
    def build(net):
        block, k, n = 32, 96, 24
        rows = net.dense(net.add("Flatten", [net.maps()], "flat"), "first", out_of=96, into=k)
        packed = random.integers(0, 256, (n, k // block, block * bits // 8), dtype=np.uint8)
        inputs = [rows, net.constant(numpy_helper.from_array(packed, "packed")), net.constant(weight("scales", n * (k // block)))]
        if zeros:
            inputs.append(net.constant(numpy_helper.from_array(random.integers(0, 256, (n * ((k // block * bits + 7) // 8),), dtype=np.uint8), "zeros")))
        return net.dense(net.add("MatMulNBits", inputs, "op", domain="com.microsoft", K=k, N=n, bits=bits, block_size=block), "fc")
    return build


NETWORKS = {
    "warped": (20, warped("linear", "zeros", 0)), "warped, border": (20, warped("linear", "border", 1)), "warped, mirrored": (20, warped("cubic", "reflection", 0)),
    "deformed": (19, deformed(1, 1, False)), "deformed in groups": (19, deformed(2, 3, True)),
    "picked": (18, picked), "replaced": (18, replaced("ScatterND")), "added": (18, replaced("ScatterElements")), "looked up": (18, looked_up), "reversed": (18, reversed_in_part), "rotated": (18, rotated(0)), "rotated neighbours": (18, rotated(1)),
    "largest of a volume": (18, volumes("MaxPool", kernel_shape=[3, 2, 2], strides=[2, 2, 1], pads=[1, 0, 0, 1, 0, 1])),
    "mean of a volume": (19, volumes("AveragePool", kernel_shape=[3, 2, 2], strides=[2, 2, 1], pads=[1, 0, 0, 1, 0, 1])),
    "mean of a padded volume": (19, volumes("AveragePool", kernel_shape=[3, 2, 2], strides=[2, 2, 1], pads=[1, 0, 0, 1, 0, 1], count_include_pad=1)),
    "mirrored edge": (18, padded("reflect")), "repeated edge": (18, padded("edge")), "wrapped edge": (19, padded("wrap")), "compared": (18, compared),
    "sequences": (18, in_sequences), "four bits": (18, low_bit(4, False)), "four bits and zeros": (18, low_bit(4, True)), "eight bits": (18, low_bit(8, True)),
}


class SampledForms(NetworkTest):
    def test_each_is_read_trained_and_written(self):
        for name, (opset, build) in NETWORKS.items():
            with self.subTest(name):
                net = Net(opset=opset, other_domains=[("com.microsoft", 1)])
                path = net.save(self.base / "operator.onnx", build(net))
                # ONNX Runtime has no deformable convolutions; what is written holds none.
                self.assert_equals_onnx_runtime(path, reference=(lambda p: ReferenceEvaluator(onnx.load(p))) if name.startswith("deformed") else None)
                said, report = self.finetune(path, "--freeze", "none", "--lr", "1e-3")
                self.assertIn('in place of "fc"', said)
                self.assertEqual(report["frozen_parameters"], 0)
                trained = self.base / "run" / "model.onnx"
                self.assert_equals_onnx_runtime(trained)
                before, after = ({t.name: numpy_helper.to_array(t) for t in onnx.load(p).graph.initializer} for p in (path, trained))
                still = [n for n, v in before.items() if n in after and v.dtype == np.float32 and not n.startswith(("fc", "cosines", "sines", "scales"))
                         and np.array_equal(v, after[n])]
                self.assertEqual(still, [])

    def test_linear_model_of_another_tool_behind_features(self):
        path = self.base / "linear.onnx"
        net = Net(opset=15, other_domains=[("ai.onnx.ml", 1)])
        coefficients = random.standard_normal((3, 24)).astype(np.float32)
        net.add("LinearClassifier", [net.features()], ["label", "raw"], domain="ai.onnx.ml", coefficients=coefficients.ravel().tolist(), intercepts=[0.1, -0.2, 0.3],
                classlabels_strings=["cat", "dog", "rabbit"], multi_class=1, post_transform="SOFTMAX")
        net.add("Normalizer", ["raw"], "p", domain="ai.onnx.ml", norm="L1")
        net.save(path, types=[helper.make_tensor_value_info("label", TensorProto.STRING, None), helper.make_tensor_value_info("p", TensorProto.FLOAT, None)])
        self.assert_equals_onnx_runtime(path, output=1)
        shown = json.loads(graft("classify", path, self.picture, "--format", "jsonl", "--preprocess", "unit", "--quiet").stdout)
        self.assertIn(shown["label"], ("cat", "dog", "rabbit"))
        self.assertAlmostEqual(sum(a["score"] for a in shown["top"]), 1, places=4)

    def test_an_index_outside_is_an_error(self):
        path = self.base / "outside.onnx"
        net = Net(opset=18)
        places = net.add("Cast", [net.add("Mul", [net.features(), net.constant(numpy_helper.from_array(np.float32(1e6), "far"))], "places_far")], "places", to=TensorProto.INT64)
        net.save(path, net.add("GatherElements", [net.constant(weight("table", 1, 24)), net.add("Slice", [places, *[net.constant(integers(n, v)) for n, v in
                 (("from", 0), ("to", 1), ("axis", 0))]], "first")], "y", axis=1))
        np.save(self.base / "x.npy", np.ones((1, 3, SIDE, SIDE), np.float32))
        refused = graft("infer", path, "--input", self.base / "x.npy", "--output", self.base / "y.npy", check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn('node "y" (GatherElements): index', refused.stderr)
        self.assertIn("lies outside", refused.stderr)
        self.assertFalse((self.base / "y.npy").exists())


if __name__ == "__main__":
    unittest.main()
