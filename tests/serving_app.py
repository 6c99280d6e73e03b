"""A web application that lists items, with a model whose file may be replaced at any time.

gunicorn --preload --workers 4 "serving_app:make_app('model.npz')"
"""

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
        # Before it is read: if it is replaced meanwhile, the next request finds that out.
        about = os.stat(self.path)
        return (about.st_ino, about.st_mtime_ns), AutoRecRegressor.load(self.path)

    def now(self):
        about = os.stat(self.path)
        if self._loaded[0] != (about.st_ino, about.st_mtime_ns):
            self._loaded = self._load()  # at once, for threads
        return self._loaded[1]


def make_app(path):
    models = Models(path)
    # Whatever is computed before the workers are forked is computed once, and shared.
    models.now().recommend(models.now().user_ids_[0])

    def app(environ, start_response):
        asked = parse_qs(environ["QUERY_STRING"])
        ids, scores = models.now().recommend(int(asked["user"][0]), n=5)
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps([ids.tolist(), scores.tolist()]).encode()]

    return app
