"""Runs that end before their time lose nothing: Ctrl-C, a kill, a loss that is no number, a folder that holds a run."""
import json
import signal
import subprocess
import time
import unittest

from support import BUNDLED, GRAFT, ScratchTest, graft, graft_json


class Interrupted(ScratchTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pictures = cls.base / "pictures"
        graft("generate", cls.pictures, "--set", "demo", "--train", 8, "--val", 5, "--quiet")

    def arguments(self, run, *more):
        return ["finetune", BUNDLED, self.pictures, "-o", run, "--freeze", "none", "--dropout", 0.2, *more]

    def start(self, *arguments):
        return subprocess.Popen([GRAFT, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def after_first_checkpoint(self, process, run, sent=signal.SIGINT):
        deadline = time.time() + 120
        while not (run / "checkpoint.safetensors").exists() and time.time() < deadline:
            time.sleep(0.01)
        process.send_signal(sent)
        return process.communicate(timeout=120)

    def test_an_interrupted_run_leaves_its_model_and_goes_on_to_the_same_bits(self):
        whole, run = self.base / "whole", self.base / "run"
        graft(*self.arguments(whole, "--epochs", 30, "--quiet"))
        process = self.start(*self.arguments(run, "--epochs", 30))
        _, said = self.after_first_checkpoint(process, run)
        self.assertEqual(process.returncode, 130, said)
        self.assertIn("interrupted: the same command with --resume goes on", said)
        for name in ("model.onnx", "metrics.json", "history.csv", "config.toml", "checkpoint.safetensors"):
            self.assertTrue((run / name).exists(), name)
        self.assertFalse([path.name for path in run.iterdir() if ".tmp" in path.name or "partial" in path.name])
        self.assertTrue(json.loads((run / "metrics.json").read_text())["interrupted"])
        graft("classify", run, self.pictures / "val", "--quiet")
        graft(*self.arguments(run, "--epochs", 30, "--resume", "--quiet"))
        self.assertEqual((run / "model.onnx").read_bytes(), (whole / "model.onnx").read_bytes())
        self.assertFalse(json.loads((run / "metrics.json").read_text())["interrupted"])

    def test_a_run_goes_on_with_its_own_settings(self):
        whole, run = self.base / "whole12", self.base / "own"
        graft(*self.arguments(whole, "--epochs", 12, "--lr", 0.02, "--quiet"))
        graft(*self.arguments(run, "--epochs", 5, "--lr", 0.02, "--schedule", "constant", "--quiet"))
        before = (run / "model.onnx").read_bytes()
        # Neither a default run nor its other settings, but what began: nothing is left to do.
        done = graft("finetune", BUNDLED, self.pictures, "-o", run, "--resume")
        self.assertIn("what is not given is as " + str(run / "config.toml") + " says", done.stderr)
        self.assertEqual((run / "model.onnx").read_bytes(), before)
        # So does a configuration file that is named, and its --epochs may be more.
        graft(*self.arguments(run, "--lr", 0.02, "--schedule", "constant", "--resume", "--epochs", 8, "--quiet"))
        self.assertEqual(len((run / "history.csv").read_text().splitlines()), 9)
        graft("finetune", "--config", whole / "config.toml", "--output", whole, "--resume", "--quiet")
        self.assertEqual(len((whole / "history.csv").read_text().splitlines()), 13)

    def test_a_default_length_is_made_longer(self):
        run = self.base / "default_length"
        graft("finetune", BUNDLED, self.pictures, "-o", run, "--budget", 0, "--quiet")
        graft("finetune", BUNDLED, self.pictures, "-o", run, "--resume", "--epochs", 12, "--quiet")
        self.assertEqual(len((run / "history.csv").read_text().splitlines()), 13)

    def test_a_model_that_no_run_wrote_is_not_replaced(self):
        run = self.base / "foreign"
        run.mkdir()
        for model, more in ((run / "model.onnx", ["--overwrite"]), (BUNDLED, [])):
            (run / "model.onnx").write_bytes(BUNDLED.read_bytes())
            refused = graft("finetune", model, self.pictures, "-o", run, "--quiet", *more, check=False)
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn("choose another folder", refused.stderr)
            self.assertEqual((run / "model.onnx").read_bytes(), BUNDLED.read_bytes())

    def test_a_second_signal_ends_at_once(self):
        run = self.base / "twice"
        process = self.start(*self.arguments(run, "--epochs", 3000))
        deadline = time.time() + 120
        while not (run / "checkpoint.safetensors").exists() and time.time() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        graft("classify", run, self.pictures / "val", "--quiet")  # the best epoch's model was there before

    def test_before_there_is_a_model_one_line_says_so(self):
        run = self.base / "early"
        process = self.start("finetune", BUNDLED, self.pictures, "-o", run, "--augment", "strong", "--cache", "views:400", "--epochs", 2)
        while "training and" not in process.stderr.readline():  # features come next
            self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, said)
        self.assertIn("error: interrupted: stopped before there was a model", said)
        self.assertFalse((run / "model.onnx").exists())

    def test_a_choice_that_is_interrupted_leaves_the_head_so_far(self):
        run = self.base / "choosing"
        process = self.start("finetune", BUNDLED, self.pictures, "-o", run, "--budget", 600)
        deadline = time.time() + 120
        while process.poll() is None and time.time() < deadline:
            line = process.stderr.readline()
            if "features took" in line:
                break
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)
        self.assertIn(process.returncode, (0, 130))  # with so few pictures it may have been over already
        graft("evaluate", run, self.pictures, "--quiet")

    def test_a_killed_run_leaves_the_best_model_so_far(self):
        run = self.base / "killed"
        process = self.start(*self.arguments(run, "--epochs", 3000))
        self.after_first_checkpoint(process, run, signal.SIGKILL)
        graft("evaluate", run, self.pictures, "--quiet")

    def test_a_run_is_not_overwritten_by_mistake(self):
        run = self.base / "finished"
        first = self.arguments(run, "--epochs", 2, "--quiet")
        graft(*first)
        before = (run / "model.onnx").read_bytes()
        refused = graft(*first, check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("holds a finished run", refused.stderr)
        self.assertIn("--overwrite", refused.stderr)
        self.assertEqual((run / "model.onnx").read_bytes(), before)
        graft(*first, "--seed", 5, "--overwrite")
        self.assertNotEqual((run / "model.onnx").read_bytes(), before)
        self.assertNotIn("overwrite", (run / "config.toml").read_text())

    def test_a_resumed_run_takes_other_lengths_and_names_what_may_not_change(self):
        run = self.base / "longer"
        graft(*self.arguments(run, "--epochs", 2, "--quiet"))
        more = graft_json(*self.arguments(run, "--epochs", 4, "--patience", 50, "--threads", 1, "--resume"))
        self.assertEqual(more["epochs"], 4)
        refused = graft(*self.arguments(run, "--epochs", 6, "--lr", 0.5, "--resume"), check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("--lr 0, not 0.5", refused.stderr)
        (self.pictures / "train" / "heart").rename(self.pictures / "train" / "heartless")
        try:
            other = graft(*self.arguments(run, "--epochs", 6, "--resume"), check=False)
            self.assertNotEqual(other.returncode, 0)
        finally:
            (self.pictures / "train" / "heartless").rename(self.pictures / "train" / "heart")

    def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_last_good_model(self):
        run = self.base / "diverged"
        # Squared margins grow with the square of the weights, and their slopes with them.
        rising = ["finetune", BUNDLED, self.pictures, "--loss", "squared-hinge", "--augment", "none"]
        done = graft(*rising, "-o", run, "--epochs", 60, "--schedule", "range-test", "--span", 1e9, "--lr", 1000, "--json", check=False)
        self.assertEqual(done.returncode, 1, done.stderr[-2000:])
        report = json.loads(done.stdout)
        self.assertRegex(report["diverged"], r"no finite numbers any more in epoch \d+, batch \d+, .*layer \"[^\"]+\" \([A-Z][A-Za-z]+\)")
        self.assertIn("the training diverged", done.stderr)
        self.assertGreaterEqual(report["best_epoch"], 1)
        graft("evaluate", run, self.pictures, "--quiet")
        early = graft(*rising, "-o", self.base / "at-once", "--batch", 1, "--lr", 1000, "--schedule", "constant", check=False)
        self.assertEqual(early.returncode, 1)
        self.assertIn("the training diverged", early.stderr)
        self.assertFalse((self.base / "at-once" / "model.onnx").exists())

    def test_the_config_of_a_search_holds_what_was_chosen(self):
        for name, options in (("recipe", []), ("auto", ["--auto", 5, "--weight-decay", 0.001])):
            run, again = self.base / name, self.base / (name + "-again")
            graft("finetune", BUNDLED, self.pictures, "-o", run, *options, "--quiet")
            config = (run / "config.toml").read_text()
            self.assertIn(f'recipe="{run}/auto.csv"', config)
            (self.base / "config.toml").write_text(config.replace(f'output="{run}"', f'output="{again}"'))
            graft("finetune", "--config", self.base / "config.toml", "--quiet")
            self.assertEqual((again / "model.onnx").read_bytes(), (run / "model.onnx").read_bytes(), name)

    def test_the_config_of_a_killed_run_holds_what_was_chosen(self):
        run, again = self.base / "chosen-and-killed", self.base / "chosen-again"
        process = self.start("finetune", BUNDLED, self.pictures, "-o", run, "--auto", 5, "--weight-decay", 0.001)
        deadline = time.time() + 120
        while not (run / "model.onnx").exists() and time.time() < deadline:
            time.sleep(0.001)
        process.kill()
        process.communicate(timeout=120)
        config = (run / "config.toml").read_text()
        self.assertIn(f'recipe="{run}/auto.csv"', config)
        (self.base / "config.toml").write_text(config.replace(f'output="{run}"', f'output="{again}"'))
        graft("finetune", "--config", self.base / "config.toml", "--quiet")
        chosen, repeated = ([line.split(",")[:5] for line in (folder / "auto.csv").read_text().splitlines() if line.endswith(",chosen")]
                            for folder in (run, again))
        self.assertEqual(repeated, chosen)
        self.assertEqual(len((again / "auto.csv").read_text().splitlines()), 2)  # nothing else was tried


if __name__ == "__main__":
    unittest.main()
