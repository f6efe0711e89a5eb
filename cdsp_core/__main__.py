"""The command line: `python -m cdsp_core train | record | replay | presets | study | sweep | evidence | oligarchy`."""

from __future__ import annotations

import argparse
import importlib.util
import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdsp_core.settings.config import RunConfig, to_dict
from cdsp_core.settings.overrides import with_controls, with_settings
from cdsp_core.settings.presets import PRESETS, preset
from cdsp_core.studies.sweeps import command as sweep_command

if TYPE_CHECKING:
    from cdsp_core.studies.framework.progress import Progress
    from cdsp_core.studies.framework.study import Study, StudyOptions
    from cdsp_core.training.trainer import Trainer
    from cdsp_core.wire.recording import Recording

BAD_INPUT = 2
INTERRUPTED = 130
RESULTS = Path("studies")


def main(arguments: list[str] | None = None, *, program: str = "python -m cdsp_core") -> int:
    """Exit status: 0 done, 1 a run failed, 2 bad input, 130 interrupted. Errors are one sentence on standard error."""
    options = _parser(program).parse_args(arguments)
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        print("cdsp_core: stopped.", file=sys.stderr)
        return INTERRUPTED
    except ValueError as error:
        print(f"cdsp_core: {error}", file=sys.stderr)
        return BAD_INPUT
    except OSError as error:
        named = error.filename is not None and error.strerror is not None
        said = f"{error.filename} cannot be read or written: {error.strerror}." if named else str(error)
        print(f"cdsp_core: {said}", file=sys.stderr)
        return BAD_INPUT


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program, description="Trains CDSP-MoE and tests the claims of its paper.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    train = commands.add_parser("train", help="train one run without the page")
    _add_training(train)
    train.add_argument("--out", type=_folder, metavar="DIR", help="folder for the final checkpoint and result.json")
    train.add_argument("--json", action="store_true", help="print one JSON object as the last line of standard output")
    train.set_defaults(run=_train)
    _add_record(commands.add_parser("record", help="record a run as sixty pictures, under 10 kB"))
    _add_replay(commands.add_parser("replay", help="train a recorded run again, and say whether it came out the same"))
    presets = commands.add_parser("presets", help="list the presets and their settings")
    presets.add_argument("--json", action="store_true", help="as JSON")
    presets.set_defaults(run=_presets)
    _add_study(commands.add_parser("study", help="run an experiment over seeds, or go on with it"))
    sweep = commands.add_parser("sweep", help="train a map: a grid of small runs over two settings, or go on with it")
    sweep_command.add_options(sweep)
    sweep.set_defaults(run=_sweep)
    evidence = commands.add_parser("evidence", help="write down what the finished studies found, claim by claim")
    evidence.add_argument(
        "--from", dest="folders", type=Path, nargs="+", default=[RESULTS], metavar="DIR", help="results (studies/)"
    )
    evidence.add_argument("--markdown", type=Path, default=Path("docs/evidence.md"), metavar="FILE", help="for people")
    evidence.add_argument(
        "--json", type=Path, default=Path("frontend/evidence.json"), metavar="FILE", help="for the page"
    )
    evidence.add_argument("--pdf", type=Path, metavar="FILE", help="the same as a report with every chart")
    evidence.set_defaults(run=_evidence)
    oligarchy = commands.add_parser("oligarchy", help="choose the rule of oligarchy on recorded runs, and test it")
    oligarchy.add_argument(
        "--from", dest="folders", type=Path, nargs="+", required=True, metavar="DIR", help="folders of recorded runs"
    )
    oligarchy.add_argument("--rules", default="live", metavar="PRESET", help="preset of the runs (default live)")
    oligarchy.add_argument("--json", type=Path, metavar="FILE", help="where the page finds it (default: its own file)")
    oligarchy.set_defaults(run=_oligarchy)
    return parser


def _add_training(train: argparse.ArgumentParser) -> None:
    """Options that make a config, and say where it is trained."""
    train.add_argument("--preset", default="live", help=f"one of {', '.join(PRESETS)} (default live)")
    train.add_argument("--data", choices=("embedded", "full"), help="data sets to train on (default: the preset's)")
    train.add_argument("--data-root", type=Path, metavar="DIR", help="folder of the full sets, in torchvision's layout")
    train.add_argument("--steps", type=_positive, metavar="N", help="steps to train (default: the preset's epochs)")
    train.add_argument("--seed", type=_whole_number, metavar="S", help="seed (default: the preset's)")
    train.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="set any field of the config; may be given again",
    )
    train.add_argument("--device", default="auto", help="auto, cpu or cuda (default auto)")
    train.add_argument(
        "--threads", type=_positive, metavar="N", help="CPU threads (default: all cores but one, at most 4)"
    )


def _add_record(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", nargs="?", metavar="RUN", help="a run of --server; none: train one by these options")
    command.add_argument("--server", metavar="URL", help="where the run is; CDSP_TOKEN is its token, if it wants one")
    _add_training(command)
    command.add_argument(
        "--edit",
        action="append",
        default=[],
        metavar="STEP:KEY=VALUE",
        help="set a control after that step; may be given again",
    )
    command.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file to write")
    command.set_defaults(run=_record)


def _add_replay(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", type=Path, metavar="FILE", help="a recorded run, as record or the page gives it")
    command.add_argument("--verify", action="store_true", help="end with status 1 where it came out otherwise")
    command.add_argument(
        "--data-root", type=Path, metavar="DIR", help="folder of the full sets, in torchvision's layout"
    )
    command.add_argument(
        "--device", default="cpu", help="auto, cpu (default) or cuda; bits are compared, so name its own"
    )
    command.add_argument("--threads", type=_positive, metavar="N", help="CPU threads (default: all cores but one)")
    command.set_defaults(run=_replay)


def _add_study(study: argparse.ArgumentParser) -> None:
    study.add_argument(
        "names", nargs="*", metavar="NAME", help="studies to run; `all` runs every one, no name lists them"
    )
    study.add_argument("--list", action="store_true", help="list the studies and their questions")
    study.add_argument("--seeds", type=_positive, metavar="N", help="number of seeds (default 10; 3 with --smallest)")
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
    study.add_argument("--jobs", type=_positive, metavar="N", help="processes (default: one a core)")
    study.add_argument(
        "--device",
        default="cpu",
        help="cpu (default); cuda or auto: first train there, many runs at once, what differs in seed and controls",
    )
    study.add_argument("--batched", action="store_true", help="train many runs at once on the CPU too")
    study.add_argument(
        "--batch-runs", type=_positive, default=128, metavar="N", help="most runs at once (128), fewer where none fit"
    )
    study.add_argument(
        "--batches", type=_positive, default=1, metavar="N", help="batches side by side (1): small ones fill no GPU"
    )
    study.add_argument("--only-batched", action="store_true", help="end when the batches are done")
    study.add_argument(
        "--out", type=_folder, default=RESULTS, metavar="DIR", help="folder for the results (default studies/)"
    )
    study.add_argument(
        "--redo-stale", action="store_true", help="do over what other settings or another revision of the code did"
    )
    study.add_argument(
        "--record",
        type=_folder,
        metavar="DIR",
        help="record each training of the image encoder on the way, under 10 kB each; what is done is not repeated",
    )
    study.add_argument("--as-it-stands", action="store_true", help="run nothing; claims from the jobs that are done")
    study.add_argument("--progress", choices=("bar", "json"), default="bar", help="json: one JSON object a line")
    study.set_defaults(run=_study)


def _presets(options: argparse.Namespace) -> int:
    if options.json:
        print(json.dumps({name: {"text": text, "config": to_dict(config)} for name, (text, config) in PRESETS.items()}))
        return 0
    for name, (text, config) in PRESETS.items():
        print(f"{name}: {text}")
        for section, fields in to_dict(config).items():
            if isinstance(fields, dict):
                print(f"  {section}: " + ", ".join(f"{key}={value}" for key, value in fields.items()))
    return 0


def _train(options: argparse.Namespace) -> int:
    config = _config(options)

    from cdsp_core.training.checkpoint import save_checkpoint
    from cdsp_core.training.device import choose_device, prepare_process, use_threads
    from cdsp_core.training.non_finite import NonFiniteLossError
    from cdsp_core.training.trainer import Trainer

    prepare_process()
    use_threads(options.threads)
    trainer = Trainer(config, device=choose_device(options.device), data_root=options.data_root)
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
    try:
        result = _trained(trainer)
    except NonFiniteLossError as error:
        print(f"cdsp_core: {error} The weights are those of the step before.", file=sys.stderr)
        return 1
    if options.out is not None:
        save_checkpoint(trainer, options.out, "final")
        (options.out / "result.json").write_text(json.dumps(result, indent=1))
    if options.json:
        print(json.dumps(result))
    return 0


def _trained(trainer: Trainer) -> dict[str, Any]:
    """Train to the end, with a line of progress every few seconds; what --json prints."""
    from cdsp_core.training.telemetry import layer_result

    began_s = shown_s = time.monotonic()
    device = trainer.describe()["device"]
    print(f"{trainer.total_steps} steps on {device['name']}, {device['execution']} path", file=sys.stderr)
    first_step = trainer.step
    arrays = trainer.arrays()
    while trainer.step < trainer.total_steps:
        _steer(trainer)
        trainer.train_step()
        if time.monotonic() - shown_s > 5 or trainer.step == trainer.total_steps:
            shown_s = time.monotonic()
            arrays = trainer.arrays()
            row = dict(zip(trainer.log.names, arrays["scalars"][-1], strict=True))
            rate = (trainer.step - first_step) / (shown_s - began_s)
            print(f"step {trainer.step}  {rate:.1f} steps/s  task loss {row['task_loss']:.4f}", file=sys.stderr)
    steps_per_s = (trainer.step - first_step) / max(time.monotonic() - began_s, 1e-9)
    accuracy, blind_accuracy = trainer.test_accuracy()
    model = trainer.config.model
    layers = [layer_result(arrays, number, model) for number in range(model.num_layers)]
    return {
        "steps": trainer.step,
        "steps_per_s": steps_per_s,
        "accuracy": accuracy,
        "blind_accuracy": blind_accuracy,
        "measures": {
            f"layer{n}/{name}": value for n, layer in enumerate(layers) for name, value in layer["measures"].items()
        },
        "connection": [layer["connection"] for layer in layers if layer["connection"] is not None],
        "config": to_dict(trainer.config),
        "controls": to_dict(replace(trainer.config, controls=trainer.controls))["controls"],
        "device": device,
    }


def _record(options: argparse.Namespace) -> int:
    from cdsp_core.wire.recording import decode, write_recording

    if (options.name is None) != (options.server is None):
        raise ValueError("RUN and --server must be given together, or none of them. Found one alone.")
    if options.name is not None:
        recording = decode(_fetched(options.server, options.name), called=f"the answer of {options.server}")
    else:
        trained = _trained_recording(options)
        if trained is None:
            return 1
        recording = trained
    size = write_recording(recording, options.out)
    print(f"{options.out}  {len(recording.steps)} pictures, {size} bytes")
    return 0


def _trained_recording(options: argparse.Namespace) -> Recording | None:
    """Train and record what the options say; None when a loss was not finite, which is said."""
    from cdsp_core.wire.recording import Recipe, read_edits

    recipe = Recipe(config=_config(options), edits=read_edits(options.edit))

    from cdsp_core.studies.framework.recorder import recorded
    from cdsp_core.training.device import choose_device, prepare_process, use_threads
    from cdsp_core.training.non_finite import NonFiniteLossError

    prepare_process()
    use_threads(options.threads)
    try:
        return recorded(recipe, device=choose_device(options.device), data_root=options.data_root)
    except NonFiniteLossError as error:
        print(f"cdsp_core: {error} Nothing is recorded.", file=sys.stderr)
        return None


def _replay(options: argparse.Namespace) -> int:
    from cdsp_core.wire.recording import read_recording

    recording = read_recording(options.file)

    from cdsp_core.studies.framework.replay import replayed
    from cdsp_core.training.device import choose_device, prepare_process, use_threads
    from cdsp_core.training.non_finite import NonFiniteLossError

    prepare_process()
    use_threads(options.threads)
    last, shown = int(recording.steps[-1]), time.monotonic()

    def progress(step: int, last: int) -> None:
        nonlocal shown
        if time.monotonic() - shown > 5:
            shown = time.monotonic()
            print(f"step {step} of {last}: the same so far", file=sys.stderr)

    try:
        parted = replayed(
            recording, device=choose_device(options.device), data_root=options.data_root, progress=progress
        )
    except NonFiniteLossError as error:
        print(f"cdsp_core: {error}", file=sys.stderr)
        return 1
    recipe = recording.recipe
    told = f"{options.file}: {recipe.config.preset}, seed {recipe.config.train.seed}, edits {len(recipe.edits)}"
    if parted is None:
        print(f"{told}: equal bit for bit in all {len(recording.steps)} pictures and curves, to step {last:,}.")
        return 0
    print(f"{told}: {parted}. The recording is of version {recording.version}; another machine may add otherwise.")
    return 1 if options.verify else 0


def _fetched(server: str, run_id: str) -> bytes:
    """The recording of a server's run. Raises ValueError, one sentence with the server's."""
    import urllib.error
    import urllib.parse
    import urllib.request

    if not server.startswith(("http://", "https://")):
        raise ValueError(f"--server must begin with http:// or https://. Found {server!r}.")
    url = f"{server.rstrip('/')}/api/runs/{urllib.parse.quote(run_id, safe='')}/recording"
    token = os.environ.get("CDSP_TOKEN")
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            content: bytes = answer.read(1_000_000)
            return content
    except urllib.error.HTTPError as error:
        try:
            said = json.loads(error.read(10_000))["error"]
        except (ValueError, KeyError, TypeError):
            said = f"status {error.code}"
        raise ValueError(f"{server} refused: {said}") from None
    except OSError as error:
        raise ValueError(f"{server} cannot be reached: {getattr(error, 'reason', error)}.") from None


def _study(options: argparse.Namespace) -> int:
    from cdsp_core.studies import NAMES, load_study

    if options.list or not options.names:
        for name in NAMES:
            print(f"{name}: {load_study(name).question}")
        return 0
    chosen = [load_study(name) for name in (NAMES if options.names == ["all"] else options.names)]
    if options.data == "full" and options.data_root is None:
        raise ValueError("--data full needs --data-root, the folder of the full sets. Found none.")
    if options.only_batched:  # no reports
        _check_packages(("matplotlib", "pyarrow", "tqdm"))
    else:
        _check_packages()

    from cdsp_core.studies.framework.evidence_page import claim_json
    from cdsp_core.studies.framework.progress import Bar, JsonLines, print_json
    from cdsp_core.studies.framework.runner import StudyIncompleteError, run_study
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
    cores = len(os.sched_getaffinity(0))
    signal.signal(signal.SIGTERM, _interrupt)
    status = 0
    if options.batched or options.only_batched or options.device != "cpu":
        status = _train_batches(chosen, form, options, JsonLines() if options.progress == "json" else Bar())
        if options.only_batched:
            return status
    for this in chosen:
        progress = JsonLines() if options.progress == "json" else Bar()
        try:
            finished = run_study(
                this,
                form,
                out=options.out,
                processes=options.jobs or cores,
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


def _sweep(options: argparse.Namespace) -> int:
    _check_packages(("pyarrow", "tqdm"))
    signal.signal(signal.SIGTERM, _interrupt)
    return sweep_command.run(options)


def _train_batches(chosen: list[Study], form: StudyOptions, options: argparse.Namespace, progress: Progress) -> int:
    """Train what can be trained many at once; the studies then find it done."""
    from cdsp_core.studies.experiments.batched_jobs import TITLE, train_in_batches
    from cdsp_core.training.device import choose_device, prepare_process, use_threads

    prepare_process()
    use_threads(options.jobs)
    device = choose_device(options.device)
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


def _check_packages(needed: Sequence[str] = ("matplotlib", "pyarrow", "scipy", "tqdm")) -> None:
    """Raises ValueError when the packages of the extra `studies` are not all there."""
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(
            f"study, sweep and evidence need the packages of the extra studies. Found no {', '.join(missing)}."
        )


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _evidence(options: argparse.Namespace) -> int:
    _check_packages()

    from cdsp_core.studies.framework.evidence import gather, headline_of
    from cdsp_core.studies.framework.evidence_page import evidence_json
    from cdsp_core.studies.framework.evidence_text import evidence_markdown, first_page
    from cdsp_core.studies.framework.forest import forest_svg, pdf
    from cdsp_core.studies.framework.results import write_whole

    gathered = gather(options.folders)
    plot = options.markdown.parent / "img" / "headline.svg"
    made = {
        options.markdown: evidence_markdown(gathered).encode(),
        plot: forest_svg(headline_of(gathered)),
        options.json: evidence_json(gathered).encode(),
    }
    if options.pdf is not None:
        made[options.pdf] = pdf(headline_of(gathered), first_page(gathered), gathered)
    for path, content in made.items():
        write_whole(path, content)
        print(path)
    return 0


def _oligarchy(options: argparse.Namespace) -> int:
    _check_packages(("scipy",))

    from cdsp_core.studies.framework.oligarchy import CHOSEN_ON, TESTED_ON, choose, report, runs_of
    from cdsp_core.wire.oligarchy import FOUND

    runs = runs_of(options.folders, rules=options.rules)
    chosen = choose(runs, rules=options.rules, chosen_on=CHOSEN_ON, tested_on=TESTED_ON)
    print(report(chosen))
    (options.json or FOUND).write_text(chosen.found.to_json())
    return 0


def _steer(trainer: Trainer) -> None:
    """Apply what the run's controller asks for, and say so."""
    move = trainer.steer()
    if move is not None:
        trainer.apply(with_controls(trainer.controls, move.controls))
        changed = ", ".join(f"{name} {value:g}" for name, value in move.controls.items())
        print(f"step {trainer.step}  controller: {changed}. {move.reason}", file=sys.stderr)


def _config(options: argparse.Namespace) -> RunConfig:
    settings: dict[str, Any] = {}
    for pair in options.set:
        key, found, value = pair.partition("=")
        if not found:
            raise ValueError(f"--set must be KEY=VALUE. Found {pair!r}.")
        settings[key] = value
    named = {"data": options.data, "steps": options.steps, "seed": options.seed}
    settings.update({key: value for key, value in named.items() if value is not None})
    return with_settings(preset(options.preset), settings)


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number. Found {text!r}.") from None


def _folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("must be a folder. Found ''.")
    return Path(text)


def _positive(text: str) -> int:
    number = _whole_number(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1. Found {text!r}.")
    return number


if __name__ == "__main__":
    sys.exit(main())
