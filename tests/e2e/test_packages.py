"""What scripts/package makes: an archive that runs from anywhere, a Debian package, a wheel that a new Python uses."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import unittest
import zipfile

import numpy as np

from support import BUNDLED, GRAFT, ROOT, ScratchTest, graft, graft_json

BUILD = pathlib.Path(GRAFT).parent


def run(*command, **more):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=900, **more)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


@unittest.skipUnless((BUILD / "CMakeCache.txt").is_file() and shutil.which("dpkg-shlibdeps"), "this is no build folder on a Debian")
class Packages(ScratchTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.output = cls.base / "packages"
        run(sys.executable, ROOT / "scripts/package", cls.output, BUILD)
        cls.archive, cls.deb, cls.wheel = (next(cls.output.glob(pattern)) for pattern in ("*.tar.gz", "*.deb", "*.whl"))
        cls.pictures = cls.base / "pictures"
        graft("generate", cls.pictures, "--set", "demo", "--train", 8, "--val", 3, "--quiet")
        cls.run_folder = cls.base / "run"
        graft("finetune", BUNDLED, cls.pictures, "-o", cls.run_folder, "--budget", 0, "--no-report", "--quiet")
        cls.paths = sorted(map(str, (cls.pictures / "val").rglob("*.png")))

    def test_the_archive_runs_from_where_it_is_unpacked(self):
        folder = self.base / "elsewhere"
        with tarfile.open(self.archive) as archive:
            archive.extractall(folder)
        prefix = next(folder.iterdir())
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.base)}
        for file in (prefix / "bin/graft", next(prefix.rglob("libgraft_c.so.0"))):
            outside = [path for name, path in re.findall(r"(\S+) => (/\S+)", run("ldd", file, env=environment)) if not path.startswith(str(prefix)) and not re.match(r"(libc|libm|libdl|libpthread|librt)\.so", name)]
            self.assertEqual(outside, [])
        # What is opened at run time has libraries of its own, oneDNN's OpenMP say: they are found by the program's RPATH.
        private = next(prefix.rglob("libdnnl.so.3")).parent
        for name in ("libdnnl.so.3", "libgeos_c.so.1", "libmicrohttpd.so.12", "libheif.so.1"):
            needed = {n for n, _ in re.findall(r"(\S+) => (/\S+)", run("ldd", private / name)) if not re.match(r"(libc|libm|libdl|libpthread|librt)\.so", n)}
            self.assertEqual({n for n in needed if not (private / n).exists()}, set(), name)
        told = json.loads(run(prefix / "bin/graft", "classify", self.run_folder, *self.paths, "--json", "--quiet", env=environment))
        self.assertEqual(told["results"], graft_json("classify", self.run_folder, *self.paths)["results"])
        findings = json.loads(run(prefix / "bin/graft", "doctor", "--json", env=environment))["findings"]
        self.assertEqual([f for f in findings if f["state"] == "wrong"], [])
        parts = json.loads((prefix / "share/doc/graft/graft.spdx.json").read_text())
        self.assertEqual(parts["spdxVersion"], "SPDX-2.3")
        listed = {part["packageFileName"] for part in parts["packages"] if "packageFileName" in part}
        libraries = {f"lib/graft/{path.name}" for path in prefix.rglob("lib*.so*") if path.parent.name == "graft" and not path.is_symlink() and "dnnl" not in path.name}
        self.assertLessEqual(libraries - {"lib/graft/libgraft_cuda.so"}, listed)
        for part in parts["packages"]:
            if "licenseComments" in part:
                self.assertTrue((prefix / part["licenseComments"]).read_text().strip(), part)

    def test_the_debian_package_names_what_it_needs(self):
        control = run("dpkg", "-I", self.deb)
        for needed in ("libc6", "libopencv-core406", "libprotobuf32", "Recommends: libmicrohttpd12"):
            self.assertIn(needed, control)
        listed = run("dpkg", "-c", self.deb)
        for path in ("./usr/bin/graft", "./usr/share/doc/graft/copyright", "libgraft_c.so.0", "libdnnl.so.3"):
            self.assertIn(path, listed)

    def test_a_new_python_uses_the_wheel(self):
        with zipfile.ZipFile(self.wheel) as wheel:
            self.assertIsNone(wheel.testzip())
        environment = self.base / "environment"
        run(sys.executable, "-m", "venv", environment)
        run(environment / "bin/pip", "install", "-q", "--no-index", "--no-deps", self.wheel)
        site = next((environment / "lib").glob("python*/site-packages"))
        (site / "numpy_of_the_tests.pth").write_text(str(pathlib.Path(np.__file__).parent.parent))
        self.assertEqual(run(environment / "bin/graft", "--version"), run(GRAFT, "--version"))
        script = self.base / "use.py"
        script.write_text(f"""
import graft, json, numpy, pathlib
paths = {self.paths!r}
model = graft.Model({str(self.run_folder)!r})
answers = model.classify(paths)
again = model.classify([pathlib.Path(paths[0]).read_bytes(), numpy.zeros((80, 70, 3), numpy.uint8), "/nowhere.png"])
numpy.save({str(self.base / "rows.npy")!r}, model.features(paths))
trained = graft.finetune({str(BUNDLED)!r}, {str(self.pictures)!r}, budget=0)
trained.save({str(self.base / "trained.onnx")!r})
try:
    graft.Model("/nowhere.onnx")
except graft.GraftError as error:
    status, text = error.status, str(error)
print(json.dumps([model.labels, model.task, [a.label for a in answers], [a.score for a in answers], again[0].score, again[1].error, again[2].error, trained.validation_score, status, text]))
""")
        labels, task, names, scores, first, none, error, score, status, text = json.loads(run(environment / "bin/python", script))
        expected = graft_json("classify", self.run_folder, *self.paths)["results"]
        self.assertEqual((labels, task), (["beam", "halfdisc", "heart", "pair", "sun", "wave"], "classes"))
        self.assertEqual(names, [one["label"] for one in expected])
        np.testing.assert_allclose(scores, [one["score"] for one in expected], atol=1e-5)
        self.assertAlmostEqual(first, scores[0], places=5)
        self.assertIsNone(none)
        self.assertIn("nowhere.png", error)
        self.assertEqual((status, "nowhere.onnx" in text), (2, True))
        graft("extract", self.run_folder, *self.paths, "-o", self.base / "expected.npy", "--quiet")
        np.testing.assert_allclose(np.load(self.base / "rows.npy"), np.load(self.base / "expected.npy"), rtol=1e-5, atol=1e-6)
        self.assertAlmostEqual(score, json.loads((self.run_folder / "metrics.json").read_text())["best_val_top1"], places=6)
        self.assertEqual(graft_json("classify", self.base / "trained.onnx", *self.paths)["results"][0]["label"], names[0])


if __name__ == "__main__":
    unittest.main()
