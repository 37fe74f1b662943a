"""Raw tensors through `infer`, several of them, and models beyond what one message can hold."""
import pathlib
import resource
import unittest

import numpy as np
import onnx
from onnx import TensorProto, helper

from support import ScratchTest, graft, graft_json, session


class TensorsAndSizes(ScratchTest):
    def save(self, name, array):
        np.save(self.base / f"{name}.npy", array)
        return self.base / f"{name}.npy"

    def test_several_inputs_and_outputs_agree_with_onnx_runtime(self):
        value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        nodes = [helper.make_node("GlobalAveragePool", ["picture"], ["pooled"]), helper.make_node("Flatten", ["pooled"], ["features"]),
                 helper.make_node("Concat", ["features", "extra"], ["both"], axis=1), helper.make_node("Softmax", ["both"], ["scores"], axis=1)]
        graph = helper.make_graph(nodes, "two", [value("picture", ["N", 3, "H", "W"]), value("extra", ["N", 4])], [value("scores", ["N", 7]), value("features", ["N", 3])])
        path = self.base / "two.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
        random = np.random.default_rng(3)
        picture, extra = random.standard_normal((2, 3, 5, 6), dtype=np.float32), random.standard_normal((2, 4), dtype=np.float32)
        graft("infer", path, "--input", f"extra={self.save('e', extra)}", "--input", self.save("p", picture),
              "--output", f"features={self.base / 'f.npy'}", "--output", self.base / "s.npy")
        scores, features = session(path).run(None, {"picture": picture, "extra": extra})
        np.testing.assert_allclose(np.load(self.base / "s.npy"), scores, atol=1e-6)
        np.testing.assert_allclose(np.load(self.base / "f.npy"), features, atol=1e-6)
        missing = graft("infer", path, "--input", self.base / "p.npy", "--output", self.base / "s.npy", check=False)
        self.assertEqual(missing.returncode, 1)
        self.assertIn('input "extra"', missing.stderr)
        surplus = graft("infer", path, *(["--input", self.base / "p.npy"] * 3), "--output", self.base / "s.npy", check=False)
        self.assertIn("only 2 inputs", surplus.stderr)

    def test_a_network_that_leaves_its_only_size_open_runs_at_it(self):
        """37×211 is no size to guess: the array that is given says it."""
        value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        random = np.random.default_rng(4)
        weight = random.standard_normal((2 * 37 * 211, 3), dtype=np.float32) / 100
        nodes = [helper.make_node("Flatten", ["x"], ["rows"]), helper.make_node("MatMul", ["rows", "w"], ["y"])]
        graph = helper.make_graph(nodes, "one", [value("x", ["N", 2, "H", "W"])], [value("y", ["N", 3])], [onnx.numpy_helper.from_array(weight, "w")])
        path = self.base / "one.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
        x = random.standard_normal((2, 2, 37, 211), dtype=np.float32)
        for given in (self.save("x", x), f"x={self.save('x', x)}"):
            graft("infer", path, "--input", given, "--output", self.base / "y.npy")
            np.testing.assert_allclose(np.load(self.base / "y.npy"), session(path).run(None, {"x": x})[0], atol=1e-4)
        other = graft("infer", path, "--input", self.save("z", x[:, :, 1:]), "--output", self.base / "y.npy", check=False)
        self.assertEqual(other.returncode, 1)
        self.assertIn("takes 15614 features", other.stderr)
        np.save(self.base / "f.npy", np.asfortranarray(x))
        self.assertIn("Fortran order", graft("infer", path, "--input", self.base / "f.npy", "--output", self.base / "y.npy", check=False).stderr)
        self.assertIn("cannot be opened", graft("infer", path, "--input", self.base / ("n" * 300), "--output", self.base / "y.npy", check=False).stderr)

    def test_a_loop_over_rows_runs_as_often_as_there_are(self):
        """Its count is the height that the file leaves open; what graft writes is for one size, and says so."""
        path = pathlib.Path(__file__).parents[1] / "fixtures/loops/recurrence.onnx"
        random = np.random.default_rng(5)
        for shape in ((1, 1, 1, 3), (2, 1, 24, 31), (3, 1, 100, 7)):
            x = random.standard_normal(shape, dtype=np.float32)
            expected = session(path).run(None, {"x": x})[0]
            graft("infer", path, "--input", self.save("x", x), "--output", self.base / "y.npy")
            np.testing.assert_allclose(np.load(self.base / "y.npy"), expected, atol=1e-6)
        written = self.base / "written.onnx"
        self.assertIn("takes pictures of 224×224 alone", graft("export", path, "-o", written).stderr)
        onnx.checker.check_model(written, full_check=True)
        x = random.standard_normal((2, 1, 224, 224), dtype=np.float32)
        expected = session(path).run(None, {"x": x})[0]
        np.testing.assert_allclose(session(written).run(None, {"x": x})[0], expected, atol=1e-6)

    def test_a_model_over_two_gibibytes_by_external_data(self):
        """Most of the file beside it is a hole: it takes no space on the disk, but is read like any other."""
        rows, columns = 790_000, 768
        size = rows * columns * 4
        self.assertGreater(size, 2 << 30)
        data = self.base / "large.onnx.data"
        last = np.arange(columns, dtype=np.float32)
        with open(data, "wb") as f:
            f.truncate(size)
            f.seek(size - last.nbytes)
            f.write(last.tobytes())
        weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[rows, columns], data_location=TensorProto.EXTERNAL)
        for key, text in (("location", data.name), ("offset", "0"), ("length", str(size))):
            weight.external_data.add(key=key, value=text)
        value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        nodes = [helper.make_node("Flatten", ["x"], ["flat"]), helper.make_node("Gemm", ["flat", "w"], ["y"], transB=1)]
        graph = helper.make_graph(nodes, "large", [value("x", ["N", 3, 16, 16])], [value("y", ["N", rows])], [weight])
        path = self.base / "large.onnx"
        path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString())

        self.assertEqual(graft_json("inspect", path)["parameters"], rows * columns)
        self.assertLess(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024, 1.2 * size)
        x = np.linspace(-1, 1, columns, dtype=np.float32).reshape(1, 3, 16, 16)
        graft("infer", path, "--input", self.save("x", x), "--output", self.base / "y.npy")
        y = np.load(self.base / "y.npy")
        self.assertEqual(np.flatnonzero(y).tolist(), [rows - 1])
        np.testing.assert_allclose(y[0, -1], np.dot(last.astype(np.float64), x.reshape(-1).astype(np.float64)), rtol=1e-5)
        # Written again it must go beside its model too, unasked.
        again = self.base / "again.onnx"
        graft("export", path, "-o", again, "--quiet")
        self.assertEqual((self.base / "again.onnx.data").stat().st_size, size)
        (self.base / "again.onnx.data").unlink()
        gone = graft("inspect", again, check=False)
        self.assertEqual(gone.returncode, 1)
        self.assertIn("again.onnx.data", gone.stderr)


if __name__ == "__main__":
    unittest.main()
