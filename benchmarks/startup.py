"""Seconds to import skautorec, against torch and scikit-learn, which it cannot do without.

Fresh processes in alternating rounds; medians are quoted. Another order of the same imports moves
the passes of Python's garbage collector, which costs or saves a twentieth.
"""

import argparse
import json
import subprocess
import sys

from data import alternate, machine

IMPORTS = ["torch, sklearn", "torch, sklearn, skautorec", "skautorec"]


def main():
    """Print the table and its JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three rounds")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()

    def start(modules):
        return lambda: subprocess.run([sys.executable, "-c", f"import {modules}"], check=True)

    steps = {f"import {modules}": start(modules) for modules in IMPORTS}
    alternate(steps, 1)  # the disk's cache
    medians, _ = alternate(steps, 3 if options.quick else options.rounds)
    reference = medians["import torch, sklearn"]
    print(machine(), "\n\n| process | median s | ratio |\n|---|---|---|")
    for name, median in medians.items():
        print(f"| {name} | {median:.2f} | {median / reference:.2f} |")
    print(json.dumps(medians))


if __name__ == "__main__":
    main()
