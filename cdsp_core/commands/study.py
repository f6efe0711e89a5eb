"""The command `study`: experiments over seeds."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from cdsp_core.commands.options import (
    RESULTS,
    add_jobs,
    check_packages,
    folder,
    made_ready,
    place,
    positive,
    where_jobs_run,
)

if TYPE_CHECKING:
    from cdsp_core.studies.framework.progress import Progress
    from cdsp_core.studies.framework.study import Study, StudyOptions


def add_options(study: argparse.ArgumentParser) -> None:
    """The options of `python -m cdsp_core study`."""
    study.add_argument(
        "names", nargs="*", metavar="NAME", help="studies to run; `all` runs every one, no name lists them"
    )
    study.add_argument("--list", action="store_true", help="list the studies and their questions")
    study.add_argument("--seeds", type=positive, metavar="N", help="number of seeds (default 10; 3 with --smallest)")
    study.add_argument("--first-seed", type=int, default=0, metavar="S", help="seeds S to S + N - 1 (default 0)")
    study.add_argument(
        "--smallest", action="store_true", help="run the smallest form, which takes minutes on two cores"
    )
    study.add_argument(
        "--data", choices=("embedded", "full"), default="embedded", help="images to use (default embedded)"
    )
    study.add_argument("--data-root", type=Path, metavar="DIR", help="folder of the full sets, in torchvision's layout")
    study.add_argument(
        "--missing-kmnist", choices=("fail", "kana"), default="fail", help="kana: draw them where KMNIST is not there"
    )
    add_jobs(study)
    study.add_argument(
        "--device",
        default="cpu",
        help="cpu (default); cuda or auto: first train there, many runs at once, what differs in seed and controls",
    )
    study.add_argument("--batched", action="store_true", help="train many runs at once on the CPU too")
    study.add_argument(
        "--batch-runs", type=positive, default=128, metavar="N", help="most runs at once (128), fewer where none fit"
    )
    study.add_argument(
        "--batches", type=positive, default=1, metavar="N", help="batches side by side (1): small ones fill no GPU"
    )
    study.add_argument("--only-batched", action="store_true", help="end when the batches are done")
    study.add_argument(
        "--out",
        type=place,
        default=RESULTS,
        metavar="DIR",
        help="folder for the results, or s3://BUCKET/PREFIX (default studies/)",
    )
    study.add_argument(
        "--redo-stale", action="store_true", help="do over what other settings or another revision of the code did"
    )
    study.add_argument(
        "--record",
        type=folder,
        metavar="DIR",
        help="record each training of the image encoder on the way, under 10 kB each; what is done is not repeated",
    )
    study.add_argument("--as-it-stands", action="store_true", help="run nothing; claims from the jobs that are done")
    study.add_argument("--progress", choices=("bar", "json"), default="bar", help="json: one JSON object a line")


def run(options: argparse.Namespace) -> int:
    """Run them; the exit status."""
    from cdsp_core.studies import NAMES, load_study

    if options.list or not options.names:
        for name in NAMES:
            print(f"{name}: {load_study(name).question}")
        return 0
    chosen = [load_study(name) for name in (NAMES if options.names == ["all"] else options.names)]
    if options.data == "full" and options.data_root is None:
        raise ValueError("--data full needs --data-root, the folder of the full sets. Found none.")
    if options.progress == "bar" and sys.stderr.isatty():  # loading takes seconds, in which the bar has nothing to show
        print(f"{', '.join(this.name for this in chosen)}: loading, and reading what is done.", file=sys.stderr)
    if options.only_batched:  # no reports
        check_packages(("matplotlib", "pyarrow", "tqdm"))
    else:
        check_packages()

    from cdsp_core.studies.framework.evidence_page import claim_json
    from cdsp_core.studies.framework.missing import StudyIncompleteError
    from cdsp_core.studies.framework.progress import Bar, JsonLines, print_json
    from cdsp_core.studies.framework.runner import run_study
    from cdsp_core.studies.framework.study import StudyOptions

    form = StudyOptions(
        seeds=options.seeds or (3 if options.smallest else 10),
        data=options.data,
        data_root=options.data_root,
        missing_kmnist=options.missing_kmnist,
        smallest=options.smallest,
        first_seed=options.first_seed,
        record=options.record,
    )
    if options.record is not None and (options.batched or options.only_batched or options.device != "cpu"):
        raise ValueError("--record needs trainings one at a time, on the CPU. Found a batch asked for.")
    status = 0
    if options.batched or options.only_batched or options.device != "cpu":
        status = _train_batches(chosen, form, options, JsonLines() if options.progress == "json" else Bar())
        if options.only_batched:
            return status
    run_all, at_once = where_jobs_run(options)
    for this in chosen:
        progress = JsonLines() if options.progress == "json" else Bar()
        try:
            finished = run_study(
                this,
                form,
                out=options.out,
                processes=at_once,
                run_all=run_all,
                progress=progress,
                redo_stale=options.redo_stale,
                as_it_stands=options.as_it_stands,
            )
        except StudyIncompleteError as error:
            progress.problem(this.name, str(error))
            status = 1
            continue
        claims, report = finished.findings.claims, finished.report
        if options.progress == "json":
            content = {"claims": [claim_json(claim) for claim in claims], "report": str(report)}
            print_json({"type": "result", "study": this.name, **content})
        else:
            lines = (f"  {claim.verdict}: {claim.claim.removesuffix('.')}. {claim.measured}" for claim in claims)
            print(f"{this.name}: {report}", *lines, sep="\n")
    return status


def _train_batches(chosen: list[Study], form: StudyOptions, options: argparse.Namespace, progress: Progress) -> int:
    """Train what can be trained many at once; the studies then find it done."""
    from cdsp_core.studies.experiments.batched_jobs import TITLE, train_in_batches
    from cdsp_core.training.device import use_threads

    device = made_ready(options.device, options.jobs)
    with ExitStack() as ends:
        beside: Executor | None = None
        if device.type == "cuda":  # measuring on the other cores, so that the accelerator need not wait for it
            others = max(1, len(os.sched_getaffinity(0)) - 1 - options.batches)
            context = multiprocessing.get_context("spawn")
            beside = ends.enter_context(
                ProcessPoolExecutor(others, mp_context=context, initializer=use_threads, initargs=(1,))
            )
        trained = train_in_batches(
            chosen,
            form,
            out=options.out,
            device=device,
            most_runs=options.batch_runs,
            side_by_side=options.batches,
            beside=beside,
            progress=progress,
        )
    for reason in trained.left:
        progress.problem(TITLE, f"Some jobs are left for the study's own processes: {reason}")
    return 1 if trained.failed else 0
