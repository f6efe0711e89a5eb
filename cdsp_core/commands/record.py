"""The command `record`: a run as sixty pictures, trained here or fetched from a server."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING

from cdsp_core.commands.options import add_training, config_of, made_ready, place

if TYPE_CHECKING:
    from cdsp_core.wire.recording import Recording


def add_options(command: argparse.ArgumentParser) -> None:
    """The options of `python -m cdsp_core record`."""
    command.add_argument("name", nargs="?", metavar="RUN", help="a run of --server; none: train one by these options")
    command.add_argument("--server", metavar="URL", help="where the run is; CDSP_TOKEN is its token, if it wants one")
    add_training(command)
    command.add_argument(
        "--edit",
        action="append",
        default=[],
        metavar="STEP:KEY=VALUE",
        help="set a control after that step; may be given again",
    )
    text = "the file to write, or s3://BUCKET/PREFIX/FILE"
    command.add_argument("--out", type=place, required=True, metavar="FILE", help=text)
    command.set_defaults(out_is_file=True)


def run(options: argparse.Namespace) -> int:
    """Record; the exit status."""
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
    from cdsp_core.wire.recipe import Recipe, read_edits

    recipe = Recipe(config=config_of(options), edits=read_edits(options.edit))

    from cdsp_core.studies.framework.recorder import recorded
    from cdsp_core.training.non_finite import NonFiniteLossError

    device = made_ready(options.device, options.threads)
    try:
        return recorded(recipe, device=device, data_root=options.data_root)
    except NonFiniteLossError as error:
        print(f"cdsp_core: {error} Nothing is recorded.", file=sys.stderr)
        return None


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
