"""Seconds to import skautorec, against torch and scikit-learn, which it cannot do without.

Fresh processes in alternating rounds; medians are quoted.
"""

import argparse
import json
import subprocess
import sys

from data import alternate, machine

IMPORTS = {"import torch, sklearn": "torch, sklearn", "import skautorec": "skautorec"}


def main():
    """Print the table and its JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three rounds")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()

    def start(modules):
        return lambda: subprocess.run([sys.executable, "-c", f"import {modules}"], check=True)

    steps = {name: start(modules) for name, modules in IMPORTS.items()}
    alternate(steps, 1)  # the disk's cache
    medians, _ = alternate(steps, 3 if options.quick else options.rounds)
    reference, ours = medians.values()
    print(machine(), "\n\n| process | median s | ratio |\n|---|---|---|")
    for name, median in medians.items():
        print(f"| {name} | {median:.2f} | {median / reference:.2f} |")
    print(json.dumps({"seconds": medians, "ratio": ours / reference}))


if __name__ == "__main__":
    main()
