"""Small networks for tests, and their comparison with ONNX Runtime."""
import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from support import PictureTest, graft, session

random = np.random.default_rng(5)
SIDE = 32


def weight(name, *shape):
    return numpy_helper.from_array((random.standard_normal(shape) / np.sqrt(np.prod(shape[1:]) or 1)).astype(np.float32), name)


def integers(name, *values):
    return numpy_helper.from_array(np.array(values, np.int64), name)


class Net:
    """A graph in the making: a trunk of two convolutions and a pool, 24 features."""
    def __init__(self, batch="N", opset=17, other_domains=()):
        self.nodes, self.constants, self.opset, self.other_domains = [], [], opset, other_domains
        self.input = helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3, SIDE, SIDE])

    def add(self, kind, inputs, output, **attributes):
        outputs = [output] if isinstance(output, str) else output
        self.nodes.append(helper.make_node(kind, inputs, outputs, name=outputs[0], **attributes))
        return outputs[0]

    def constant(self, tensor):
        self.constants.append(tensor)
        return tensor.name

    def maps(self, x="x", prefix=""):
        for i, (c, k) in enumerate(((3, 8), (8, 24))):
            w, b = self.constant(weight(f"{prefix}conv{i}.w", k, c, 3, 3)), self.constant(weight(f"{prefix}conv{i}.b", k))
            x = self.add("Relu", [self.add("Conv", [x, w, b], f"{prefix}conv{i}", kernel_shape=[3, 3], strides=[4, 4], pads=[1, 1, 1, 1])], f"{prefix}relu{i}")
        return x  # N×24×2×2

    def features(self, x="x", prefix=""):
        return self.add("Flatten", [self.add("GlobalAveragePool", [self.maps(x, prefix)], prefix + "pool")], prefix + "flat")

    def tokens(self, batch=-1):
        rows = self.add("Reshape", [self.maps(), self.constant(integers("to_rows", batch, 24, 4))], "rows")
        return self.add("Transpose", [rows], "tokens", perm=[0, 2, 1])  # N×4×24

    def dense(self, x, name, out_of=24, into=10):
        return self.add("Gemm", [x, self.constant(weight(name + ".w", into, out_of)), self.constant(weight(name + ".b", into))], name, transB=1)

    def save(self, path, *outputs, types=None):
        types = types or [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in outputs]
        graph = helper.make_graph(self.nodes, "g", [self.input], types, self.constants)
        domains = [helper.make_opsetid("", self.opset), *(helper.make_opsetid(d, v) for d, v in self.other_domains)]
        onnx.save(helper.make_model(graph, opset_imports=domains, ir_version=8), path)
        return path


class NetworkTest(PictureTest):
    """Compares what graft makes of a network with ONNX Runtime, and trains it."""
    def infer(self, path, x):
        np.save(self.base / "x.npy", x)
        graft("infer", path, "--input", self.base / "x.npy", "--output", self.base / "y.npy")
        return np.load(self.base / "y.npy")

    def assert_equals_onnx_runtime(self, path, pictures=2, output=0, tolerance=1e-5, one_by_one=False, reference=None):
        """`reference`: what makes a peer of a file that ONNX Runtime does not read."""
        x = random.standard_normal((pictures, 3, SIDE, SIDE)).astype(np.float32)
        name, peer = onnx.load(path).graph.input[0].name, (reference or session)(path)
        y = self.infer(path, x)
        runs = [x[i:i + 1] for i in range(pictures)] if one_by_one else [x]
        expected = np.concatenate([peer.run(None, {name: part})[output] for part in runs])
        self.assertEqual(y.shape, expected.shape)
        self.assertLess(np.abs(y - expected).max(), tolerance * np.abs(expected).max() + 1e-6, path.name)

    def finetune(self, path, *options):
        """What a run said and reported."""
        result = graft("finetune", path, self.pictures, "-o", self.base / "run", "--epochs", 1, "--batch", 4, "--preprocess", "unit", "--augment", "none",
                       "--json", "--overwrite", "--no-report", *options)
        return result.stderr, json.loads(result.stdout)

    def assert_trains_whole(self, path, width, replaced, one_by_one=False):
        said, report = self.finetune(path, "--freeze", "none", "--lr", "1e-3")
        self.assertIn(f"new head on {width} features in place of {replaced}", said)
        self.assertEqual(report["frozen_parameters"], 0)
        trained = self.base / "run" / "model.onnx"
        self.assert_equals_onnx_runtime(trained, one_by_one=one_by_one)
        before, after = ({t.name: numpy_helper.to_array(t) for t in onnx.load(p).graph.initializer} for p in (path, trained))
        self.assertFalse(np.array_equal(before["conv0.w"], after["conv0.w"]))
