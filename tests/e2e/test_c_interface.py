"""The C interface, as an outside program uses it: the three examples, its symbols, and every way a call can fail."""
import ctypes as c
import json
import os
import pathlib
import re
import subprocess
import sys
import unittest

import numpy as np
from PIL import Image

from support import BUNDLED, GRAFT, ROOT, ScratchTest, graft, graft_json

BUILD = pathlib.Path(GRAFT).parent
EXAMPLES = ROOT / "docs" / "examples"


class Picture(c.Structure):
    _fields_ = [("path", c.c_char_p), ("bytes", c.c_void_p), ("byte_count", c.c_size_t), ("pixels", c.c_void_p), ("height", c.c_int64), ("width", c.c_int64)]


def run(*command):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


@unittest.skipUnless((BUILD / "CMakeCache.txt").is_file(), "the program does not lie in a build folder")
class CInterface(ScratchTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.prefix = cls.base / "prefix"
        run("cmake", "--install", BUILD, "--prefix", cls.prefix)
        cls.library = next(cls.prefix.rglob("libgraft_c.so.0"))
        cls.pictures = cls.base / "pictures"
        graft("generate", cls.pictures, "--set", "demo", "--train", 8, "--val", 3, "--quiet")
        cls.paths = sorted(map(str, (cls.pictures / "val").rglob("*.png")))
        cls.run_folder = cls.base / "run"
        graft("finetune", BUNDLED, cls.pictures, "-o", cls.run_folder, "--budget", 0, "--no-report", "--quiet")
        cls.model = cls.run_folder / "model.onnx"
        cls.c = c.CDLL(str(cls.library))
        for name in ("graft_last_error", "graft_rows_error", "graft_version", "graft_model_label"):
            getattr(cls.c, name).restype = c.c_char_p
        cls.c.graft_rows_get.restype = c.POINTER(c.c_float)
        cls.c.graft_rows_ood_score.restype = c.c_double
        for name in ("graft_rows_width", "graft_rows_count", "graft_model_label_count"):
            getattr(cls.c, name).restype = c.c_size_t

    def compile(self, source, compiler, *flags):
        program = self.base / pathlib.Path(source).stem
        run(compiler, *flags, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I", self.prefix / "include", EXAMPLES / source, "-o", program, "-L", self.library.parent, "-lgraft_c", f"-Wl,-rpath,{self.library.parent}")
        return program

    def test_the_c_example_names_what_classify_names(self):
        program = self.compile("classify.c", "cc", "-std=c11")
        expected = {r["path"]: r for r in graft_json("classify", self.model, self.pictures / "val")["results"]}
        lines = run(program, self.model, *self.paths).splitlines()
        self.assertEqual(len(lines), len(self.paths))
        for path, line in zip(self.paths, lines, strict=True):
            self.assertEqual(line, f"{path}: {expected[path]['label']} {expected[path]['score']:.4f}")

    def test_the_cpp_example_trains_what_finetune_trains(self):
        program = self.compile("train_head.cpp", "c++", "-std=c++17")
        told = run(program, BUNDLED, self.pictures, self.base / "head.onnx")
        best = json.loads((self.run_folder / "metrics.json").read_text())["best_val_top1"]
        self.assertEqual(told, f"6 classes, validation top-1 {best:.4f}\n")
        self.assertEqual(graft_json("evaluate", self.base / "head.onnx", self.pictures)["confusion"], graft_json("evaluate", self.model, self.pictures)["confusion"])

    def test_the_python_example_gives_what_extract_gives(self):
        graft("extract", self.model, *self.paths, "-o", self.base / "f.npy", "--quiet")
        lines = run(sys.executable, EXAMPLES / "features.py", self.library, self.model, *self.paths).splitlines()
        got = np.array([list(map(float, line.rsplit(": ", 1)[1].split())) for line in lines])
        np.testing.assert_allclose(got, np.load(self.base / "f.npy"), atol=2e-5)

    def test_examples_are_short(self):
        for name in ("classify.c", "train_head.cpp", "features.py"):
            self.assertLess(len((EXAMPLES / name).read_text().splitlines()), 60, name)

    def test_its_symbols_are_those_on_the_list(self):
        """What goes from the list breaks programs that are linked: raise the major version with it."""
        found = sorted(re.sub("@.*", "", line.split()[2]) for line in run("nm", "-D", "--defined-only", self.library).splitlines() if line.split()[1] != "A")
        self.assertEqual(found, (ROOT / "tests/fixtures/c_symbols.txt").read_text().split())
        declared = set(re.findall(r"GRAFT_C_API [^;(]*?(graft_\w+)\(", (ROOT / "include/graft/graft.h").read_text()))
        self.assertEqual(declared, set(found))

    def open(self, path=None):
        model = c.c_void_p()
        self.assertEqual(self.c.graft_model_open(os.fsencode(path or self.model), None, c.byref(model)), 0, self.c.graft_last_error())
        self.addCleanup(self.c.graft_model_close, model)
        return model

    def test_pictures_of_all_kinds_in_one_call(self):
        model, rows = self.open(), c.c_void_p()
        data = pathlib.Path(self.paths[1]).read_bytes()
        pixels = np.ascontiguousarray(Image.open(self.paths[2]).convert("RGB"))
        pictures = (Picture * 5)(Picture(path=self.paths[0].encode()), Picture(bytes=c.cast(c.c_char_p(data), c.c_void_p), byte_count=len(data)),
                                 Picture(pixels=pixels.ctypes.data, height=pixels.shape[0], width=pixels.shape[1]), Picture(path=b"/nowhere.png"), Picture(bytes=c.cast(c.c_char_p(b"x"), c.c_void_p), byte_count=1))
        self.assertEqual(self.c.graft_classify(model, pictures, c.c_size_t(5), c.byref(rows)), 0, self.c.graft_last_error())
        expected = [r["top"] for r in graft_json("classify", self.model, *self.paths[:3])["results"]]
        self.assertEqual((self.c.graft_rows_count(rows), self.c.graft_rows_width(rows)), (5, 6))
        for i, top in enumerate(expected):
            row = self.c.graft_rows_get(rows, c.c_size_t(i))
            for one in top:
                self.assertAlmostEqual(row[one["index"]], one["score"], places=5)
            self.assertIsNone(self.c.graft_rows_error(rows, c.c_size_t(i)))
        for i, said in ((3, b"nowhere.png"), (4, b"is not a JPEG")):
            self.assertFalse(self.c.graft_rows_get(rows, c.c_size_t(i)))
            self.assertIn(said, self.c.graft_rows_error(rows, c.c_size_t(i)))
        self.assertFalse(self.c.graft_rows_get(rows, c.c_size_t(99)))
        self.c.graft_rows_free(rows)

    def test_openmp_of_the_program_around_it_is_left_alone(self):
        """oneDNN shares libgomp with whoever else has it, NumPy or PyTorch, say."""
        openmp = c.CDLL("libgomp.so.1")
        graft("new", "alexnet", "-o", self.base / "alexnet.onnx", "--classes", 10, "--quiet")  # whose first layers are oneDNN's
        for threads in (3, 7):
            openmp.omp_set_num_threads(threads)
            for file in (self.model, self.base / "alexnet.onnx"):
                model = c.c_void_p()
                self.assertEqual(self.c.graft_model_open(str(file).encode(), None, c.byref(model)), 0)
                rows = c.c_void_p()
                picture = (Picture * 1)(Picture(path=self.paths[0].encode()))
                self.assertEqual(self.c.graft_features(model, None, picture, c.c_size_t(1), c.byref(rows)), 0, self.c.graft_last_error())
                self.c.graft_rows_free(rows)
                self.c.graft_model_close(model)
            self.assertEqual(openmp.omp_get_max_threads(), threads)

    def test_failures_have_a_status_and_a_line(self):
        model, out = self.open(), c.c_void_p()
        cases = ((2, self.c.graft_model_open, (b"/nowhere.onnx", None, c.byref(out)), b"nowhere.onnx"), (3, self.c.graft_model_open, (self.paths[0].encode(), None, c.byref(out)), b".png"), (1, self.c.graft_model_open, (None, None, c.byref(out)), b"path is NULL"),
                 (1, self.c.graft_classify, (None, None, c.c_size_t(0), c.byref(out)), b"model is NULL"), (1, self.c.graft_classify, (model, None, c.c_size_t(2), c.byref(out)), b"pictures is NULL"),
                 (2, self.c.graft_features, (model, b"no layer", None, c.c_size_t(0), c.byref(out)), b"no layer"), (2, self.c.graft_finetune, (model, b"/nowhere", 0, None, c.byref(out), None), b"nowhere"), (1, self.c.graft_finetune, (model, b"/", 7, None, c.byref(out), None), b"no such task"),
                 (8, self.c.graft_model_save, (model, b"/proc/none/m.onnx"), b"/proc/none"))
        for status, function, arguments, said in cases:
            self.assertEqual(function(*arguments), status, (function.__name__, arguments, self.c.graft_last_error()))
            self.assertIn(said, self.c.graft_last_error())
            self.assertFalse(out)
        self.assertEqual(self.c.graft_model_label_count(model), 6)
        self.assertIsNone(self.c.graft_model_label(model, c.c_size_t(6)))
        self.c.graft_model_close(None)
        self.c.graft_rows_free(None)

    def test_a_smaller_struct_of_an_older_caller_is_taken(self):
        class Compute(c.Structure):
            _fields_ = [("size", c.c_size_t), ("device", c.c_char_p)]
        model = c.c_void_p()
        self.assertEqual(self.c.graft_model_open(os.fsencode(self.model), c.byref(Compute(c.sizeof(Compute), b"cpu")), c.byref(model)), 0)
        self.c.graft_model_close(model)
        self.assertEqual(self.c.graft_model_open(os.fsencode(self.model), c.byref(Compute(0, b"cpu")), c.byref(model)), 1)


if __name__ == "__main__":
    unittest.main()
