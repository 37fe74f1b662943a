"""Settings as a user meets them: graft help, docs/settings.md, config files, and settings that do not belong."""
import json
import unittest

from support import BUNDLED, ROOT, ScratchTest, graft


class Settings(ScratchTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = cls.base / "data"
        graft("generate", cls.data, "--set", "demo", "--train", 4, "--val", 2, "--quiet")

    def finetune(self, *options, check=True):
        return graft("finetune", BUNDLED, self.data, "-o", self.base / "run", "--epochs", 1, "--overwrite", "--no-report", "--quiet", *options, check=check)

    def refusal(self, *options):
        done = self.finetune(*options, check=False)
        self.assertEqual(done.returncode, 2, done.stderr)
        return done.stderr.strip().splitlines()[-1]

    def test_the_page_of_all_settings_is_not_stale(self):
        self.assertEqual(graft("help", "--markdown").stdout, (ROOT / "docs" / "settings.md").read_text(), "run: graft help --markdown > docs/settings.md")

    def test_help_tells_formula_and_settings(self):
        text = graft("help", "optimizer", "adamw").stdout
        self.assertIn("Loshchilov & Hutter 2019", text)
        self.assertRegex(text, r"--beta2 +number +0\.999 ")
        one = json.loads(graft("help", "optimizer", "lion", "--json").stdout)
        self.assertEqual([(s["name"], s["kind"], s["default"]) for s in one["settings"]], [("beta1", "number", "0.9"), ("beta2", "number", "0.99")])
        self.assertEqual(one["settings"][0]["low"], 0)
        names = [c["name"] for c in json.loads(graft("help", "loss", "--json").stdout)["components"]]
        self.assertEqual(names, sorted(names))
        self.assertIn("poly-1", names)
        for topic in json.loads(graft("help", "--json").stdout)["topics"]:
            self.assertTrue(json.loads(graft("help", topic, "--json").stdout)["components"], topic)

    def test_help_knows_what_was_meant(self):
        done = graft("help", "optimizer", "adamww", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("the closest is adamw", done.stderr)

    def test_a_setting_of_another_component_is_refused(self):
        self.assertIn("--beta1: is not a setting of momentum: leave it out, or choose one that has it (adam, ", self.refusal("--beta1", 0.8))
        self.assertIn("--gamma: is not a setting of cross-entropy", self.refusal("--gamma", 1))
        self.assertIn("--hidden: is not a setting of linear", self.refusal("--hidden", 16))
        self.assertIn("--lr-gamma: is not a setting of cosine", self.refusal("--lr-gamma", 0.9))

    def test_new_components_train(self):
        self.finetune("--optimizer", "lion", "--beta2", 0.98, "--loss", "poly-1", "--poly-epsilon", 2)
        self.finetune("--optimizer", "adafactor", "--head", "mlp", "--hidden", 8, "--schedule", "multi-step", "--milestones", "1,2")
        lines = (self.base / "run" / "config.toml").read_text().splitlines()
        for line in ("hidden=8", "decay-power=0.8", "milestones=[1,2]", 'optimizer="adafactor"'):
            self.assertIn(line, lines)
        self.finetune("--augment", "resized-crop:smallest=0.5,flip,color-jitter:hue=0")

    def test_transforms_say_what_cannot_be_set(self):
        self.assertIn("--augment: flip:probability=2: ", self.refusal("--augment", "resized-crop,flip:probability=2"))
        self.assertIn("unknown transform", self.refusal("--augment", "flop"))

    def test_a_config_file_with_an_unknown_key_is_refused(self):
        config = self.base / "config.toml"
        for text, expected in (("[finetune]\nepoch=3\n", 'unknown key "epoch": the closest is "epochs"'), ("[finetun]\nepochs=3\n", 'unknown section "finetun": the closest is "finetune"')):
            config.write_text(text)
            done = graft("finetune", BUNDLED, self.data, "-o", self.base / "run", "--config", config, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn(expected, done.stderr)

    def test_a_run_with_settings_of_its_own_is_repeated_by_its_config(self):
        options = ("--optimizer", "adam", "--beta1", 0.8, "--amsgrad", "--dropout", 0.2, "--label-smoothing", 0.1, "--warmup", 0.5, "--recalibrate")
        self.assertIn("--recalibrate: ", self.refusal(*options))  # nothing trains batch norms here
        self.finetune(*options[:-1])
        model = (self.base / "run" / "model.onnx").read_bytes()
        graft("finetune", "--config", self.base / "run" / "config.toml", "--overwrite", "--no-report")
        self.assertEqual((self.base / "run" / "model.onnx").read_bytes(), model)


if __name__ == "__main__":
    unittest.main()
