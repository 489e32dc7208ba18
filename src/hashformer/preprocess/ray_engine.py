"""The same work on a Ray cluster: one actor for each worker, each with its own face models."""

import importlib
import os
from collections.abc import Generator, Iterator
from typing import Any

from hashformer.config import Config
from hashformer.errors import SetupError
from hashformer.faces.follow import FaceFinder
from hashformer.preprocess.prepare import Job, Outcome, prepare_file


def run_ray(jobs: Iterator[Job], config: Config, *, workers: int) -> Generator[Outcome, None, None]:
    """Prepare files on the cluster that `RAY_ADDRESS` names, or on a local one made for the run.

    Every machine must see the corpus and the output folder under the same paths.

    Args:
        jobs: The files; one is taken when an actor is free for it.
        config: Rates and faces.
        workers: How many actors, each on one core.

    Yields:
        Outcomes, in the order in which they are ready. An actor that dies costs the file it was at.

    Raises:
        SetupError: If Ray is not installed, or an actor cannot load the face models.
    """
    ray = _ray()
    is_ours = not ray.is_initialized()
    if is_ours:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported behind the user's back
        local = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": workers}
        ray.init(include_dashboard=False, log_to_driver=False, **local)
    try:
        yield from _run(ray, jobs, config, workers)
    finally:
        if is_ours:
            ray.shutdown()


class Preparer:
    """What an actor is."""

    def __init__(self, config: Config) -> None:
        self._config, self._finder = config, FaceFinder(config.faces)

    def prepare(self, job: Job) -> Outcome:
        """Prepare one file."""
        return prepare_file(job, self._config, self._finder)


def _run(ray: Any, jobs: Iterator[Job], config: Config, workers: int) -> Iterator[Outcome]:
    remote = ray.remote(num_cpus=1)(Preparer)
    at_work: dict[Any, tuple[Any, Job]] = {}
    for _, job in zip(range(workers), jobs, strict=False):
        actor = remote.remote(config)
        at_work[actor.prepare.remote(job)] = actor, job
    while at_work:
        (ready,), _ = ray.wait(list(at_work), num_returns=1)
        actor, job = at_work.pop(ready)
        try:
            yield ray.get(ready)
        except (ray.exceptions.ActorUnschedulableError, ray.exceptions.RuntimeEnvSetupError) as error:
            raise SetupError(f"Ray cannot start an actor: {_line(error)}") from error
        except ray.exceptions.RayError as error:  # the actor died, or came upon what nobody foresaw
            if "__init__" in str(error) or "creation task" in str(error):
                raise SetupError(f"an actor cannot load the face models: {_line(error)}") from error
            yield Outcome(name=job.name, status="failed", reason=f"the Ray actor that read it failed: {_line(error)}")
            ray.kill(actor)
            actor = remote.remote(config)
        following = next(jobs, None)
        if following is None:
            ray.kill(actor)
        else:
            at_work[actor.prepare.remote(following)] = actor, following


def _ray() -> Any:
    try:
        return importlib.import_module("ray")
    except ModuleNotFoundError:
        raise SetupError(
            'Ray is not installed. pip install "hashformer[ray]", or use --engine local on one machine.'
        ) from None


def _line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
