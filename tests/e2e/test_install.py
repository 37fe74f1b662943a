"""What `cmake --install` gives: a program that starts, public headers alone, and a package that CMake and pkg-config find."""
import os
import pathlib
import re
import shutil
import subprocess
import unittest

from support import BUNDLED, GRAFT, ROOT, ScratchTest, graft

BUILD = pathlib.Path(GRAFT).parent
EXAMPLE = ROOT / "docs" / "examples"


def environment(**more):
    kept = {key: value for key, value in os.environ.items() if key != "LD_LIBRARY_PATH"}
    return {**kept, **more}


def run(*command, **more):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=900, env=environment(), **more)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


@unittest.skipUnless((BUILD / "CMakeCache.txt").is_file(), "the program does not lie in a build folder")
class Install(ScratchTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.prefix = cls.base / "prefix"
        run("cmake", "--install", BUILD, "--prefix", cls.prefix)
        cls.pictures = cls.base / "pictures"
        graft("generate", cls.pictures, "--set", "demo", "--train", 8, "--val", 5, "--quiet")
        cls.classes = sorted(folder.name for folder in (cls.pictures / "train").iterdir())
        cls.picture = sorted((cls.pictures / "val" / cls.classes[0]).iterdir())[0]

    def check_program(self, program):
        """Runs the example; returns what it prints."""
        printed = run(program, BUNDLED, self.pictures, self.picture)
        first, second = printed.splitlines()
        found = re.fullmatch(r"(\d+) classes, validation top-1 (\d\.\d{4})", first)
        self.assertTrue(found, first)
        self.assertEqual(int(found[1]), len(self.classes))
        self.assertGreater(float(found[2]), 0.3)  # chance: 0.17
        found = re.fullmatch(re.escape(str(self.picture)) + r": (\S+) (\d\.\d{3})", second)
        self.assertTrue(found, second)
        self.assertIn(found[1], self.classes)
        return printed

    def test_only_public_headers_are_installed(self):
        installed = sorted(str(p.relative_to(self.prefix / "include")) for p in (self.prefix / "include").rglob("*") if p.is_file())
        self.assertEqual(installed, sorted(f"graft/{p.name}" for p in (ROOT / "include" / "graft").iterdir()))

    def test_each_header_stands_alone(self):
        for header in sorted((self.prefix / "include" / "graft").iterdir()):
            with self.subTest(header=header.name):
                source = self.base / "one_header.cpp"
                source.write_text(f'#include "graft/{header.name}"\n#include "graft/{header.name}"\n')
                run("c++", "-std=c++20", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-I", self.prefix / "include", source)

    def test_the_program_starts(self):
        self.assertRegex(run(self.prefix / "bin" / "graft", "--version").strip(), r"^\d+\.\d+\.\d+$")

    def test_cmake_finds_the_package(self):
        build = self.base / "example"
        run("cmake", "-S", EXAMPLE, "-B", build, f"-DCMAKE_PREFIX_PATH={self.prefix}", "-DCMAKE_BUILD_TYPE=Release")
        run("cmake", "--build", build)
        self.check_program(build / "finetune_folder")

    @unittest.skipUnless(shutil.which("pkg-config"), "pkg-config is not here")
    def test_pkg_config_finds_the_package(self):
        description = next(self.prefix.rglob("graft.pc"))
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "graft"], capture_output=True, text=True, check=True,
                               env=environment(PKG_CONFIG_PATH=str(description.parent))).stdout.split()
        program = self.base / "with_pkg_config"
        run("c++", "-std=c++20", EXAMPLE / "finetune_folder.cpp", "-o", program, *flags)
        self.check_program(program)


if __name__ == "__main__":
    unittest.main()
