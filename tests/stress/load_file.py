"""Fuzz `load` with atheris, which follows what of the code an input reaches.

    python -m pip install atheris
    OMP_NUM_THREADS=1 python tests/stress/load_file.py --seconds 600

Bytes that atheris makes are read as a file, and as the header of a file whose checksums are right.
A file is refused with a ValueError, or what loads answers; atheris stops at anything else.
"""

import argparse
import io
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    args = parser.parse_args()
    import atheris

    with atheris.instrument_imports(include=["skautorec._files", "skautorec._data"]):
        from test_files import MODELS, saved, with_header

    model = MODELS["item"]
    content = saved(model)

    def once(raw):
        is_header, raw = raw[:1] > b"\x7f", raw[1:]
        try:
            loaded = type(model).load(
                io.BytesIO(with_header(content, lambda text: raw) if is_header else raw)
            )
        except ValueError:
            return
        loaded.recommend(loaded.user_ids_[0])

    headers = []
    with_header(content, lambda text: headers.append(text) or text)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "file").write_bytes(b"\0" + content)
        (Path(folder) / "header").write_bytes(b"\xff" + headers[0])
        options = [f"-max_total_time={args.seconds}", "-max_len=20000", folder]
        atheris.Setup([sys.argv[0], *options], once)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
