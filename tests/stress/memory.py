"""Every method under limits of memory, one process each: it works, or raises MemoryError.

After a MemoryError the model must predict as before. Prints the outcome of each method and limit;
exits with an error where there was another one.
"""

import argparse
import multiprocessing
import resource
import tempfile
import warnings
from pathlib import Path

import torch

from skautorec import AutoRecRegressor
from skautorec.datasets import make_ratings


def outcome(work, model, ratings, before, limit):
    """Run work with so many bytes of address space more; say how it went, by the exit status."""
    used = 4096 * int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (used + limit, resource.RLIM_INFINITY))
    status = 0
    try:
        work()
    except MemoryError:
        status = 3
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        status = 4
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    # An update that works changes predictions.
    if status == 3 and model.predict(ratings).tobytes() != before.tobytes():
        status = 5
    raise SystemExit(status)


NAMES = {0: "works", 3: "MemoryError", 4: "another error", 5: "another model"}


def main():
    """Try all methods."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", default="both")
    kind = parser.parse_args().kind
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)  # a thread that cannot start ends the process
    ratings = make_ratings(4000, 6000, 60_000, random_state=0)
    model = AutoRecRegressor(200, kind=kind, max_iter=2, random_state=0).fit(ratings[:50_000])
    before = model.predict(ratings)
    R, ids = ratings.to_matrix(), ratings.user_ids
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model"
        model.save(file)
        whole = file.read_bytes()
        works = {
            "fit": lambda: model.fit(ratings),
            "fit, 1,000 units": lambda: model.set_params(hidden_units=1000).fit(ratings),
            "update": lambda: model.update(ratings[50_000:]),
            "update and read": lambda: model.update(ratings[50_000:]).user_factors_,
            "predict": lambda: model.predict(R[:500], return_std=True),
            "recommend": lambda: model.recommend(ids),
            "similar_items": lambda: model.similar_items(ratings.item_ids),
            "save": lambda: model.save(file),
            "load": lambda: AutoRecRegressor.load(file),
        }
        is_wrong = False
        for name, work in works.items():
            for megabytes in (0, 4, 16, 64, 128, 256):
                arguments = (work, model, ratings, before, megabytes << 20)
                process = multiprocessing.get_context("fork").Process(
                    target=outcome, args=arguments
                )
                process.start()
                process.join(120)
                if process.is_alive():
                    process.kill()
                    process.join()
                code = process.exitcode
                if name == "save" and code == 3 and file.read_bytes() != whole:
                    code = 5
                if name == "save" and set(Path(folder).iterdir()) != {file}:
                    code = 5
                is_wrong |= code not in (0, 3)
                print(f"{name:17} {megabytes:4} MB: {NAMES.get(code, code)}", flush=True)
    if is_wrong:
        raise SystemExit("Something else than a MemoryError, or another model after it.")


if __name__ == "__main__":
    main()
