"""What chooses for the user: presets, heads, gradual unfreezing, a cap on memory, and the search for settings."""
import csv
import unittest
import xml.etree.ElementTree

from PIL import Image

from support import BUNDLED, ScratchTest, graft, graft_json


class Recipes(ScratchTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = cls.base / "data"
        graft("generate", cls.data, "--set", "demo", "--train", 10, "--val", 4, "--side", 72, "--quiet")

    def finetune(self, name, *options, model=BUNDLED):
        return graft_json("finetune", model, self.data, "-o", self.base / name, "--epochs", 3, *options)

    def refusal(self, *options, model=BUNDLED):
        done = graft("finetune", model, self.data, "-o", self.base / "none", *options, check=False)
        self.assertIn(done.returncode, (1, 2))
        return done.stderr

    def rates(self, name):
        with open(self.base / name / "history.csv", newline="") as file:
            return [float(row["lr"]) for row in csv.DictReader(file)]

    def test_preset_sets_what_is_not_given(self):
        report = self.finetune("preset", "--preset", "accelerating-bn")
        self.assertEqual(report["frozen_parameters"], 0)
        rates = self.rates("preset")
        self.assertAlmostEqual(rates[0], 0.05, places=6)  # five times the rate of momentum
        self.assertAlmostEqual(rates[2] / rates[0], 0.9698**2, places=4)
        self.finetune("preset-own", "--preset", "accelerating-bn", "--lr", 0.02, "--schedule", "constant")
        self.assertAlmostEqual(self.rates("preset-own")[2], 0.02, places=6)
        graft("new", "squeezenet-1.1", "-o", self.base / "squeezenet.onnx")
        self.assertIn("has no batch norm", self.refusal("--preset", "accelerating-bn", model=self.base / "squeezenet.onnx"))

    def test_every_head_trains_and_is_found_again(self):
        for head in ("linear", "mlp:24", "svm", "conv"):
            name = "head-" + head.replace(":", "")
            report = self.finetune(name, "--head", head, "--head-init", "he")
            self.assertGreater(report["trainable_parameters"], 0)
            again = self.finetune(name + "-again", model=self.base / name / "model.onnx")  # its head is replaced in turn
            self.assertGreater(again["best_val_top1"], 0.1)
        for wrong, said in (("mlp:many", "is no whole number"), ("mlp:0", "out of range"), ("tree", "unknown head")):
            self.assertIn(said, self.refusal("--head", wrong))

    def test_unfreezing_trains_more_and_more(self):
        notes = graft("finetune", BUNDLED, self.data, "-o", self.base / "unfreeze", "--unfreeze", "1:2", "--epochs", 3).stderr
        counts = [int(line.split(" on ")[1].split()[0]) for line in notes.splitlines() if line.startswith("from epoch")]
        self.assertEqual(len(counts), 3)
        self.assertEqual(counts, sorted(set(counts)))
        self.assertIn("leave --freeze out", self.refusal("--unfreeze", "1", "--freeze", "none"))

    def test_memory_is_capped_and_what_does_not_fit_is_refused(self):
        plain = self.finetune("plain", "--freeze", "none")
        small = self.finetune("small", "--freeze", "none", "--memory", "70%")
        self.assertEqual((self.base / "plain" / "model.onnx").read_bytes(), (self.base / "small" / "model.onnx").read_bytes())
        self.assertEqual(plain["best_val_top1"], small["best_val_top1"])
        self.assertRegex(self.refusal("--freeze", "none", "--memory", "9M"), r"are allowed: use --batch \d+, or a larger --memory")
        self.assertIn("is no amount of memory", self.refusal("--memory", "much"))

    def test_search_tells_what_it_tried_and_takes_the_best(self):
        report = self.finetune("auto", "--auto", 20, "--weight-decay", 0.001)
        with open(self.base / "auto" / "auto.csv", newline="") as file:
            trials = list(csv.DictReader(file))
        self.assertEqual(len(trials), report["auto"]["tried"])
        self.assertGreater(len(trials), 4)
        self.assertEqual({round(float(row["weight_decay"]), 8) for row in trials}, {0.001})  # given, so it stays
        chosen = [row for row in trials if row["remark"] == "chosen"]
        self.assertEqual(len(chosen), 1)
        self.assertEqual(chosen[0]["head"], report["auto"]["head"])
        self.assertAlmostEqual(float(chosen[0]["lr"]), report["auto"]["lr"], places=6)
        # A run that goes on takes what was chosen and does not search again.
        model, table = (self.base / "auto" / "model.onnx").read_bytes(), (self.base / "auto" / "auto.csv").read_bytes()
        again = self.finetune("auto", "--auto", 20, "--weight-decay", 0.001, "--resume")
        self.assertEqual({key: again["auto"][key] for key in ("head", "freeze", "lr")}, {key: report["auto"][key] for key in ("head", "freeze", "lr")})
        self.assertEqual((self.base / "auto" / "model.onnx").read_bytes(), model)
        self.assertEqual((self.base / "auto" / "auto.csv").read_bytes(), table)

    def test_gradients_have_a_picture(self):
        picture = self.base / "gradients.svg"
        graft("gradcheck", BUNDLED, "--batch-norm", "train", "--picture", picture)
        root = xml.etree.ElementTree.parse(picture).getroot()
        self.assertGreater(len(root.findall("{http://www.w3.org/2000/svg}rect")), 10)

    def test_features_and_filters_have_pictures(self):
        graft("extract", BUNDLED, self.data / "train", "-o", self.base / "features.npz", "--tsne", self.base / "map.svg", "--quiet")
        root = xml.etree.ElementTree.parse(self.base / "map.svg").getroot()
        circles = root.findall("{http://www.w3.org/2000/svg}circle")
        self.assertEqual(len(circles), 60 + 6)  # pictures and the legend's classes
        graft("inspect", BUNDLED, "--filters", self.base / "filters.png")
        with Image.open(self.base / "filters.png") as sheet:
            self.assertGreater(min(sheet.size), 24)
            self.assertGreater(len(sheet.getcolors(1 << 24)), 100)


if __name__ == "__main__":
    unittest.main()
