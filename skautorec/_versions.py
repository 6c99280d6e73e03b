"""What a report of a fault should say of the machine."""

import importlib.metadata
import platform
import sys

import torch

__all__ = ["__version__", "show_versions"]

__version__ = "0.1.0.dev0"

_PACKAGES = (
    "numpy", "scipy", "scikit-learn", "narwhals", "pandas", "polars", "pyarrow",
    "matplotlib", "joblib", "threadpoolctl",
)  # fmt: skip


def show_versions() -> None:
    """Print the versions of Python, skautorec and what it uses, for reports of faults.

    With the platform, and of torch the threads and CUDA devices.

    Examples
    --------
    >>> import skautorec
    >>> skautorec.show_versions()  # doctest: +ELLIPSIS
    python: 3...
    skautorec: ...
    """
    print(f"python: {sys.version.split()[0]}")
    print(f"skautorec: {__version__}")
    for name in _PACKAGES:
        print(f"{name}: {_version(name)}")
    print(f"torch: {torch.__version__}, {torch.get_num_threads()} threads, CUDA {_cuda()}")
    print(f"platform: {platform.platform()}")


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _cuda() -> str:
    if not torch.cuda.is_available():
        return "not available"
    devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return f"{torch.version.cuda} on {', '.join(devices)}"
