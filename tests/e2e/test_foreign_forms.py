"""Forms in which other tools write networks: TensorFlow's layout, labels in the graph, fused and quantised operators, fixed batches, several
classifiers. Each is compared with ONNX Runtime and fine-tuned."""
import json
import unittest

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from networks import SIDE, Net, NetworkTest, integers, random, weight
from support import graft, graft_json, session


class ForeignForms(NetworkTest):
    def test_channels_last_with_rescaling_inside(self):
        from PIL import Image
        path = self.base / "keras.onnx"
        net = Net()
        net.input = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", SIDE, SIDE, 3])
        scaled = net.add("Sub", [net.add("Div", ["image", net.constant(numpy_helper.from_array(np.float32(127.5), "half"))], "scaled"),
                                 net.constant(numpy_helper.from_array(np.float32(1), "one"))], "centred")
        net.dense(net.features(net.add("Transpose", [scaled], "first", perm=[0, 3, 1, 2])), "fc")
        net.save(path, net.add("Softmax", ["fc"], "y"))
        # Bytes as the file wants them, without an option: what Pillow's pixels give.
        shown = graft("classify", path, self.picture, "--format", "jsonl", "--top", 10, "--resize", 0)
        self.assertIn("scales pictures itself", shown.stderr)
        pixels = np.asarray(Image.open(self.picture).convert("RGB"))
        top, left = (pixels.shape[0] - SIDE) // 2, (pixels.shape[1] - SIDE) // 2
        x = pixels[None, top:top + SIDE, left:left + SIDE].astype(np.float32)
        expected = session(path).run(None, {"image": x})[0][0]
        answers = {a["label"]: a["score"] for a in json.loads(shown.stdout)["top"]}
        for i, p in enumerate(expected):
            self.assertAlmostEqual(answers[str(i)], float(p), places=4)
        said, _ = self.finetune(path, "--freeze", "none")
        self.assertIn('comes on top', said)
        # What was trained still takes N×H×W×C.
        trained = self.base / "run" / "model.onnx"
        self.assertEqual([d.dim_value for d in onnx.load(trained).graph.input[0].type.tensor_type.shape.dim][1:], [SIDE, SIDE, 3])
        y, peer = self.infer(trained, x), session(trained)
        self.assertLess(np.abs(y - peer.run(None, {peer.get_inputs()[0].name: x})[0]).max(), 1e-4)

    def test_bytes_channels_last_resized_inside(self):
        path = self.base / "bytes.onnx"
        net = Net()
        net.input = helper.make_tensor_value_info("image", TensorProto.UINT8, [1, "h", "w", 3])
        first = net.add("Transpose", [net.add("Cast", ["image"], "floats", to=TensorProto.FLOAT)], "first", perm=[0, 3, 1, 2])
        small = net.add("Resize", [first, "", "", net.constant(integers("sizes", 1, 3, SIDE, SIDE))], "small", mode="linear")
        unit = net.add("Div", [small, net.constant(numpy_helper.from_array(np.float32(255), "most"))], "unit")
        net.save(path, net.dense(net.features(unit), "fc"))
        x = random.integers(0, 256, (2, 48, 40, 3), dtype=np.uint8)
        expected = np.concatenate([session(path).run(None, {"image": x[i:i + 1]})[0] for i in range(2)])
        self.assertLess(np.abs(self.infer(path, x) - expected).max(), 1e-4 * np.abs(expected).max())
        # Whatever is said of its preprocessing, bytes go in.
        said, _ = self.finetune(path)
        self.assertIn("bytes", said)
        proto = onnx.load(self.base / "run" / "model.onnx").graph.input[0].type.tensor_type
        self.assertEqual((proto.elem_type, proto.shape.dim[3].dim_value), (TensorProto.UINT8, 3))

    def test_names_in_the_graph_become_labels(self):
        path = self.base / "vision.onnx"
        net = Net(opset=11, other_domains=[("ai.onnx.ml", 1)])
        net.dense(net.features(), "fc", into=3)
        net.add("Softmax", ["fc"], "p", axis=1)
        net.add("ZipMap", ["p"], "loss", domain="ai.onnx.ml", classlabels_strings=["cat", "dog", "rabbit"])
        net.add("ArgMax", ["p"], "best", axis=1, keepdims=1)
        net.constant(helper.make_tensor("names", TensorProto.STRING, [3], ["cat", "dog", "rabbit"]))
        net.add("ArrayFeatureExtractor", ["names", "best"], "label", domain="ai.onnx.ml")
        net.save(path, types=[helper.make_tensor_value_info("label", TensorProto.STRING, None),
                              helper.make_value_info("loss", helper.make_sequence_type_proto(
                                  helper.make_map_type_proto(TensorProto.STRING, helper.make_tensor_type_proto(TensorProto.FLOAT, None))))])
        shown = json.loads(graft("classify", path, self.picture, "--format", "jsonl", "--preprocess", "unit", "--quiet").stdout)
        self.assertIn(shown["label"], ("cat", "dog", "rabbit"))
        x = random.standard_normal((2, 3, SIDE, SIDE)).astype(np.float32)
        expected = [session(path).run(None, {"x": x[i:i + 1]})[1][0] for i in range(2)]
        y = self.infer(path, x)
        for row, names in zip(y, expected):
            np.testing.assert_allclose(row, [names[n] for n in ("cat", "dog", "rabbit")], atol=1e-5)
        self.assert_head(path, 24, '"fc"')

    def assert_head(self, path, width, replaced):
        said, _ = self.finetune(path)
        self.assertIn(f"new head on {width} features in place of {replaced}", said)

    def test_scores_behind_classes_and_best_few(self):
        for name in ("classes", "best"):
            with self.subTest(name):
                path = self.base / f"{name}.onnx"
                net = Net()
                net.add("Softmax", [net.dense(net.features(), "fc")], "p", axis=1)
                if name == "classes":
                    net.add("ArgMax", ["p"], "label", axis=1, keepdims=0)
                    net.save(path, types=[helper.make_tensor_value_info("label", TensorProto.INT64, None), helper.make_tensor_value_info("p", TensorProto.FLOAT, None)])
                else:
                    net.add("TopK", ["p", net.constant(integers("k", 5))], ["values", "indices"], axis=1)
                    net.save(path, types=[helper.make_tensor_value_info("values", TensorProto.FLOAT, None), helper.make_tensor_value_info("indices", TensorProto.INT64, None)])
                shown = graft("classify", path, self.picture, "--format", "jsonl", "--preprocess", "unit", "--top", 10)
                self.assertIn("worked out of scores", shown.stderr)
                self.assertEqual(len(json.loads(shown.stdout)["top"]), 10)
                self.assertAlmostEqual(sum(a["score"] for a in json.loads(shown.stdout)["top"]), 1, places=4)
                self.assert_head(path, 24, '"fc"')

    def test_batches_that_were_fixed_are_open(self):
        for name in ("class_token", "sequence_first", "windows", "strided"):
            with self.subTest(name):
                path = self.base / f"{name}.onnx"
                net = Net(batch=1)
                if name == "class_token":
                    x = net.add("Concat", [net.constant(weight("cls", 1, 1, 24)), net.tokens(1)], "joined", axis=1)
                    x = net.add("ReduceMean", [x], "mean", axes=[1], keepdims=0)
                elif name == "sequence_first":
                    x = net.add("Transpose", [net.tokens(1)], "seq", perm=[1, 0, 2])
                    heads = net.add("Reshape", [x, net.constant(integers("to_heads", 4, 3, 8))], "heads")
                    heads = net.add("Transpose", [heads], "heads_first", perm=[1, 0, 2])
                    scores = net.add("Softmax", [net.add("MatMul", [heads, net.add("Transpose", [heads], "keys", perm=[0, 2, 1])], "scores")], "weights", axis=-1)
                    mixed = net.add("Transpose", [net.add("MatMul", [scores, heads], "mixed")], "back", perm=[1, 0, 2])
                    merged = net.add("Reshape", [mixed, net.constant(integers("to_seq", 4, 1, 24))], "merged")
                    x = net.add("ReduceMean", [merged], "mean", axes=[0], keepdims=0)
                elif name == "windows":
                    rows = net.add("Reshape", [net.tokens(1), net.constant(integers("to_windows", 2, 2, 24))], "windows")
                    scores = net.add("MatMul", [rows, net.add("Transpose", [rows], "keys", perm=[0, 2, 1])], "scores")
                    masked = net.add("Add", [scores, net.constant(weight("mask", 2, 2, 2))], "masked")
                    mixed = net.add("MatMul", [net.add("Softmax", [masked], "weights", axis=-1), rows], "mixed")
                    merged = net.add("Reshape", [mixed, net.constant(integers("to_tokens", 1, 4, 24))], "merged")
                    x = net.add("ReduceMean", [merged], "mean", axes=[1], keepdims=0)
                else:
                    flat = net.add("Reshape", [net.maps(), net.constant(integers("all", -1))], "all_flat")
                    places = np.arange(96).reshape(1, 24, 2, 2).transpose(0, 2, 3, 1)
                    last = net.add("Gather", [flat, net.constant(numpy_helper.from_array(np.ascontiguousarray(places), "places"))], "last")
                    x = net.add("ReduceMean", [last], "mean", axes=[1, 2], keepdims=0)
                net.save(path, net.dense(x, "fc"))
                self.assertTrue(graft_json("inspect", path)["batch_opened"])
                self.assert_equals_onnx_runtime(path, pictures=3, one_by_one=True)
                self.assert_trains_whole(path, 24, '"fc"')

    def test_batches_that_cannot_be_open_run_one_by_one(self):
        path = self.base / "squeezed.onnx"
        net = Net(batch=1)
        alone = net.add("Squeeze", [net.tokens(1), net.constant(integers("zero", 0))], "alone")  # 4×24: no batch
        net.save(path, net.dense(net.add("ReduceMean", [alone], "mean", axes=[0], keepdims=1), "fc"))
        self.assertFalse(graft_json("inspect", path)["batch_opened"])
        self.assert_equals_onnx_runtime(path, pictures=3, one_by_one=True)
        said, _ = self.finetune(path, "--freeze", "none")
        self.assertIn("batches hold one picture", said)
        # The file still says one picture.
        self.assertEqual(onnx.load(self.base / "run" / "model.onnx").graph.input[0].type.tensor_type.shape.dim[0].dim_value, 1)

    def test_heads_that_are_averaged_normalised_or_picked(self):
        def two(net):
            x = net.features()
            total = net.add("Add", [net.dense(x, "a"), net.dense(x, "b")], "sum")
            return net.add("Div", [total, net.constant(numpy_helper.from_array(np.float32(2), "two"))], "y")

        def ensemble(net):
            parts = [net.add("Softmax", [net.dense(net.features("x", p), p + "fc")], p + "p", axis=1) for p in ("", "other.")]
            return net.add("Mean", parts, "y")

        def cosine(net):
            x = net.add("LpNormalization", [net.features()], "unit", axis=1, p=2)
            w = net.add("Transpose", [net.add("LpNormalization", [net.constant(weight("w", 10, 24))], "unit_w", axis=1, p=2)], "w_t", perm=[1, 0])
            return net.add("Mul", [net.add("MatMul", [x, w], "fc"), net.constant(numpy_helper.from_array(np.float32(20), "scale"))], "y")

        def zero_shot(net):
            x = net.add("MatMul", [net.features(), net.constant(weight("projection", 24, 16))], "projected")
            x = net.add("Div", [x, net.add("ReduceL2", [x], "norm", axes=[-1], keepdims=1)], "unit")
            return net.add("MatMul", [x, net.constant(weight("text", 16, 10))], "fc")

        def token(net):
            scores = net.add("Add", [net.add("MatMul", [net.tokens(), net.constant(weight("w", 24, 10))], "fc"), net.constant(weight("b", 10))], "biased")
            return net.add("Gather", [scores, net.constant(numpy_helper.from_array(np.int64(0), "first"))], "y", axis=1)

        def mean_of_tokens(net):
            scores = net.add("MatMul", [net.tokens(), net.constant(weight("w", 24, 10))], "fc")
            return net.add("ReduceMean", [scores], "y", axes=[1], keepdims=0)

        for build, width, replaced in ((two, 24, '"a" and "b"'), (ensemble, 48, '"fc" and "other.fc"'), (cosine, 24, '"fc"'), (zero_shot, 24, '"fc"'),
                                       (token, 24, '"fc"'), (mean_of_tokens, 24, '"fc"')):
            with self.subTest(build.__name__):
                net = Net()
                path = net.save(self.base / f"{build.__name__}.onnx", build(net))
                self.assert_equals_onnx_runtime(path)
                self.assert_trains_whole(path, width, replaced)

    def test_weights_that_are_standardised_train(self):
        path = self.base / "standardised.onnx"
        net = Net()
        rows = net.add("Reshape", [net.constant(weight("conv0.w", 8, 3, 3, 3)), net.constant(integers("to_rows", 1, 8, -1))], "w_rows")
        statistics = [net.constant(numpy_helper.from_array(v, n)) for n, v in (("mean", np.zeros(8, np.float32)), ("var", np.ones(8, np.float32)))]
        net.add("BatchNormalization", [rows, net.constant(weight("gain", 8)), net.constant(weight("shift", 8)), *statistics], ["standard", "m", "v"], training_mode=1,
                epsilon=1e-6)
        w = net.add("Reshape", ["standard", net.constant(integers("to_w", 8, 3, 3, 3))], "w")
        x = net.add("Relu", [net.add("Conv", ["x", w], "conv0", kernel_shape=[3, 3], strides=[4, 4])], "relu")
        net.save(path, net.dense(net.add("Flatten", [net.add("GlobalAveragePool", [x], "pool")], "flat"), "fc", out_of=8))
        self.assert_equals_onnx_runtime(path)
        self.assert_trains_whole(path, 8, '"fc"')

    def test_batch_norms_in_training_mode(self):
        path = self.base / "training.onnx"
        net = Net()
        x = net.maps()
        numbers = [net.constant(numpy_helper.from_array(v.astype(np.float32), n)) for n, v in
                   (("gain", np.ones(24)), ("shift", np.zeros(24)), ("mean", np.zeros(24)), ("var", np.full(24, 4.0)))]
        net.add("BatchNormalization", [x, *numbers], ["norm", "m", "v"], training_mode=1)
        net.save(path, net.dense(net.add("Flatten", [net.add("GlobalAveragePool", ["norm"], "pool")], "flat"), "fc"))
        self.assert_equals_onnx_runtime(path, tolerance=1e-4)  # the batch's statistics, as the file says
        shown = graft("classify", path, self.picture, "--preprocess", "unit")
        self.assertIn("running statistics", shown.stderr)

    def test_operators_of_other_domains_and_dimensions(self):
        for name, build in operators().items():
            with self.subTest(name):
                net = Net(opset=18, other_domains=[("com.microsoft", 1)])
                path = net.save(self.base / "operator.onnx", build(net))
                self.assert_equals_onnx_runtime(path)

    def test_what_onnx_runtime_quantises_and_optimises(self):
        import onnxruntime
        from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

        class Reader(CalibrationDataReader):
            def __init__(self):
                self.left = [{"x": random.standard_normal((1, 3, SIDE, SIDE)).astype(np.float32)} for _ in range(4)]

            def get_next(self):
                return self.left.pop() if self.left else None

        net = Net(opset=13)
        plain = net.save(self.base / "plain.onnx", net.add("Softmax", [net.dense(net.features(), "fc")], "y", axis=1))
        for form in (QuantFormat.QOperator, QuantFormat.QDQ):
            path = self.base / f"{form}.onnx"
            quantize_static(plain, path, Reader(), quant_format=form)
            self.assert_equals_onnx_runtime(path, tolerance=0.02)  # one step of eight bits: sums round otherwise
            self.assert_head(path, 24, '"fc')
        path = self.base / "dynamic.onnx"
        quantize_dynamic(plain, path, weight_type=QuantType.QUInt8)
        self.assert_equals_onnx_runtime(path, tolerance=1e-4)
        self.assert_head(path, 24, '"fc')
        for level, fits in ((onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED, True), (onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL, False)):
            options = onnxruntime.SessionOptions()
            options.graph_optimization_level, options.optimized_model_filepath = level, str(self.base / "optimised.onnx")
            onnxruntime.InferenceSession(str(plain), options, providers=["CPUExecutionProvider"])
            path = self.base / "optimised.onnx"
            if fits or not any(n.domain == "com.microsoft.nchwc" for n in onnx.load(path).graph.node):
                self.assert_equals_onnx_runtime(path)
            else:
                refused = graft("inspect", path, check=False)
                self.assertIn("lower optimisation level", refused.stderr)


def operators():
    """Networks around one operator each."""
    def microsoft(kind, more=lambda net: [], **attributes):
        return lambda net: net.dense(net.add("ReduceMean", [net.add(kind, [net.tokens(), *more(net)], "op", domain="com.microsoft", **attributes),
                                                            net.constant(integers("axes", 1))], "mean", keepdims=0), "fc")

    def on_tokens(kind, more=lambda net: [], **attributes):
        return lambda net: net.dense(net.add("ReduceMean", [net.add(kind, [net.tokens(), *more(net)], "op", **attributes), net.constant(integers("axes", 1))],
                                             "mean", keepdims=0), "fc", out_of=attributes.get("width", 24))

    def row(name, size=24):
        return lambda net: net.constant(weight(name, size))

    def recurrent(kind, gates, outputs, **attributes):
        def build(net):
            directions = 2 if attributes.get("direction") == "bidirectional" else 1
            sequence = net.add("Transpose", [net.tokens()], "sequence", perm=[1, 0, 2])
            w, r, b = (net.constant(weight(n, directions, *shape)) for n, shape in (("w", (gates * 6, 24)), ("r", (gates * 6, 6)), ("b", (2 * gates * 6,))))
            net.add(kind, [sequence, w, r, b], outputs, hidden_size=6, **attributes)
            made = next(o for o in outputs if o)
            lengths = {"states": 2, "last": 1, "cell": 1}[made]
            if lengths == 2:
                made = net.add("Squeeze", [net.add("Slice", [made, *[net.constant(integers(n, v)) for n, v in (("from", -1), ("to", 2**62), ("axis", 0))]], "end"),
                                           net.constant(integers("steps", 0))], "end_state")
            flat = net.add("Reshape", [net.add("Transpose", [made], "rows_first", perm=[1, 0, 2]), net.constant(integers("flat_shape", 0, -1))], "flat_state")
            return net.dense(flat, "fc", out_of=6 * directions)
        return build

    def scattered(net):
        tokens = net.tokens()
        mask = net.constant(numpy_helper.from_array(np.zeros((1, 4, 24), np.float32), "zeros"))
        patch = net.add("ScatterND", [mask, net.constant(numpy_helper.from_array(np.array([[0, 2], [0, -1]], np.int64), "places")),
                                      net.constant(weight("updates", 2, 24))], "scattered")
        return net.dense(net.add("ReduceMean", [net.add("Add", [tokens, patch], "sum"), net.constant(integers("axes", 1))], "mean", keepdims=0), "fc")

    def scattered_elements(net):
        places = net.constant(numpy_helper.from_array(np.array([[[0] * 24, [3] * 24]], np.int64), "places"))
        zeros = net.constant(numpy_helper.from_array(np.zeros((1, 4, 24), np.float32), "zeros"))
        op = net.add("ScatterElements", [zeros, places, net.constant(weight("updates", 1, 2, 24))], "op", axis=1)
        return net.dense(net.add("ReduceMean", [net.add("Mul", [net.tokens(), op], "product"), net.constant(integers("axes", 1))], "mean", keepdims=0), "fc")

    def folded(net):
        columns = net.add("Reshape", [net.maps(), net.constant(integers("columns", -1, 24, 4))], "as_columns")  # 6 channels of 2×2 blocks at 2×2 places
        image = net.add("Col2Im", [columns, net.constant(integers("image", 3, 3)), net.constant(integers("block", 2, 2))], "op")
        return net.dense(net.add("Flatten", [image], "flat"), "fc", out_of=54)

    def one_dimension(kind, **attributes):
        def build(net):
            more = [net.constant(weight("w1", 24, 24, 2)), net.constant(weight("b1", 24))] if kind == "Conv" else []
            rows = net.add("Transpose", [net.tokens()], "channels", perm=[0, 2, 1])
            return net.dense(net.add("ReduceMean", [net.add(kind, [rows, *more], "op", **attributes), net.constant(integers("axes", 2))], "mean", keepdims=0), "fc")
        return build

    def three_dimensions(kernel, pads, strides, dilations):
        def build(net):
            volume = net.add("Reshape", ["x", net.constant(integers("volume", -1, 3, 4, 8, 32))], "as_volume")
            op = net.add("Conv", [volume, net.constant(weight("w3", 24, 3, *kernel)), net.constant(weight("b3", 24))], "op", pads=pads, strides=strides,
                         dilations=dilations)
            return net.dense(net.add("ReduceMean", [op, net.constant(integers("axes", 2, 3, 4))], "mean", keepdims=0), "fc")
        return build

    def hot(net):
        places = net.constant(numpy_helper.from_array(np.array([0, 2, -1, 9], np.int64), "places"))
        op = net.add("OneHot", [places, net.constant(numpy_helper.from_array(np.int64(24), "depth")), net.constant(numpy_helper.from_array(np.array([-1, 2], np.float32), "values"))],
                     "op", axis=-1)
        return net.dense(net.add("ReduceMean", [net.add("Add", [net.tokens(), op], "sum"), net.constant(integers("axes", 1))], "mean", keepdims=0), "fc")

    def fused_convolution(net):
        x = net.add("FusedConv", ["x", net.constant(weight("w", 24, 3, 3, 3)), net.constant(weight("b", 24))], "op", domain="com.microsoft", activation="LeakyRelu",
                    activation_params=[0.2], strides=[4, 4])
        return net.dense(net.add("Flatten", [net.add("GlobalAveragePool", [x], "pool")], "flat"), "fc")

    def attention(net):
        w, b = net.constant(weight("qkv", 24, 72)), net.constant(weight("qkv_b", 72))
        op = net.add("Attention", [net.tokens(), w, b], "op", domain="com.microsoft", num_heads=3)
        return net.dense(net.add("ReduceMean", [op, net.constant(integers("axes", 1))], "mean", keepdims=0), "fc")

    def skip(net):
        op = net.add("SkipLayerNormalization", [net.tokens(), "tokens", row("g")(net), row("b")(net)], "op", domain="com.microsoft", epsilon=1e-5)
        return net.dense(net.add("ReduceMean", [op, net.constant(integers("axes", 1))], "mean", keepdims=0), "fc")

    def products(net):
        t = net.tokens()
        op = net.add("FusedMatMul", [net.add("FusedMatMul", [t, t], "scores", domain="com.microsoft", transB=1, alpha=0.5), t], "op", domain="com.microsoft")
        return net.dense(net.add("ReduceMean", [op, net.constant(integers("axes", 1))], "mean", keepdims=0), "fc")

    def dynamic(net):
        op = net.add("DynamicQuantizeMatMul", [net.tokens(), net.constant(numpy_helper.from_array(random.integers(0, 255, (24, 24), dtype=np.uint8), "w8")),
                                               net.constant(numpy_helper.from_array(np.float32(0.01), "w8_scale")),
                                               net.constant(numpy_helper.from_array(np.uint8(128), "w8_zero"))], "op", domain="com.microsoft")
        return net.dense(net.add("ReduceMean", [op, net.constant(integers("axes", 1))], "mean", keepdims=0), "fc")

    return {
        "Gelu": microsoft("Gelu"), "FastGelu": microsoft("FastGelu"), "QuickGelu": microsoft("QuickGelu", alpha=1.702),
        "BiasGelu": microsoft("BiasGelu", lambda n: [row("bias")(n)]), "SkipLayerNormalization": skip, "FusedMatMul": products,
        "FusedConv": fused_convolution, "Attention": attention, "DynamicQuantizeMatMul": dynamic,
        "LSTM": recurrent("LSTM", 4, ["states"], direction="bidirectional"), "LSTM last": recurrent("LSTM", 4, ["", "last"], direction="bidirectional"),
        "LSTM cell": recurrent("LSTM", 4, ["", "", "cell"], direction="reverse"), "GRU": recurrent("GRU", 3, ["states"]),
        "GRU reset": recurrent("GRU", 3, ["", "last"], linear_before_reset=1, direction="reverse"), "RNN": recurrent("RNN", 1, ["states"], direction="bidirectional"),
        "ScatterND": scattered, "ScatterElements": scattered_elements, "Col2Im": folded, "OneHot": hot,
        "Conv over one": one_dimension("Conv", kernel_shape=[2], pads=[1, 0], strides=[2]), "AveragePool over one": one_dimension("AveragePool", kernel_shape=[3], pads=[1, 1]),
        "MaxPool over one": one_dimension("MaxPool", kernel_shape=[2], strides=[2]),
        "Conv over three": three_dimensions([3, 2, 3], [1, 0, 2, 0, 1, 1], [2, 1, 3], [1, 2, 2]), "Conv over two of three": three_dimensions([3, 1, 3], [1, 0, 1, 1, 0, 1], [1, 1, 1], [1, 1, 1]),
    }


if __name__ == "__main__":
    unittest.main()
