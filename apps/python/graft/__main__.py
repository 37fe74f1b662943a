"""The `graft` command: the program that the package brings along."""
import os
import pathlib
import sys


def main():
    program = pathlib.Path(__file__).parent / "bundle" / "bin" / "graft"
    os.execv(program, ["graft", *sys.argv[1:]])


if __name__ == "__main__":
    main()
