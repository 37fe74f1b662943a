"""What other tools read of a run: TensorBoard's own reader of event files, MLflow's own file store."""
import csv
import io
import json
import os
import unittest

import yaml
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from support import BUNDLED, ScratchTest, graft, graft_json


class Tools(ScratchTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pictures = cls.base / "pictures"
        graft("generate", cls.pictures, "--set", "demo", "--train", 6, "--val", 4, "--quiet")
        cls.run_folder, cls.store = cls.base / "run", cls.base / "mlruns"
        cls.report = graft_json("finetune", BUNDLED, cls.pictures, "-o", cls.run_folder, "--epochs", 5, "--tensorboard", "--mlflow", cls.store, "--no-report")
        cls.history = list(csv.DictReader((cls.run_folder / "history.csv").read_text().splitlines()))

    def test_tensorboard_reads_the_run(self):
        events = EventAccumulator(str(self.run_folder))
        events.Reload()
        tags = events.Tags()
        self.assertEqual(set(tags["scalars"]), {"loss/training", "loss/validation", "val_top1/validation", "rate"})
        for tag, column in (("loss/training", "train_loss"), ("loss/validation", "val_loss"), ("val_top1/validation", "val_top1"), ("rate", "lr")):
            read = events.Scalars(tag)
            self.assertEqual([event.step for event in read], [1, 2, 3, 4, 5])
            for event, row in zip(read, self.history, strict=True):
                self.assertAlmostEqual(event.value, float(row[column]), delta=1e-6 * max(1, abs(float(row[column]))))
        self.assertTrue(any(tag.startswith("weights/") for tag in tags["histograms"]))
        of_head = events.Histograms(next(tag for tag in tags["histograms"] if "head" in tag))[0].histogram_value
        self.assertEqual(sum(of_head.bucket), of_head.num)
        self.assertLessEqual(of_head.min, of_head.max)
        self.assertGreater(len(tags["images"]), 3)
        shown = events.Images(tags["images"][0])[0]
        with Image.open(io.BytesIO(shown.encoded_image_string)) as picture:
            self.assertEqual(picture.size, (shown.width, shown.height))

    def test_the_projector_gets_a_row_for_each_picture(self):
        rows = (self.run_folder / "features.tsv").read_text().splitlines()
        labels = list(csv.DictReader((self.run_folder / "labels.tsv").read_text().splitlines(), delimiter="\t"))
        self.assertEqual(len(rows), 24)
        self.assertEqual({len(row.split("\t")) for row in rows}, {96})
        self.assertEqual([label["class"] for label in labels], [label["path"].split("/")[-2] for label in labels])
        self.assertIn('tensor_path: "features.tsv"', (self.run_folder / "projector_config.pbtxt").read_text())

    def test_mlflow_finds_the_run(self):
        runs = [path for path in (self.store / "0").iterdir() if path.is_dir()]
        self.assertEqual(len(runs), 1)
        meta = yaml.safe_load((runs[0] / "meta.yaml").read_text())
        self.assertEqual((meta["run_id"], meta["status"], meta["run_name"]), (runs[0].name, 3, "run"))
        self.assertGreaterEqual(meta["end_time"], meta["start_time"])
        self.assertEqual((runs[0] / "params" / "epochs").read_text(), "5")
        losses = [line.split() for line in (runs[0] / "metrics" / "val_loss").read_text().splitlines()]
        self.assertEqual([int(step) for _, _, step in losses], [1, 2, 3, 4, 5])
        for (_, value, _), row in zip(losses, self.history, strict=True):
            self.assertAlmostEqual(float(value), float(row["val_loss"]), places=5)
        self.assertEqual((runs[0] / "artifacts" / "model.onnx").read_bytes(), (self.run_folder / "model.onnx").read_bytes())
        graft("finetune", BUNDLED, self.pictures, "-o", self.base / "second", "--epochs", 1, "--mlflow", self.store, "--no-report", "--quiet")
        self.assertEqual(sum(path.is_dir() for path in (self.store / "0").iterdir()), 2)
        os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
        try:
            from mlflow.store.tracking.file_store import FileStore
        except ImportError:
            self.skipTest("MLflow's own store is not here")
        found = FileStore(str(self.store)).search_runs(["0"], "", 1)
        self.assertEqual({run.info.run_name for run in found}, {"run", "second"})
        self.assertAlmostEqual(next(run for run in found if run.info.run_name == "run").data.metrics["val_loss"], float(self.history[-1]["val_loss"]), places=5)
        self.assertEqual(json.loads((self.run_folder / "metrics.json").read_text())["best_epoch"], self.report["best_epoch"])


if __name__ == "__main__":
    unittest.main()
