"""What `graft finetune` without settings makes of a folder: it chooses by training pictures held out."""
import csv
import json
import signal
import subprocess

from support import BUNDLED, GRAFT, ScratchTest, graft, graft_json


class ChosenRecipe(ScratchTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.near = cls.base / "near"  # figures like those that the bundled network knows
        graft("generate", cls.near, "--set", "demo", "--train", 12, "--val", 8, "--side", 72, "--quiet")
        cls.far = cls.base / "far"  # handwriting, to a network with random weights
        graft("generate", cls.far, "--set", "digits", "--train", 40, "--val", 3, "--side", 64, "--quiet")
        cls.blank = cls.base / "blank.onnx"
        graft("new", "graft-small", "--seed", 1, "-o", cls.blank, "--quiet")

    def chosen(self, report):
        chosen = [trial for trial in report["recipe"]["trials"] if trial["verdict"] == "chosen"]
        self.assertEqual(len(chosen), 1)
        return chosen[0]

    def test_a_near_set_gets_a_fitted_head(self):
        run = self.base / "near-run"
        report = graft_json("finetune", BUNDLED, self.near, "-o", run)
        self.assertEqual(report["recipe"]["freeze"], "all")
        self.assertTrue(self.chosen(report)["what"].startswith("head on"))
        self.assertGreater(report["best_val_top1"], 0.5)  # chance: 0.17
        # What is told of the validation pictures is what the written model does with them.
        told = graft_json("evaluate", run / "model.onnx", self.near)
        self.assertAlmostEqual(told["top1"], report["best_val_top1"], places=6)
        with open(run / "history.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(len(rows), 1)
        self.assertAlmostEqual(float(rows[0]["val_loss"]), told["loss"], places=3)
        with open(run / "auto.csv", newline="") as file:
            self.assertEqual(len(list(csv.DictReader(file))), len(report["recipe"]["trials"]) + 1)
        again = graft_json("finetune", "--config", run / "config.toml", BUNDLED, self.near, "-o", self.base / "near-again")
        self.assertEqual(again["recipe"]["freeze"], "all")

    def test_a_far_set_is_trained_deeper_and_goes_on_after_an_interruption(self):
        run = self.base / "far-run"
        report = graft_json("finetune", self.blank, self.far, "-o", run, "--budget", 300, "--no-report")
        self.assertNotEqual(report["recipe"]["freeze"], "all")
        self.assertEqual(report["epochs"], report["recipe"]["epochs"])
        self.assertIn("gained", report["recipe"]["conclusion"])
        head = next(trial for trial in report["recipe"]["trials"] if trial["what"] == "head on plain views")
        self.assertGreater(self.chosen(report)["accuracy"], head["accuracy"])
        told = graft_json("evaluate", run / "model.onnx", self.far)
        self.assertAlmostEqual(told["top1"], report["best_val_top1"], places=6)
        model = (run / "model.onnx").read_bytes()
        resumed = graft_json("finetune", self.blank, self.far, "-o", run, "--budget", 300, "--no-report", "--resume")
        self.assertEqual(resumed["recipe"]["freeze"], report["recipe"]["freeze"])
        self.assertEqual((run / "model.onnx").read_bytes(), model)

    def test_deeper_training_that_is_interrupted_at_once_leaves_the_head(self):
        run = self.base / "far-interrupted"
        process = subprocess.Popen([GRAFT, "finetune", self.blank, self.far, "-o", run, "--budget", "300", "--no-report"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for line in process.stderr:
            if " parameters trained, " in line:
                process.send_signal(signal.SIGINT)
                break
        said = process.communicate(timeout=120)[1]
        self.assertEqual(process.returncode, 130, said)
        self.assertIn("ended before it was better than the head alone", said)
        report = json.loads((run / "metrics.json").read_text())
        self.assertGreater(report["recipe"]["epochs"], 0)
        told = graft_json("evaluate", run / "model.onnx", self.far)
        self.assertAlmostEqual(told["top1"], report["best_val_top1"], places=6)
        self.assertGreater(told["top1"], 0.2)  # chance: 0.1

    def test_batch_norms_that_were_folded_are_put_back_while_it_trains(self):
        folded = self.base / "folded.onnx"
        graft("export", self.blank, "-o", folded)
        types = [layer["op"] for layer in graft_json("inspect", folded)["layers"]]
        self.assertNotIn("BatchNormalization", types)
        run = self.base / "folded-run"
        done = graft("finetune", folded, self.far, "-o", run, "--budget", 300, "--no-report")
        report = json.loads((run / "metrics.json").read_text())
        self.assertNotEqual(report["recipe"]["freeze"], "all")
        self.assertIn("batch norms stand behind convolutions", done.stderr)
        kept = [layer["op"] for layer in graft_json("inspect", run / "model.onnx")["layers"]]
        joined = ["ReduceMean", "ReduceMean", "Concat"] if report["recipe"]["joined_layers"] else []
        self.assertEqual(kept, types[:-1] + joined + types[-1:])
        told = graft_json("evaluate", run / "model.onnx", self.far)
        self.assertAlmostEqual(told["top1"], report["best_val_top1"], places=6)
        model = (run / "model.onnx").read_bytes()
        graft("finetune", folded, self.far, "-o", run, "--budget", 300, "--no-report", "--resume")
        self.assertEqual((run / "model.onnx").read_bytes(), model)

    def test_folds_and_seeds_choose_anew(self):
        report = graft_json("finetune", BUNDLED, self.near, "-o", self.base / "folds", "--folds", 3, "--seeds", 2, "--auto", 70, "--no-report")
        self.assertEqual(report["recipe"]["budget"], 70)
        self.assertIsNone(report["auto"])
        folds, seeds = report["cross_validation"], report["seeds"]
        self.assertEqual(len(folds["scores"]), 3)
        self.assertAlmostEqual(folds["mean_score"], sum(folds["scores"]) / 3)
        self.assertGreater(folds["mean_score"], 0.5)
        self.assertEqual(seeds["scores"][0], report["best_val_top1"])
        self.assertAlmostEqual(seeds["mean_score"], sum(seeds["scores"]) / 2)

    def test_whoever_sets_something_gets_the_plain_recipe(self):
        report = graft_json("finetune", BUNDLED, self.near, "-o", self.base / "plain", "--epochs", 2)
        self.assertIsNone(report["recipe"])
        self.assertEqual(report["epochs"], 2)
        report = graft_json("finetune", BUNDLED, self.near, "-o", self.base / "zero", "--budget", 0)
        self.assertIsNone(report["recipe"])
        self.assertEqual(report["epochs"], 10)
        done = graft("finetune", BUNDLED, self.near, "-o", self.base / "both", "--budget", 5, "--lr", 0.1, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--budget", done.stderr)
        self.assertIn("--lr", done.stderr)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1)

    def test_classes_of_one_and_two_pictures(self):
        few = self.base / "few"
        graft("generate", few, "--set", "demo", "--train", 6, "--val", 4, "--side", 72, "--quiet")
        for number, folder in enumerate(sorted((few / "train").iterdir())[:2]):
            for picture in sorted(folder.iterdir())[number + 1:]:
                picture.unlink()
        done = graft("finetune", BUNDLED, few, "-o", self.base / "few-run")
        self.assertIn("1 class has one readable training picture", done.stderr)
        report = json.loads((self.base / "few-run" / "metrics.json").read_text())
        self.assertTrue(any(trial["what"] == "nearest mean of a class" for trial in report["recipe"]["trials"]))
        self.assertGreater(report["best_val_top1"], 0.3)
