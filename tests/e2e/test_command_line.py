"""The command line itself: help, mistyped words, completion, doctor, and what classify does with its answers."""
import json
import os
import shutil
import signal
import subprocess
import time
import unittest

from support import BUNDLED, GRAFT, ScratchTest, graft, graft_json

COMMANDS = ("finetune", "classify", "extract", "evaluate", "report", "explain", "check", "inspect", "infer", "bench", "export", "preview", "gradcheck", "new",
            "generate", "pull", "help", "completion", "doctor")


class CommandLine(ScratchTest):
    def usage(self, *arguments):
        done = graft(*arguments, check=False)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        return done.stderr

    def test_help_has_examples_and_keeps_the_advanced_options_apart(self):
        for command in COMMANDS:
            text = graft(command, "--help").stdout
            self.assertIn("Examples:\n  ", text, command)
            self.assertLess(len(text.splitlines()), 90, command)
        short, long = (graft("finetune", option).stdout for option in ("--help", "--help-all"))
        self.assertIn("more options: --help-all shows them", short)
        for option in ("--freeze", "--epochs", "--lr", "--overwrite"):
            self.assertIn(option, short)
        for option in ("--beta1", "--accumulate", "--label-smoothing", "--exact-decode"):
            self.assertNotIn(option, short)
            self.assertIn(option, long)

    def test_examples_name_what_there_is(self):
        for command in COMMANDS:
            text = graft(command, "--help-all").stdout
            options, _, examples = text.partition("Examples:")
            for line in examples.splitlines():
                for word in line.split("#")[0].split():
                    if word.startswith("--") and f"graft {command}" in line and word != "--config":
                        self.assertIn(word, options, line)

    def test_the_closest_word_is_named(self):
        for arguments, closest in ((["finetun", "x"], '"finetune"'), (["finetune", "m", "d", "-o", "r", "--epoch", 3], "--epochs"),
                                   (["finetune", "m", "d", "-o", "r", "--optimizer", "adamv"], '"adam"'), (["classify", "m", "p", "--format", "json"], '"jsonl"'),
                                   (["evaluate", "m", "--split=tes"], '"test"')):
            self.assertIn("the closest is " + closest, self.usage(*arguments))
        self.assertIn("no command is given", self.usage())
        self.assertIn("more", self.usage("classify"))

    def test_values_in_any_case_and_lists_that_leave_the_rest_alone(self):
        pictures = self.base / "pictures"
        graft("generate", pictures, "--set", "demo", "--train", 3, "--val", 2, "--quiet")
        report = graft_json("finetune", "--optimizer", "AdamW", "--class-weights", "balanced", BUNDLED, pictures, "-o", self.base / "run", "--epochs", 1, "--no-report")
        self.assertEqual(report["epochs"], 1)

    def test_completion(self):
        script = graft("completion", "bash").stdout

        def completed(*words):
            line = " ".join(f"'{word}'" for word in words)
            asked = f"{script}\nCOMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _graft; printf '%s\\n' \"${{COMPREPLY[@]}}\""
            return subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True).stdout.split()
        self.assertEqual(completed("graft", "fi"), ["finetune", "find"])
        self.assertEqual(completed("graft", "finetune", "--optim"), ["--optimizer"])
        self.assertEqual(completed("graft", "finetune", "--optimizer", "ada"), ["adadelta", "adafactor", "adagrad", "adam", "adamw"])
        self.assertEqual(completed("graft", "classify", "--format", ""), ["text", "csv", "jsonl"])
        for shell in ("zsh", "fish"):
            text = graft("completion", shell).stdout
            for command in COMMANDS:
                self.assertIn(command, text)
            if shutil.which(shell):
                subprocess.run([shell, "-n", "/dev/stdin"], input=text, text=True, check=True)
        page = graft("completion", "man").stdout
        self.assertTrue(page.startswith(".TH GRAFT 1"))
        if shutil.which("man"):
            (self.base / "graft.1").write_text(page)
            shown = subprocess.run(["man", "--warnings", "-l", self.base / "graft.1"], capture_output=True, text=True, env={**os.environ, "MANWIDTH": "100"})
            self.assertEqual((shown.returncode, shown.stderr), (0, ""))
            self.assertIn("--picture-cache", shown.stdout.replace("‐", "-"))

    def test_doctor(self):
        told = graft_json_without_quiet("doctor")
        self.assertTrue(told["works"])
        states = {finding["what"]: finding["state"] for finding in told["findings"]}
        self.assertEqual(states["a network computes"], "good")
        locked = subprocess.run([GRAFT, "doctor"], capture_output=True, text=True, env={**os.environ, "GRAFT_CACHE": "/proc/nowhere"})
        self.assertIn("missing  pulled models lie in: /proc/nowhere", locked.stdout)


def graft_json_without_quiet(*arguments):
    return json.loads(graft(*arguments, "--json").stdout)


class Answers(ScratchTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pictures = cls.base / "pictures"
        graft("generate", cls.pictures, "--set", "demo", "--train", 6, "--val", 4, "--quiet")
        cls.run_folder = cls.base / "run"
        graft("finetune", BUNDLED, cls.pictures, "-o", cls.run_folder, "--epochs", 4, "--no-report", "--quiet")

    def answers(self, *options):
        return graft_json("classify", self.run_folder, self.pictures / "val", *options)

    def test_unsure_below_a_probability(self):
        plain = self.answers()
        threshold = sorted(result["score"] for result in plain["results"])[10]
        told = self.answers("--unsure", threshold)
        for before, after in zip(plain["results"], told["results"], strict=True):
            self.assertEqual(after["unsure"], before["score"] < threshold)
            self.assertEqual(after["label"], "unsure" if after["unsure"] else before["label"])
            self.assertEqual(after["top"], before["top"])
        self.assertEqual(told["unsure_pictures"], 10)
        rows = graft("classify", self.run_folder, self.pictures / "val", "--unsure", threshold, "--format", "csv", "--quiet").stdout
        self.assertEqual(rows.count(",unsure,"), 10)

    def test_a_class_called_unsure_is_told_from_no_answer(self):
        pictures, run = self.base / "named", self.base / "named-run"
        shutil.copytree(self.pictures, pictures)
        for part in ("train", "val"):
            (pictures / part / "heart").rename(pictures / part / "unsure")
        graft("finetune", BUNDLED, pictures, "-o", run, "--epochs", 1, "--no-report", "--quiet")
        told = graft_json("classify", run, pictures / "val", "--unsure", 1, "--copy-to", self.base / "named-sorted")
        self.assertEqual({result["label"] for result in told["results"]}, {"_unsure"})
        self.assertEqual([folder.name for folder in (self.base / "named-sorted").iterdir()], ["_unsure"])

    def test_a_name_with_a_newline_stays_one_line(self):
        folder = self.base / "lines"
        folder.mkdir()
        shutil.copy(next((self.pictures / "val" / "heart").iterdir()), folder / "two\nlines\x1b[2J.png")
        (folder / "not\na picture.png").write_text("no picture")
        done = graft("classify", self.run_folder, folder, check=False)
        self.assertEqual(done.returncode, 3)
        self.assertEqual(len(done.stdout.splitlines()), 2)
        self.assertIn("two\\nlines\\x1b[2J.png: ", done.stdout)
        self.assertIn("not\\na picture.png", done.stderr)
        self.assertNotIn("\x1b", done.stdout + done.stderr)

    def test_a_value_that_an_option_may_not_have_is_wrong_usage(self):
        for options in (("--freeze", "sideways"), ("--loss", "none-such"), ("--augment", "none-such"), ("--epochs", "many"), ("--class-weights", 1, 2)):
            done = graft("finetune", BUNDLED, self.pictures, "-o", self.base / "no-run", *options, check=False)
            self.assertEqual(done.returncode, 2, f"{options}: {done.stderr}")
            self.assertFalse((self.base / "no-run").exists())
        for command in (("extract", BUNDLED, self.pictures, "-o", self.base / "f.npy", "--tsne", "map.png"), ("export", BUNDLED, "-o", "model.pb")):
            done = graft(*command, check=False)
            self.assertEqual(done.returncode, 2)
            self.assertIn("does not end in", done.stderr)

    def test_pictures_are_put_into_folders_of_their_classes(self):
        (self.pictures / "val" / "broken.png").write_text("no picture")
        try:
            for option in ("--copy-to", "--link-to", "--move-to"):
                source, target = self.base / ("source" + option), self.base / ("sorted" + option)
                shutil.copytree(self.pictures / "val", source)
                done = graft("classify", self.run_folder, source, option, target, "--unsure", 0.4, "--json", "--quiet", check=False)
                self.assertEqual(done.returncode, 3, done.stderr)
                results = [result for result in json.loads(done.stdout)["results"] if "error" not in result]
                self.assertEqual(len({result["placed"] for result in results}), 24)  # names that several have get numbers
                for result in results:
                    placed = target / result["label"]
                    self.assertTrue(result["placed"].startswith(str(placed) + "/"))
                    self.assertEqual(os.path.islink(result["placed"]), option == "--link-to")
                    self.assertEqual(os.path.exists(result["path"]), option != "--move-to")
                self.assertEqual(sum(len(files) for _, _, files in os.walk(target)), 24)
            graft("classify", self.run_folder, self.pictures / "val", "--copy-to", self.base / "sorted--copy-to", "--quiet", check=False)
            self.assertEqual(sum(len(files) for _, _, files in os.walk(self.base / "sorted--copy-to")), 48)  # nothing is overwritten
            blocked, label = self.base / "blocked", results[0]["label"]
            blocked.mkdir()
            (blocked / label).write_text("no folder")
            done = graft("classify", self.run_folder, self.pictures / "val", "--copy-to", blocked, "--unsure", 0.4, "--json", "--quiet", check=False)
            self.assertEqual(done.returncode, 3)  # the others are placed, and each that is not says so
            for result in json.loads(done.stdout)["results"]:
                self.assertEqual("placed" in result, "error" not in result)
                self.assertEqual("error" in result, result.get("label", label) == label, result)
            refused = graft("classify", self.run_folder, self.pictures / "val", "--copy-to", "/proc/nowhere", "--quiet", check=False)
            self.assertEqual(refused.returncode, 1)
            self.assertIn("cannot be put into it", refused.stderr)
        finally:
            (self.pictures / "val" / "broken.png").unlink()

    def test_watching_a_folder(self):
        folder = self.base / "incoming"
        folder.mkdir()
        process = subprocess.Popen([GRAFT, "classify", self.run_folder, folder, "--watch", "--format", "jsonl", "--move-to", folder / "sorted"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            for name in ("heart", "wave"):
                shutil.copy(next((self.pictures / "val" / name).iterdir()), folder / f"{name}.png")
                entry = json.loads(process.stdout.readline())
                self.assertEqual(entry["path"], str(folder / f"{name}.png"))
                self.assertTrue(os.path.exists(entry["placed"]))
            time.sleep(1.5)
        finally:
            process.send_signal(signal.SIGINT)
            rest, said = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 0, said)
        self.assertEqual(rest, "")  # what was placed is not new
        self.assertIn("2 files: 2 pictures", said)

    def test_imagenets_names_for_a_model_without_any(self):
        model = self.base / "thousand.onnx"
        graft("new", "squeezenet-1.1", "-o", model, "--classes", 1000, "--quiet")
        picture = next((self.pictures / "val" / "heart").iterdir())
        done = graft("classify", model, picture, "--preprocess", "imagenet", "--json")
        self.assertIn("1000 outputs are taken for ImageNet's", done.stderr)
        self.assertNotRegex(json.loads(done.stdout)["results"][0]["label"], r"^\d+$")


if __name__ == "__main__":
    unittest.main()
