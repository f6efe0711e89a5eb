"""Which set a config names: NAME, or NAME@CONTENT once it is known which content is meant."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cdsp_core.data.idx import DatasetError
from cdsp_core.data.own.stored import About, OwnSet, own_folder, path_of, read_about, read_set
from cdsp_core.settings.config import RunConfig


def with_own_data(config: RunConfig, folder: Path | None = None) -> RunConfig:
    """`config` with the content of its set, and as many outputs as the set has classes, where it named none yet.

    One without a set stays as it is. Raises DatasetError where the set is not here, or is another now.
    """
    reference = config.train.dataset
    if not reference:
        return config
    about = about_of(reference, folder)
    if "@" in reference:
        return config
    return replace(
        config,
        model=replace(config.model, num_classes=about.most_classes),
        train=replace(config.train, dataset=about.reference),
    )


def about_of(reference: str, folder: Path | None = None) -> About:
    """What is known of the set that is meant. Raises DatasetError where it is not here, or is another now."""
    name, _, content = reference.partition("@")
    about = read_about(path_of(name, own_folder() if folder is None else folder))
    _check(about, content)
    return about


def chosen_set(reference: str) -> OwnSet:
    """The set that is meant, whole. Raises DatasetError; a reference must say which content."""
    name, _, content = reference.partition("@")
    if not content:
        raise DatasetError(f"dataset must say which content is meant, NAME@CONTENT. Found {reference!r}.")
    path = path_of(name, own_folder())
    about = read_about(path)
    _check(about, content)
    return read_set(path)


def _check(about: About, content: str) -> None:
    if content and content != about.content:
        raise DatasetError(
            f"The data set {about.name} is another one now: this run's has the content {content}, and here is "
            f"{about.content}. Put the one back that it was made with."
        )
