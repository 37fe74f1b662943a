"""torchvision's networks, as both of its exporters write them, against ONNX Runtime: batch 1 and 5, to 1e-4."""
import pathlib
import unittest

import numpy as np

from parity.weights import filled
from support import graft, scratch, session

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "torchvision"


class OnnxRuntime(unittest.TestCase):
    def test_every_network_and_exporter(self):
        import onnx
        paths = sorted(FIXTURES.glob("*_script.onnx.gz")) + sorted(FIXTURES.glob("*_dynamo.onnx.gz"))
        self.assertGreaterEqual(len(paths), 41)
        for path in paths:
            with self.subTest(path.name), scratch() as name:
                base = pathlib.Path(name)
                onnx.save(filled(path), base / "m.onnx")
                graft("export", base / "m.onnx", "-o", base / "written.onnx", "--quiet")
                runtime, written = session(base / "m.onnx"), session(base / "written.onnx")
                side = 299 if path.name.startswith("inception_v3") else 224
                for batch in (1, 5):
                    x = np.random.default_rng(batch).standard_normal((batch, 3, side, side), dtype=np.float32)
                    np.save(base / "x.npy", x)
                    graft("infer", base / "m.onnx", "--input", base / "x.npy", "--output", base / "y.npy")
                    expected = runtime.run(None, {runtime.get_inputs()[0].name: x})[0]
                    got = np.load(base / "y.npy")
                    scale = float(np.abs(expected).max())
                    self.assertGreater(scale, 1e-9)
                    self.assertLess(np.abs(got - expected).max() / scale, 1e-4)
                    two = x[:2]  # of the same pictures: that the batch is open in the written file takes no five
                    again = written.run(None, {written.get_inputs()[0].name: two})[0]
                    self.assertLess(np.abs(again - expected[:2]).max() / scale, 1e-4)

    def test_sizes_that_are_open_until_a_picture_comes(self):
        import onnx
        for build in (squeeze_if_one, pyramid):
            with self.subTest(build.__name__), scratch() as name:
                base = pathlib.Path(name)
                onnx.save(build(), base / "m.onnx")
                graft("export", base / "m.onnx", "-o", base / "written.onnx", "--quiet")
                runtimes = session(base / "m.onnx"), session(base / "written.onnx")
                for shape in ((1, 3, 32, 32), (2, 3, 32, 32), (1, 3, 47, 64), (3, 3, 224, 160)):
                    x = np.random.default_rng(sum(shape)).standard_normal(shape, dtype=np.float32)
                    np.save(base / "x.npy", x)
                    for model in ("m.onnx", "written.onnx"):
                        graft("infer", base / model, "--input", base / "x.npy", "--output", base / "y.npy")
                        got = np.load(base / "y.npy")
                        for runtime in runtimes:
                            expected = runtime.run(None, {"x": x})[0]
                            self.assertEqual(got.shape, expected.shape)
                            np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def model_of(nodes, constants, output_rank=None):
    """A model of one input x: N×3×H×W, whose last node makes y."""
    from onnx import TensorProto, helper, numpy_helper
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, output_rank and [None] * output_rank)
    graph = helper.make_graph(nodes, "open", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])],
                              [output], [numpy_helper.from_array(np.array(v), k) for k, v in constants.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def squeeze_if_one():
    """What torch.onnx.export makes of a squeeze of an open batch."""
    from onnx import TensorProto, helper
    node = helper.make_node

    def branch(name, *nodes):
        return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info("s", TensorProto.FLOAT, None)])

    return model_of([node("Shape", ["x"], ["shape"]), node("Gather", ["shape", "zero"], ["n"]),
                     node("Equal", ["n", "one"], ["is_one"]), node("Sigmoid", ["x"], ["a"]),
                     node("If", ["is_one"], ["y"], then_branch=branch("then", node("Squeeze", ["a", "zero"], ["s"])),
                          else_branch=branch("else", node("Mul", ["a", "x"], ["s"])))],
                    {"zero": np.array([0]), "one": np.array([1])})


def pyramid():
    """The upper path of a feature pyramid: pictures halved, and brought to the size that they had."""
    from onnx import helper
    node = helper.make_node
    return model_of([node("AveragePool", ["x"], ["half"], kernel_shape=[2, 2], strides=[2, 2]),
                     node("Shape", ["x"], ["size"]),
                     node("Slice", ["size", "two", "four"], ["side"]), node("Shape", ["half"], ["half_size"]),
                     node("Slice", ["half_size", "zero", "two"], ["batch"]),
                     node("Concat", ["batch", "side"], ["target"], axis=0),
                     node("Resize", ["half", "", "", "target"], ["up"], mode="linear"), node("Add", ["up", "x"], ["y"])],
                    {"zero": np.array([0]), "two": np.array([2]), "four": np.array([4])}, 4)


if __name__ == "__main__":
    unittest.main()
