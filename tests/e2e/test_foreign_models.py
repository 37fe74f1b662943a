"""Networks as other programs write them: attention of rank four, bytes in, a second input, scores behind casts."""
import csv
import json
import unittest

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from support import PictureTest, graft, graft_json, session

random = np.random.default_rng(3)


def weight(name, *shape):
    return numpy_helper.from_array((random.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32), name)


def integers(name, *values):
    return numpy_helper.from_array(np.array(values, np.int64), name)


def save(path, nodes, inputs, outputs, initialisers, metadata=None):
    graph = helper.make_graph(nodes, "g", inputs, outputs, initialisers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    for key, value in (metadata or {}).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(model)
    onnx.save(model, path)


def transformer(path, side=32, width=32, heads=2, depth=2):
    """A small ViT: patches, class token, places, blocks of attention and MLP, the token's classifier."""
    tokens, head = (side // 8) ** 2 + 1, width // heads
    nodes, constants = [], [weight("patch.w", width, 3, 8, 8), weight("cls", 1, 1, width), weight("places", 1, tokens, width), integers("to_rows", 0, width, -1),
                            integers("to_heads", 0, -1, heads, head), integers("to_tokens", 0, -1, width), numpy_helper.from_array(np.float32(head ** -0.5), "scale"),
                            numpy_helper.from_array(np.int64(0), "first"), weight("fc.w", 10, width), weight("fc.b", 10)]
    count = width * 192 + width + tokens * width

    def add(kind, inputs, output, **more):
        nodes.append(helper.make_node(kind, inputs, [output], name=output, **more))
        return output

    def norm(x, name):
        constants.extend([weight(name + ".w", width), weight(name + ".b", width)])
        return add("LayerNormalization", [x, name + ".w", name + ".b"], name, axis=-1)

    def dense(x, name, out_of, into):
        constants.extend([weight(name + ".w", out_of, into), weight(name + ".b", into)])
        return add("Add", [name + ".b", add("MatMul", [x, name + ".w"], name + ".product")], name)

    add("Conv", ["x", "patch.w"], "patch", strides=[8, 8], kernel_shape=[8, 8])
    add("Transpose", [add("Reshape", ["patch", "to_rows"], "rows")], "tokens", perm=[0, 2, 1])
    add("Slice", [add("Shape", ["x"], "shape"), *[c.name for c in (integers("zero", 0), integers("one", 1))]], "batch")
    constants.extend([integers("zero", 0), integers("one", 1), integers("rest", 1, width)])
    add("Expand", ["cls", add("Concat", ["batch", "rest"], "cls_shape", axis=0)], "cls_tokens")
    x = add("Add", [add("Concat", ["cls_tokens", "tokens"], "joined", axis=1), "places"], "placed")
    for b in range(depth):
        n = norm(x, f"b{b}.norm1")
        q, k, v = (add("Transpose", [add("Reshape", [dense(n, f"b{b}.{part}", width, width), "to_heads"], f"b{b}.{part}.heads")], f"b{b}.{part}.t",
                       perm=[0, 2, 3, 1] if part == "k" else [0, 2, 1, 3]) for part in "qkv")
        scores = add("Mul", [add("MatMul", [q, k], f"b{b}.scores"), "scale"], f"b{b}.scaled")
        mixed = add("MatMul", [add("Softmax", [scores], f"b{b}.weights", axis=-1), v], f"b{b}.mixed")
        merged = add("Reshape", [add("Transpose", [mixed], f"b{b}.back", perm=[0, 2, 1, 3]), "to_tokens"], f"b{b}.merged")
        x = add("Add", [x, dense(merged, f"b{b}.project", width, width)], f"b{b}.attended")
        hidden = dense(norm(x, f"b{b}.norm2"), f"b{b}.fc1", width, 4 * width)
        gate = add("Mul", [hidden, add("Sigmoid", [hidden], f"b{b}.sigmoid")], f"b{b}.act")
        x = add("Add", [x, dense(gate, f"b{b}.fc2", 4 * width, width)], f"b{b}.out")
        count += 4 * width + 4 * (width * width + width) + 8 * width * width + 5 * width
    add("Gather", [norm(x, "norm"), "first"], "token", axis=1)
    add("Gemm", ["token", "fc.w", "fc.b"], "y", transB=1)
    save(path, nodes, [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, side, side])], [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 10])], constants)
    return count + 2 * width  # the last norm; the classifier is replaced


class ForeignModels(PictureTest):
    def test_a_transformer_equals_onnx_runtime_and_trains_whole(self):
        path = self.base / "vit.onnx"
        parameters = transformer(path)
        for batch in (1, 3):
            x = random.standard_normal((batch, 3, 32, 32)).astype(np.float32)
            np.save(self.base / "x.npy", x)
            graft("infer", path, "--input", self.base / "x.npy", "--output", self.base / "y.npy")
            expected = session(path).run(None, {"x": x})[0]
            self.assertLess(np.abs(np.load(self.base / "y.npy") - expected).max(), 1e-5 * np.abs(expected).max() + 1e-6)
        report = graft_json("finetune", path, self.pictures, "-o", self.base / "run", "--freeze", "none", "--epochs", 2, "--batch", 8, "--optimizer", "adamw",
                            "--lr", 0.001, "--trunk-lr-scale", 1, "--preprocess", "unit", "--augment", "none")
        classes = len(report["classes"])
        self.assertEqual(report["trainable_parameters"], parameters + classes * 33)
        self.assertEqual(report["frozen_parameters"], 0)
        with open(report["history"]) as lines:
            losses = [float(row["train_loss"]) for row in csv.DictReader(lines)]
        self.assertLess(losses[1], losses[0])
        # What was trained is in the file, and another program reads it so.
        trained = self.base / "run" / "model.onnx"
        before, after = ({t.name: numpy_helper.to_array(t) for t in onnx.load(p).graph.initializer} for p in (path, trained))
        for name in ("cls", "places", "b1.q.w", "b0.norm1.w", "b1.fc2.b"):
            self.assertFalse(np.array_equal(before[name], after[name]), name)
        graft("infer", trained, "--input", self.base / "x.npy", "--output", self.base / "y.npy")
        expected = session(trained).run(None, {"x": x})[0]
        self.assertLess(np.abs(np.load(self.base / "y.npy") - expected).max(), 1e-5 * np.abs(expected).max() + 1e-6)

    def test_bytes_go_in_as_bytes(self):
        from PIL import Image
        path = self.base / "bytes.onnx"
        nodes = [helper.make_node("Cast", ["x"], ["floats"], to=TensorProto.FLOAT), helper.make_node("Div", ["floats", "most"], ["unit"]),
                 helper.make_node("Conv", ["unit", "w"], ["maps"], strides=[8, 8]), helper.make_node("GlobalAveragePool", ["maps"], ["pooled"]),
                 helper.make_node("Flatten", ["pooled"], ["flat"]), helper.make_node("Gemm", ["flat", "fc"], ["y"], transB=1)]
        save(path, nodes, [helper.make_tensor_value_info("x", TensorProto.UINT8, ["N", 3, 64, 64])], [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4])],
             [numpy_helper.from_array(np.float32(255), "most"), weight("w", 6, 3, 8, 8), weight("fc", 4, 6)])
        scores = json.loads(graft("classify", path, self.picture, "--format", "jsonl", "--quiet", "--resize", 0, "--top", 4).stdout)
        pixels = np.asarray(Image.open(self.picture).convert("RGB"))
        self.assertEqual(pixels.shape, (64, 64, 3))
        y = session(path).run(None, {"x": pixels.transpose(2, 0, 1)[None]})[0][0].astype(np.float64)
        expected = np.exp(y - y.max()) / np.exp(y - y.max()).sum()
        found = {int(t["label"]): t["score"] for t in scores["top"]}
        for k in range(4):
            self.assertAlmostEqual(found[k], expected[k], places=4)
        report = graft_json("finetune", path, self.pictures, "-o", self.base / "bytes-run", "--epochs", 1)
        self.assertEqual(report["trainable_parameters"], 7 * len(report["classes"]))

    def test_a_second_input_is_an_error(self):
        path = self.base / "two.onnx"
        nodes = [helper.make_node("Conv", ["x", "w"], ["maps"]), helper.make_node("GlobalAveragePool", ["maps"], ["pooled"]), helper.make_node("Flatten", ["pooled"], ["flat"]),
                 helper.make_node("Concat", ["flat", "meta"], ["all"], axis=1), helper.make_node("Gemm", ["all", "fc"], ["y"], transB=1)]
        save(path, nodes, [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 16, 16]), helper.make_tensor_value_info("meta", TensorProto.FLOAT, ["N", 2])],
             [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4])], [weight("w", 6, 3, 3, 3), weight("fc", 4, 8)])
        for command in (["classify", path, self.picture], ["finetune", path, self.pictures, "-o", self.base / "none"]):
            done = graft(*command, "--preprocess", "unit", check=False)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn('input "meta" (N×2) is a second one, which no picture fills', done.stderr)

    def test_a_sigmoid_of_one_score_is_its_own_answer(self):
        path = self.base / "sigmoid.onnx"
        nodes = [helper.make_node("Conv", ["x", "w"], ["maps"]), helper.make_node("GlobalAveragePool", ["maps"], ["pooled"]), helper.make_node("Flatten", ["pooled"], ["flat"]),
                 helper.make_node("Gemm", ["flat", "fc"], ["score"], transB=1, name="classifier"), helper.make_node("Sigmoid", ["score"], ["p"]),
                 helper.make_node("Cast", ["p"], ["y"], to=TensorProto.FLOAT)]
        save(path, nodes, [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 64, 64])], [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 1])],
             [weight("w", 6, 3, 3, 3), weight("fc", 1, 6)], {"names": "{0: 'spotted'}"})
        from PIL import Image
        line = json.loads(graft("classify", path, self.picture, "--format", "jsonl", "--quiet", "--preprocess", "unit", "--resize", 0).stdout)
        pixels = np.asarray(Image.open(self.picture).convert("RGB"), np.float32).transpose(2, 0, 1)[None] / 255
        self.assertAlmostEqual(line["top"][0]["score"], float(session(path).run(None, {"x": pixels})[0][0, 0]), places=4)
        self.assertEqual(line["top"][0]["label"], "spotted")
        done = graft("finetune", path, self.pictures, "-o", self.base / "sigmoid-run", "--epochs", 1, "--preprocess", "unit")
        self.assertIn('new head on 6 features in place of "classifier"', done.stderr)


if __name__ == "__main__":
    unittest.main()
