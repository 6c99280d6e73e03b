"""MovieTweetings as it came: what never fitting again costs, what updates give back, and refitting.

A model is fitted to the ratings of the first months. From then on the ratings of each week are
predicted before they are given to anybody: by the model as it was fitted, by one that is updated
at the end of each week or each day, and by one that is fitted again at the end of each week; damped
biases, fitted again each week, are beside them. The table has the error of each month and of all,
how often something was learned, and the seconds of each time.
"""

import argparse
import time

import numpy as np
import pandas as pd
from data import FILES, folder, machine

from skautorec import AutoRecRegressor, Ratings
from skautorec.baselines import BiasRegressor

COLUMNS = {"user": "user", "item": "item", "rating": "rating"}
WEEK, DAY = "7D", "1D"


def read(name):
    """Ratings in the order that they came in, and when."""
    file, options = FILES[name]
    frame = pd.read_csv(folder() / file, **options).sort_values("time", kind="stable")
    frame["time"] = pd.to_datetime(frame["time"], unit="s")
    return frame.drop_duplicates(["user", "item"], keep="first").reset_index(drop=True)


def table(frame):
    """`Ratings` of some rows."""
    return Ratings.from_frame(frame, **COLUMNS)


class Service:
    """A model that serves, and what is done with the ratings of each period.

    Parameters
    ----------
    model : estimator
    every : str
        Length of the period.
    learn : callable
        Takes the model, all ratings so far and those of the period.
    """

    def __init__(self, model, every, learn):
        self.model, self.every, self.learn = model, every, learn
        self.seconds, self.n_times = 0.0, 0

    def replay(self, past, later):
        """Predict the ratings of each period before they are learned: in the order of ``later``."""
        self.model.fit(table(past))
        predicted = []
        for _, part in later.groupby(pd.Grouper(key="time", freq=self.every, origin="start")):
            if len(part):
                predicted.append(self.model.predict(table(part)))
                start = time.perf_counter()
                self.learn(
                    self.model, lambda end=part.index[-1]: self.until(past, later, end), part
                )
                self.seconds += time.perf_counter() - start
                self.n_times += 1
        return np.concatenate(predicted)

    @staticmethod
    def until(past, later, end):
        """All ratings up to one."""
        return table(pd.concat((past, later.loc[:end])))


def services(kind, rating_range):
    """What is compared."""

    def new():
        return AutoRecRegressor(kind=kind, random_state=0, rating_range=rating_range)

    def nothing(model, until, part):
        pass

    def update(model, until, part):
        model.update(table(part))

    def refit(model, until, part):
        model.fit(until())

    return {
        "never": Service(new(), WEEK, nothing),
        "update each week": Service(new(), WEEK, update),
        "update each day": Service(new(), DAY, update),
        "fit each week": Service(new(), WEEK, refit),
        "biases, fit each week": Service(BiasRegressor(), WEEK, refit),
    }


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    sets = ["movietweetings", "ml-100k"]
    parser.add_argument("set", nargs="?", default=sets[0], choices=sets)
    parser.add_argument("--kind", default="both", choices=["item", "user", "both"])
    parser.add_argument("--share", type=float, default=0.35, help="of the ratings that are fitted")
    options = parser.parse_args()
    frame = read(options.set)
    cut = frame["time"].iloc[int(options.share * len(frame))].normalize()
    past = frame[frame["time"] < cut]
    later = frame[frame["time"] >= cut]
    new_users, new_items = (
        (~later[side].isin(past[side])).mean() for side in (COLUMNS["user"], COLUMNS["item"])
    )
    print(machine())
    print(f"\n{options.set}, kind={options.kind!r}: {len(past):,} ratings before {cut:%Y-%m-%d}")
    print(
        f"{len(later):,} after, {new_users:.0%} of them by users and {new_items:.0%} of items that "
        "came later\n"
    )
    months = later["time"].dt.strftime("%Y-%m").to_numpy()
    names = np.unique(months)
    print(f"| model | {' | '.join(names)} | all | times | seconds each |")
    print("|---" * (len(names) + 4) + "|")
    bounds = frame["rating"].min(), frame["rating"].max()
    for name, service in services(options.kind, bounds).items():
        errors = np.square(later["rating"].to_numpy() - service.replay(past, later))
        of_months = " | ".join(f"{errors[months == one].mean() ** 0.5:.3f}" for one in names)
        each = service.seconds / service.n_times
        whole = errors.mean() ** 0.5
        print(
            f"| {name} | {of_months} | {whole:.4f} | {service.n_times} | {each:.3f} |", flush=True
        )


if __name__ == "__main__":
    main()
