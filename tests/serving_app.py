"""Lists of items, by a model whose file may be replaced at any time."""

import json
import os
from urllib.parse import parse_qs

from skautorec import AutoRecRegressor


class Models:
    """The model that is in a file now."""

    def __init__(self, path):
        self.path = path
        self._loaded = self._load()

    def _load(self):
        # Looked at first: what replaces it meanwhile is read next time.
        version = self._version()
        return version, AutoRecRegressor.load(self.path)

    def _version(self):
        about = os.stat(self.path)
        return about.st_ino, about.st_mtime_ns

    def now(self):
        if self._loaded[0] != self._version():
            self._loaded = self._load()  # both at once, for threads
        return self._loaded[1]


def make_app(path):
    models = Models(path)
    # What is computed before the workers are forked is computed once.
    models.now().recommend(models.now().user_ids_[0])

    def app(environ, start_response):
        asked = parse_qs(environ["QUERY_STRING"])
        ids, scores = models.now().recommend(int(asked["user"][0]), n=5)
        start_response("200 OK", [("Content-Type", "application/json")])
        answer = [ids.tolist(), scores.tolist()]
        return [json.dumps(answer).encode()]

    return app
