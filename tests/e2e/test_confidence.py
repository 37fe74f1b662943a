"""What a model keeps to say how far it can be trusted: temperature, thresholds, out-of-distribution scores."""
import csv
import json
import math
import unittest

import numpy
import onnx
import onnxruntime

from support import BUNDLED, ScratchTest, graft, graft_json


def metadata_of(path):
    return {p.key: p.value for p in onnx.load(path).metadata_props}


class Confidence(ScratchTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pictures, cls.foreign = cls.base / "pictures", cls.base / "foreign"
        graft("generate", cls.pictures, "--set", "demo", "--train", 20, "--val", 10, "--quiet")
        graft("generate", cls.foreign, "--set", "pretrain", "--train", 6, "--val", 2, "--seed", 5, "--quiet")
        cls.run_folder = cls.base / "run"
        # Far too sure of itself: a large rate, and nothing that holds the weights back.
        cls.told = graft_json("finetune", BUNDLED, cls.pictures, "-o", cls.run_folder, "--epochs", 6, "--lr", 1.0,
                              "--augment", "center-crop", "--no-report")

    def test_a_temperature_is_fitted_kept_and_applied(self):
        confidence, model = self.told["confidence"], self.run_folder / "model.onnx"
        self.assertEqual(confidence["held_back"], 60)
        temperature = float(metadata_of(model).get("graft.temperature", 1))
        self.assertEqual(confidence["temperature"], temperature)
        self.assertGreater(temperature, 1)
        self.assertLess(confidence["calibration_error_at_temperature"], confidence["calibration_error"])
        # classify's probabilities are the softmax of the file's scores at that temperature; an export's are the same.
        plain, whole = self.base / "plain.onnx", self.base / "whole.onnx"
        graft("export", self.run_folder, "-o", plain, "--with-preprocessing", "--quiet")
        graft("export", self.run_folder, "-o", whole, "--with-preprocessing", "--softmax", "--quiet")
        self.assertIn("graft.temperature", metadata_of(plain))
        self.assertNotIn("graft.temperature", metadata_of(whole))
        results = graft_json("classify", self.run_folder, self.pictures / "val", "--top", 6)["results"]
        again = graft_json("classify", whole, self.pictures / "val", "--top", 6)["results"]
        from PIL import Image
        sessions = [onnxruntime.InferenceSession(str(path)) for path in (plain, whole)]
        for entry, other in zip(results[::7], again[::7]):
            pixels = numpy.asarray(Image.open(entry["path"]).convert("RGB"))[None]
            scores, probabilities = (s.run(None, {s.get_inputs()[0].name: pixels})[0][0] for s in sessions)
            exponentials = numpy.exp((scores - scores.max()) / temperature)
            expected = exponentials / exponentials.sum()
            numpy.testing.assert_allclose(probabilities, expected, atol=1e-5)
            for top in entry["top"]:
                self.assertAlmostEqual(top["score"], expected[top["index"]], places=3)
            for a, b in zip(entry["top"], other["top"]):
                self.assertAlmostEqual(a["score"], b["score"], places=3)
        # evaluate judges what classify says.
        evaluated = graft_json("evaluate", self.run_folder, self.pictures)
        truth = [(e, e["path"].split("/")[-2]) for e in results]
        loss = sum(-math.log(next(t["score"] for t in e["top"] if t["label"] == name)) for e, name in truth) / len(truth)
        self.assertAlmostEqual(evaluated["loss"], loss, places=4)

    def test_foreign_pictures_are_told(self):
        own = graft_json("classify", self.run_folder, self.pictures / "val")
        other = graft_json("classify", self.run_folder, self.foreign)
        scores = [e["ood_score"] for e in own["results"]]
        self.assertAlmostEqual(sum(scores) / len(scores), 0.5, delta=0.05)
        self.assertLessEqual(own["foreign_pictures"], 0.07 * len(scores))
        mean = sum(e["ood_score"] for e in other["results"]) / len(other["results"])
        self.assertGreater(mean, 0.65)
        self.assertEqual(other["foreign_pictures"], sum(e["ood_score"] > 0.95 for e in other["results"]))
        self.assertTrue(all(e["foreign"] == (e["ood_score"] > 0.95) for e in other["results"]))
        self.assertTrue(any("--foreign 0.95" in note for note in other["notes"]))
        self.assertNotIn("foreign", [e["label"] for e in other["results"]])
        placed = self.base / "placed"
        told = graft_json("classify", self.run_folder, self.foreign, "--foreign", 0.9, "--copy-to", placed)
        strange = [e for e in told["results"] if e["ood_score"] > 0.9]
        self.assertEqual(told["foreign_pictures"], len(strange))
        self.assertTrue(all(e["label"] == "foreign" for e in strange))
        self.assertEqual(len(list((placed / "foreign").iterdir())), len(strange))
        lines = graft("classify", self.run_folder, self.foreign, "--format", "csv", "--quiet").stdout.splitlines()
        for row, entry in zip(csv.DictReader(lines), other["results"]):
            self.assertAlmostEqual(float(row["ood_score"]), entry["ood_score"], places=5)
        text = graft("classify", self.run_folder, self.foreign, "--quiet").stdout
        self.assertEqual(text.count("like nothing it was trained on"), other["foreign_pictures"])

    def test_a_model_that_keeps_nothing_says_so(self):
        refused = graft("classify", BUNDLED, self.foreign, "--foreign", 0.95, check=False)
        self.assertEqual(refused.returncode, 1, refused.stderr)
        self.assertIn("keeps nothing to tell foreign pictures by", refused.stderr)
        result = graft_json("classify", BUNDLED, self.foreign)["results"][0]
        self.assertNotIn("ood_score", result)

    def test_a_further_run_fits_its_own(self):
        again = self.base / "again"
        graft("finetune", self.run_folder / "model.onnx", self.foreign, "-o", again, "--epochs", 1, "--no-report", "--quiet")
        before, after = metadata_of(self.run_folder / "model.onnx"), metadata_of(again / "model.onnx")
        self.assertNotEqual(before["graft.ood"], after["graft.ood"])
        told = graft_json("classify", again, self.foreign)
        self.assertLess(told["foreign_pictures"], len(told["results"]) / 4)

    def test_a_head_of_convolutions_has_no_row_of_features(self):
        run_folder = self.base / "conv"
        told = graft_json("finetune", BUNDLED, self.pictures, "-o", run_folder, "--head", "conv", "--epochs", 1, "--no-report")
        self.assertEqual(told["confidence"]["references"], 0)
        self.assertNotIn("ood_score", graft_json("classify", run_folder, self.foreign)["results"][0])
        self.assertEqual(len(graft_json("suggest", run_folder, self.foreign, "--count", 5)["results"]), 5)

    def test_damaged_metadata_is_one_line(self):
        model = onnx.load(self.run_folder / "model.onnx")
        for p in model.metadata_props:
            if p.key == "graft.ood":
                p.value = p.value[:1000]
        path = self.base / "damaged.onnx"
        onnx.save(model, path)
        refused = graft("classify", path, self.foreign, check=False)
        self.assertEqual(refused.returncode, 1, refused.stderr)
        self.assertIn("metadata graft.ood is not what graft writes", refused.stderr)

    def test_labels_get_thresholds_of_their_own(self):
        # Two labels; every third picture of the second one's colour lacks its mark, so that 0.5 is too low for it.
        table = self.base / "labels.csv"
        rows = ["path,labels,split"]
        for part in ("train", "val"):
            for folder in sorted((self.pictures / part).iterdir()):
                for i, path in enumerate(sorted(folder.iterdir())):
                    labels = [folder.name.split("-")[0]] + ([] if i % 3 else ["third"])
                    rows.append(f"{path},{';'.join(labels)},{part}")
        table.write_text("\n".join(rows) + "\n")
        run_folder = self.base / "labels"
        told = graft_json("finetune", BUNDLED, table, "--task", "multi-label", "-o", run_folder, "--epochs", 4, "--no-report")
        confidence = told["confidence"]
        self.assertGreater(confidence["macro_f1_at_thresholds"], confidence["macro_f1"])
        thresholds = json.loads(metadata_of(run_folder / "model.onnx").get("graft.thresholds", "[]"))
        self.assertEqual(sum(t != 0.5 for t in thresholds), confidence["thresholds_kept"])
        self.assertGreater(confidence["thresholds_kept"], 0)
        evaluated = graft_json("evaluate", run_folder, table)
        names = [label["label"] for label in evaluated["per_label"]]
        for label, threshold in zip(evaluated["per_label"], thresholds):
            self.assertAlmostEqual(label["threshold"], threshold, places=6)
        for entry in graft_json("classify", run_folder, self.pictures / "val", "--top", len(names))["results"][:20]:
            self.assertEqual(entry["labels"], [t["label"] for t in entry["top"] if t["score"] >= thresholds[t["index"]]])


if __name__ == "__main__":
    unittest.main()
