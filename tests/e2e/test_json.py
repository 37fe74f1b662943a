"""What --json prints is what docs/json.md says: keys, types, commands, and errors with a code."""
import json
import re
import unittest

import numpy as np

from support import BUNDLED, ROOT, ScratchTest, graft

TYPES = {"number": (int, float), "string": str, "array": list, "object": dict, "boolean": bool}


def documented():
    table = {}
    for line in (ROOT / "docs" / "json.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| ") and len(cells) == 4 and cells[1].strip() in TYPES:
            table[cells[0]] = (cells[1], cells[2].split(", "))
    return table


class Json(ScratchTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.table, cls.types = documented(), {}
        cls.pictures = cls.base / "pictures"
        graft("generate", cls.pictures, "--set", "demo", "--train", 6, "--val", 4, "--quiet")
        cls.run_folder = cls.base / "run"
        graft("finetune", BUNDLED, cls.pictures, "-o", cls.run_folder, "--epochs", 2, "--no-report", "--quiet")

    def told(self, command, *arguments):
        done = graft(command, *arguments, "--json", check=False)
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 1, done.stdout[:500] + done.stderr[-500:])
        told = json.loads(lines[0])
        self.assertEqual(told["schema"], 2)
        self.note_types(told, command)
        for key, value in told.items():
            self.assertIn(key, self.table, f"docs/json.md does not tell of {key}, which {command} prints")
            kind, commands = self.table[key]
            if "all" not in commands:
                self.assertIn(command, commands, key)
            if value is not None:
                self.assertIsInstance(value, TYPES[kind], key)
                self.assertEqual(isinstance(value, bool), kind == "boolean", key)
        return told

    def note_types(self, value, command):
        """Every key at every depth: its types, and where each was seen."""
        if isinstance(value, list):
            for entry in value:
                self.note_types(entry, command)
        elif isinstance(value, dict):
            for key, entry in value.items():
                kind = next((name for name in ("boolean", *TYPES) if isinstance(entry, TYPES[name])), None)
                if kind:
                    self.types.setdefault(key, {}).setdefault(kind, set()).add(command)
                self.note_types(entry, command)

    def test_every_command(self):
        seen = {}
        picture = next((self.pictures / "val" / "heart").iterdir())
        np.save(self.base / "zeros.npy", np.zeros((1, 3, 64, 64), np.float32))
        light = self.base / "light.csv"
        paths = sorted(self.pictures.rglob("*.png"))
        light.write_text("path,light,split\n" + "".join(f"{path},{i % 5},{'val' if 'val' in path.parts else 'train'}\n" for i, path in enumerate(paths)))
        marks = self.base / "marks.csv"
        marks.write_text("path,labels,split\n" + "".join(f"{path},{'odd' if i % 2 else 'even'},{'val' if 'val' in path.parts else 'train'}\n" for i, path in enumerate(paths)))
        for command, *arguments in (
                ("finetune", BUNDLED, self.pictures, "-o", self.base / "recipe", "--budget", 5, "--no-report"), ("finetune", BUNDLED, light, "-o", self.base / "light", "--task", "regression", "--epochs", 1),
                ("finetune", BUNDLED, marks, "-o", self.base / "marks", "--task", "multi-label", "--epochs", 1), ("finetune", BUNDLED, self.pictures, "-o", self.base / "rates", "--find-lr"),
                ("evaluate", self.run_folder, self.pictures), ("evaluate", self.run_folder, "--split", "each"), ("evaluate", self.base / "light"), ("evaluate", self.base / "marks"),
                ("classify", self.run_folder, picture), ("explain", self.run_folder, picture, "-o", self.base / "seen"), ("report", self.run_folder, "-o", self.base / "report.html"),
                ("extract", self.run_folder, self.pictures / "val", "-o", self.base / "f.npz"), ("check", self.pictures), ("inspect", self.run_folder), ("doctor",), ("compare", self.run_folder, self.base / "recipe"), ("suggest", self.run_folder, self.pictures / "val"),
                ("classify", self.run_folder, picture, "--unsure", 0.5), ("classify", self.base / "marks", picture), ("classify", self.base / "light", picture), ("inspect", self.base / "marks"),
                ("inspect", self.base / "light"), ("index", self.base / "f.npz", "-o", self.base / "f.index"), ("find", self.run_folder, picture, "--in", self.base / "f.index"), ("finetune", BUNDLED, self.pictures, "-o", self.base / "auto", "--auto", 1, "--epochs", 1, "--no-report"),
                ("finetune", BUNDLED, self.pictures, "-o", self.base / "folds", "--folds", 2, "--epochs", 1, "--no-report"), ("finetune", BUNDLED, self.pictures, "-o", self.base / "seeds", "--seeds", 2, "--budget", 1, "--no-report"),
                ("compare", self.run_folder, self.base / "auto"), ("quantize", self.run_folder / "model.onnx", self.pictures, "-o", self.base / "small.onnx"), ("preview", self.pictures, "-o", self.base / "sheet.html")):
            for key in self.told(command, *arguments):
                seen.setdefault(key, set()).add(command)
        self.assertEqual({key: kinds for key, kinds in self.types.items() if len(kinds) > 1}, {})
        commands = {command for commands in seen.values() for command in commands}
        # And the table tells of nothing that is not printed.
        for key, (_, said) in self.table.items():
            for command in said:
                if command in commands and key not in ("error", "roc_auc"):
                    self.assertIn(command, seen.get(key, ()), key)

    def test_errors_have_a_code(self):
        for arguments, code in ((["evaluate", self.run_folder, self.base / "nowhere"], "not_found"), (["classify", self.base / "no.onnx", self.pictures], "not_found"),
                                (["finetune", BUNDLED, self.pictures, "-o", self.base / "x", "--class-weights", "1,2"], "invalid_argument")):
            done = graft(*arguments, "--json", check=False)
            self.assertEqual(done.returncode, 2 if code == "invalid_argument" else 1)
            told = json.loads(done.stdout)
            self.assertEqual(told.keys(), {"schema", "error"})
            self.assertEqual(told["error"]["code"], code, told)
            self.assertEqual(done.stderr.strip().splitlines()[-1], "graft: error: " + told["error"]["text"])

    def test_codes_are_the_librarys(self):
        codes = re.findall(r"^  (\w+),", (ROOT / "include/graft/error.h").read_text().split("enum class ErrorCode")[1].split("};")[0], re.M)
        text = (ROOT / "apps/cli/json_output.cpp").read_text()
        for code in codes:
            self.assertIn(f'return "{code}";', text)


if __name__ == "__main__":
    unittest.main()
