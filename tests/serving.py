"""Requests to `serving_app` while its workers are killed and its model is replaced."""

import contextlib
import http.client
import itertools
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from skautorec import AutoRecRegressor
from skautorec.datasets import make_ratings

RATINGS = make_ratings(300, 200, 8000, random_state=0)


def make_models(folder, n=3):
    """Files of models, and what each of them answers for every user."""
    answers = []
    for seed in range(n):
        model = AutoRecRegressor(8, max_iter=5, random_state=seed).fit(RATINGS)
        model.save(folder / f"{seed}.npz")
        ids, scores = model.recommend(model.user_ids_, n=5)
        answers.append([list(one) for one in zip(ids.tolist(), scores.tolist(), strict=True)])
    return answers


@contextlib.contextmanager
def server(path, n_workers=4):
    """A gunicorn with workers that it forks after the model is loaded: its process and address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = free.getsockname()
    app = f"serving_app:make_app({str(path)!r})"
    command = [sys.executable, "-W", "ignore", "-m", "gunicorn", "--preload", "--workers"]
    command += [str(n_workers), "--bind", "{}:{}".format(*address), "--log-level", "critical", app]
    # Several threads in the parent, whatever runs the tests with one.
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    process = subprocess.Popen(command, cwd=Path(__file__).parent, env=environment)
    try:
        limit = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection(address, 1):
                break
            assert process.poll() is None and time.monotonic() < limit, "no server"
            time.sleep(0.1)
        yield process, address
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def workers_of(process):
    """Numbers of the workers."""
    file = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(pid) for pid in file.read_text().split()]


@dataclass
class Load:
    """What requests came to."""

    n_answers: int = 0
    n_wrong: int = 0
    n_lost: int = 0
    n_retries: int = 0
    n_kills: int = 0
    n_models: int = 0
    seconds: list = field(default_factory=list)
    by_model: set = field(default_factory=set)


def ask(address, user):
    """The answer for a user."""
    connection = http.client.HTTPConnection(*address, timeout=30)
    try:
        connection.request("GET", f"/?user={user}")
        response = connection.getresponse()
        body = response.read()
        assert response.status == 200, body
        return json.loads(body)
    finally:
        connection.close()


def run(folder, n_requests, n_clients=4, seed=0, kill_every=1.0, replace_every=0.3, seconds=60):
    """Ask for lists in several threads while workers are killed and the model is replaced.

    On a fast machine the requests go on until a worker was killed and each model has answered, or
    for the seconds that are given.
    """
    answers, path, load = make_models(folder), folder / "model.npz", Load()
    shutil.copy(folder / "0.npz", path)
    lock, is_over, numbers = threading.Lock(), threading.Event(), itertools.count()
    limit = time.monotonic() + seconds

    def is_more():
        is_seen = load.n_kills and len(load.by_model) == len(answers)
        return next(numbers) < n_requests or (not is_seen and time.monotonic() < limit)

    def client(number):
        rng = random.Random(seed + number)
        while is_more():
            user = rng.randrange(len(answers[0]))
            start = time.monotonic()
            answer, n_retries = None, 0
            while answer is None and n_retries < 20:
                try:
                    answer = ask(address, user)
                except (OSError, http.client.HTTPException):
                    # As a load balancer does when a worker dies.
                    n_retries += 1
                    time.sleep(0.05)
            of = [i for i, known in enumerate(answers) if known[user] == answer]
            with lock:
                load.n_answers += answer is not None
                load.n_lost += answer is None
                load.n_wrong += answer is not None and not of
                load.n_retries += n_retries
                load.by_model.update(of)
                load.seconds.append(time.monotonic() - start)

    def every(seconds, act):
        while not is_over.wait(seconds):
            act()

    def kill():
        with contextlib.suppress(OSError, IndexError):
            os.kill(random.choice(workers_of(process)), signal.SIGKILL)
            load.n_kills += 1

    def replace():
        load.n_models += 1
        saved = AutoRecRegressor.load(folder / f"{load.n_models % len(answers)}.npz")
        saved.save(path)

    with server(path) as (process, address):
        threads = [threading.Thread(target=client, args=(i,)) for i in range(n_clients)]
        others = [
            threading.Thread(target=every, args=about)
            for about in ((kill_every, kill), (replace_every, replace))
        ]
        for thread in (*threads, *others):
            thread.start()
        for thread in threads:
            thread.join()
        is_over.set()
        for thread in others:
            thread.join()
    return load
