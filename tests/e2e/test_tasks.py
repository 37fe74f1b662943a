"""Pictures with several labels, and with measured values: from the CSV to the finished model."""
import csv
import json
import unittest

import numpy as np
from PIL import Image

from support import BUNDLED, ScratchTest, graft, graft_json

# The bundled trunk was trained not to care for light, so all of it learns anew.
WHOLE = ("--augment", "none", "--freeze", "none", "--trunk-lr-scale", 1, "--optimizer", "adam", "--lr", 0.003)


class Tasks(ScratchTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        graft("generate", cls.base / "pictures", "--set", "demo", "--train", 20, "--val", 8, "--quiet")
        cls.pictures = sorted((cls.base / "pictures").rglob("*.png"))

    def table(self, name, header, field):
        """A CSV beside the pictures; `field` makes the label of a picture from its path and pixels."""
        lines = [header]
        for path in self.pictures:
            split = "val" if "val" in path.parts else "train"
            lines.append(f"{path.relative_to(self.base)},{field(path, np.asarray(Image.open(path), dtype=np.float64))},{split}")
        (self.base / name).write_text("\n".join(lines) + "\n")
        return self.base / name

    def test_regression_learns_values_in_their_own_units(self):
        data = self.table("light.csv", "path,light;red,split", lambda _, pixels: f"{1000 + 10 * pixels.mean():.3f};{pixels[..., 0].mean() / 255:.5f}")
        run = self.base / "regression"
        report = graft_json("finetune", BUNDLED, data, "-o", run, "--task", "regression", "--epochs", 20, *WHOLE)
        self.assertEqual(report["task"], "regression")
        self.assertEqual(report["classes"], ["light", "red"])
        self.assertGreater(report["best_val_r2"], 0.9)
        self.assertTrue((run / "history.csv").read_text().startswith("epoch,train_loss,val_loss,val_r2,val_mae,lr,seconds"))
        # The finished model answers in the file's units, also through ONNX Runtime's eyes: evaluate sees no scaling.
        result = graft_json("evaluate", run / "model.onnx", data)
        self.assertAlmostEqual(result["r2"], report["best_val_r2"], places=4)
        self.assertLess(result["mae"], 300)
        self.assertLessEqual(result["r2_interval"][0], result["r2"])
        self.assertAlmostEqual(sum(of["r2"] for of in result["per_value"]) / 2, result["r2"])
        graft("evaluate", run, data, "--pictures", self.base / "values.csv", "--curves", self.base / "values.svg", "--quiet")
        rows = list(csv.DictReader((self.base / "values.csv").read_text().splitlines()))
        missed = sum(abs(float(row[name]) - float(row["true " + name])) for row in rows for name in ("light", "red")) / 2 / len(rows)
        self.assertAlmostEqual(missed, result["mae"], delta=1e-3 * result["mae"])
        line = json.loads(graft("classify", run / "model.onnx", self.pictures[0], "--format", "jsonl", "--quiet").stdout)
        self.assertEqual([t["label"] for t in line["top"]], ["light", "red"])
        self.assertTrue(1000 < line["top"][0]["score"] < 3600)
        for loss in ("mae", "smooth-l1", "huber"):
            other = graft_json("finetune", BUNDLED, data, "-o", self.base / loss, "--task", "regression", "--loss", loss, "--epochs", 8, "--no-report", *WHOLE)
            self.assertGreater(other["best_val_r2"], 0.5, loss)

    def test_several_labels_a_picture(self):
        def labels(path, pixels):
            marks = [path.parent.name] if path.parent.name in ("heart", "wave") else []
            if pixels.mean() > 110:
                marks.append("bright")
            return ";".join(marks)

        data = self.table("labels.csv", "path,labels,split", labels)
        run = self.base / "labels"
        report = graft_json("finetune", BUNDLED, data, "-o", run, "--task", "multi-label", "--epochs", 12, "--mixup", 0.2, *WHOLE)
        self.assertEqual(report["classes"], ["bright", "heart", "wave"])
        self.assertGreater(report["best_val_map"], 0.5)  # chance: 0.28
        result = graft_json("evaluate", run / "model.onnx", data)
        self.assertAlmostEqual(result["map"], report["best_val_map"], places=6)
        line = json.loads(graft("classify", run / "model.onnx", self.pictures[0], "--format", "jsonl", "--quiet").stdout)
        self.assertTrue(all(0 <= t["score"] <= 1 for t in line["top"]))
        self.assertNotAlmostEqual(sum(t["score"] for t in line["top"]), 1, places=3)

    def test_bad_tables_get_one_clear_line(self):
        words = self.table("words.csv", "path,light", lambda path, _: path.parent.name)
        holes = self.table("holes.csv", "path,light", lambda path, _: "1;2" if "heart" in path.parts else "1")
        steady = self.table("steady.csv", "path,light", lambda *_: "4")
        for data, options, expected in ((words, ("--task", "regression"), "is no number"), (holes, ("--task", "regression"), "values where the first has"),
                                        (steady, ("--task", "regression"), "nothing to learn"), (self.base / "pictures", ("--task", "regression"), "folders name classes"),
                                        (words, ("--task", "multi-label", "--loss", "hinge"), "is for one class a picture")):
            with self.subTest(expected=expected):
                done = graft("finetune", BUNDLED, data, "-o", self.base / "bad", *options, "--quiet", check=False)
                self.assertIn(done.returncode, (1, 2))
                self.assertEqual(len(done.stderr.strip().splitlines()), 1)
                self.assertIn(expected, done.stderr)


if __name__ == "__main__":
    unittest.main()
