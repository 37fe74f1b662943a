"""Networks that `graft new` builds, trained from nothing."""
import csv
import unittest

import onnx

from support import DATA, ScratchTest, graft, graft_json, needs_data

SCRATCH = ("--no-report", "--freeze", "none", "--trunk-lr-scale", 1)


class FromScratch(ScratchTest):
    def test_lenet5_reads_handwritten_digits(self):
        digits, network = self.base / "digits", self.base / "lenet5.onnx"
        graft("generate", digits, "--set", "digits", "--train", 200, "--val", 50, "--side", 32, "--quiet")
        graft("new", "lenet5", "-o", network)
        report = graft_json("finetune", network, digits, "-o", self.base / "lenet5", *SCRATCH, "--augment", "none", "--resize", 32, "--optimizer", "adam", "--lr", 0.002, "--epochs", 8)
        self.assertGreaterEqual(report["best_val_top1"], 0.98)

    def test_googlenets_auxiliary_heads_train_and_vanish(self):
        data, network, run = self.base / "figures", self.base / "googlenet.onnx", self.base / "googlenet"
        graft("generate", data, "--set", "demo", "--train", 2, "--val", 1, "--quiet")
        graft("new", "googlenet", "--auxiliary", "--classes", 10, "-o", network)
        self.assertEqual(len(onnx.load(network).graph.output), 3)
        done = graft("finetune", network, data, "-o", run, *SCRATCH, "--epochs", 1, "--batch", 6, "--lr", 0.001)
        self.assertIn("2 auxiliary heads", done.stderr)
        written = onnx.load(run / "model.onnx")
        self.assertEqual(len(written.graph.output), 1)
        self.assertFalse([n.name for n in written.graph.node if "aux" in n.name])
        # Those below an auxiliary head moved otherwise than without it.
        alone = self.base / "alone"
        graft("finetune", network, data, "-o", alone, *SCRATCH, "--epochs", 1, "--batch", 6, "--lr", 0.001, "--auxiliary-weight", 0, "--quiet")
        with_heads, without = ({t.name: t.raw_data for t in onnx.load(folder / "model.onnx").graph.initializer} for folder in (run, alone))
        self.assertEqual(with_heads.keys(), without.keys())
        self.assertNotEqual(with_heads["4a.1x1.weight"], without["4a.1x1.weight"])
        exported = self.base / "exported.onnx"
        graft("export", network, "-o", exported, "--quiet")
        self.assertEqual(len(onnx.load(exported).graph.output), 1)
        refused = graft("new", "resnet-18", "--auxiliary", "-o", self.base / "none.onnx", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("has no auxiliary heads", refused.stderr)

    @needs_data
    def test_resnet20_learns_from_cifar_pictures(self):
        network, run = self.base / "resnet20.onnx", self.base / "resnet20"
        graft("new", "resnet-cifar-20", "--classes", 10, "-o", network)
        report = graft_json("finetune", network, DATA / "cifar10-sample", "-o", run, *SCRATCH, "--resize", 32, "--lr", 0.05, "--epochs", 10)
        rows = list(csv.DictReader((run / "history.csv").read_text().splitlines()))
        self.assertLess(float(rows[-1]["train_loss"]), 0.85 * float(rows[0]["train_loss"]))
        self.assertGreaterEqual(report["best_val_top1"], 0.2)  # 400 pictures of ten classes; chance is 0.1


if __name__ == "__main__":
    unittest.main()
