"""What README.md and the pages of docs/howto show is what happens: their commands run, and their output is compared."""
import os
import pathlib
import re
import shutil
import subprocess
import unittest

from support import BUNDLED, DATA, GRAFT, ROOT, ScratchTest, graft, needs_data

TOUR = "## A tour on real pictures"
# What a number of these depends on is the machine.
TIMED = re.compile(r"\d[\d.,]*( s\b|/s)|takes about|took")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def blocks(text):
    """(command, shown lines) of each `$ …` line in blocks that are indented by four."""
    found = []
    for line in text.splitlines():
        if line.startswith("    $ "):
            found.append((line[6:], []))
        elif line.startswith("    ") and found and found[-1] is not None:
            found[-1][1].append(line[4:])
        elif line.strip() and found:
            found.append(None)  # what follows in another block belongs to no command
    return [block for block in found if block]


def alike(shown, actual):
    """The same words; numbers within a quarter, since processors round differently and pictures on the edge move."""
    if NUMBER.sub("#", shown) != NUMBER.sub("#", actual):
        return False
    for a, b in zip(map(float, NUMBER.findall(shown)), map(float, NUMBER.findall(actual))):
        if abs(a - b) > max(0.25 * abs(a), 3 if abs(a) >= 1 else 0.1):
            return False
    return True


class Documents(ScratchTest):
    def run_page(self, page, text, folder):
        programs = folder / "bin"
        programs.mkdir()
        (programs / "graft").symlink_to(GRAFT)
        # One instruction set: which of two pictures comes first may hang on how sums are rounded.
        environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "NO_COLOR": "1", "ONEDNN_MAX_CPU_ISA": "AVX2"}
        commands = blocks(text)
        self.assertTrue(commands, page)
        for command, shown in commands:
            done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], cwd=folder, env=environment, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
            self.assertEqual(done.returncode, 0, f"{page.name}: {command}\n{done.stdout[-2000:]}")
            actual = [line.replace(f"{folder.resolve()}/", "") for line in done.stdout.splitlines()]
            at = 0
            for line in shown:
                if line.strip() in ("", "...") or TIMED.search(line):
                    continue
                place = next((i for i in range(at, len(actual)) if alike(line.strip(), actual[i].strip())), None)
                self.assertIsNotNone(place, f"{page.name}: {command}\nshows: {line}\nprints:\n" + "\n".join(actual[-60:]))
                at = place + 1

    def test_how_to_pages(self):
        pages = sorted((ROOT / "docs/howto").glob("*.md"))
        self.assertGreaterEqual(len(pages), 7)
        for page in pages:
            if "    $ " not in page.read_text():
                continue
            with self.subTest(page.name):
                folder = self.base / page.stem
                folder.mkdir()
                shutil.copy(BUNDLED, folder)
                self.run_page(page, page.read_text(), folder)

    def test_quick_start(self):
        folder = self.base / "start"
        folder.mkdir()
        shutil.copy(BUNDLED, folder)
        readme = ROOT / "README.md"
        self.run_page(readme, readme.read_text().split(TOUR)[0], folder)

    @needs_data
    def test_tour(self):
        folder = self.base / "readme"
        folder.mkdir()
        (folder / "mobilenet_v2_trunk.onnx").symlink_to(DATA / "models/mobilenet_v2_trunk.onnx")
        (folder / "hymenoptera").symlink_to(DATA / "hymenoptera")
        readme = ROOT / "README.md"
        self.run_page(readme, readme.read_text().split(TOUR)[1], folder)

    def test_options_that_documents_name_are_there(self):
        known = set(re.findall(r"--[a-z][a-z0-9-]*", graft("completion", "bash").stdout))
        others = {"--prefix", "--install", "--cflags", "--libs", "--logdir", "--user", "--check", "--graph", "--help-all", "--version", "--config"}
        for page in [ROOT / "README.md", ROOT / "docs/faq.md", *(ROOT / "docs/howto").glob("*.md")]:
            for option in set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", page.read_text())) - others:
                self.assertIn(option, known, f"{page.name} tells of {option}")

    @unittest.skipUnless(shutil.which("doxygen"), "doxygen is not here")
    def test_reference_is_made_without_a_warning(self):
        pages = self.base / "reference"
        settings = (ROOT / "docs/Doxyfile").read_text() + f"OUTPUT_DIRECTORY = {pages}\n"
        done = subprocess.run(["doxygen", "-"], input=settings, cwd=ROOT, capture_output=True, text=True, timeout=120)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        # Comments behind members are theirs, in C and in C++.
        self.assertIn("0: all cores", (pages / "html/structgraft__compute.html").read_text())
        self.assertIn("best validation score of each fold", (pages / "html/structgraft_1_1FoldsResult.html").read_text())

    def test_links_lead_somewhere(self):
        for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs/howto").glob("*.md"), *(ROOT / "docs/decisions").glob("*.md")]:
            for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
                if not re.match(r"[a-z]+:", target):
                    self.assertTrue((page.parent / target).exists(), f"{page.name}: {target}")


if __name__ == "__main__":
    unittest.main()
