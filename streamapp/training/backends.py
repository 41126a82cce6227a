"""Where joblib's parallel calls go while a model is fitted: estimators with ``n_jobs`` make them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from streamapp.errors import ConfigError, TrainingError, in_one_line

__all__ = ["check_backend", "parallel"]

_DEFAULT = "loky"
_CONNECT_S = 30
_PAGES = "127.0.0.1:0"

_PACKAGES = {"dask": ("distributed", "streamapp[dask]"), "ray": ("ray", "ray")}
"""Backends of other packages: what they need, and what to install."""


@contextmanager
def parallel(backend: str = _DEFAULT, *, dask_address: str | None = None) -> Iterator[None]:
    """Send joblib's parallel calls to `backend` within the block.

    ``loky`` is joblib as it is by itself: processes, or threads where an estimator prefers them (forests do),
    and neither without ``n_jobs``. Any other backend takes all calls, whatever an estimator prefers; ``dask``
    also those of estimators without ``n_jobs``.

    Parameters
    ----------
    backend
        ``loky``, ``threading``, ``dask``, ``ray``, or one that is registered with joblib.
    dask_address
        Of the scheduler; None: threads of this process.

    Raises
    ------
    ConfigError
        If there is no such backend, or its package is not installed.
    TrainingError
        If the scheduler does not answer.
    """
    check_backend(backend)
    with ExitStack() as stack:
        if backend != _DEFAULT:
            stack.enter_context(_START.get(backend, _nothing)(dask_address))
            stack.enter_context(_configured(backend))
        yield


def check_backend(backend: str) -> None:
    """Raise ConfigError if there is no such backend, or its package is not installed."""
    import joblib  # noqa: PLC0415

    if backend in _PACKAGES:
        package, what = _PACKAGES[backend]
        if find_spec(package) is None:
            raise ConfigError(f"training backend {backend!r} needs a package: pip install {what!r}")
    elif backend not in joblib.parallel.BACKENDS:
        known = ", ".join(sorted({*joblib.parallel.BACKENDS, *_PACKAGES}))
        raise ConfigError(
            f"training backend {backend!r} is none of {known}, nor registered with joblib by the trainer's "
            "module"
        )


def _configured(backend: str) -> AbstractContextManager[Any]:
    import joblib  # noqa: PLC0415

    return joblib.parallel_config(backend=backend)  # type: ignore[no-any-return]


def _nothing(address: str | None) -> AbstractContextManager[Any]:
    return nullcontext()


def _start_dask(address: str | None) -> AbstractContextManager[Any]:
    from dask.distributed import Client  # noqa: PLC0415

    if address is None:
        # Pages cannot be left out, but need not be seen from elsewhere.
        return Client(processes=False, dashboard_address=_PAGES, worker_dashboard_address=_PAGES)  # type: ignore[no-any-return]
    try:
        return Client(address, timeout=_CONNECT_S)  # type: ignore[no-any-return]
    except (OSError, ValueError) as exc:
        raise TrainingError(
            f"the Dask scheduler at {address} was not reached within {_CONNECT_S} s: {in_one_line(exc)}; "
            "start it, or correct dask_address"
        ) from exc


def _start_ray(address: str | None) -> AbstractContextManager[Any]:
    import_module("ray.util.joblib").register_ray()
    return nullcontext()


_START: dict[str, Callable[[str | None], AbstractContextManager[Any]]] = {
    "dask": _start_dask,
    "ray": _start_ray,
}
