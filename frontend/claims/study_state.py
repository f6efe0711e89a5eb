"""A study as the server knows it: whether it runs, how far it is, and the button that starts or stops it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from dash import html
from dash.development.base_component import Component

from frontend.attributes import aria
from frontend.claims.evidence import Claim, read_claims

RUNNING: Final = ("waiting", "running")
RECENT_S: Final = 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveStudy:
    """One entry of GET /api/studies. `fresh` are the claims of the last run that finished, at `ended_ms`."""

    name: str
    title: str
    question: str
    state: str
    done: float
    total: int
    text: str
    reason: str | None
    fresh: tuple[Claim, ...]
    ended_ms: float | None

    @property
    def is_running(self) -> bool:
        """Whether it waits for a worker or runs on one."""
        return self.state in RUNNING

    @property
    def share(self) -> float:
        """How much is done, 0 to 1."""
        return min(max(self.done / self.total, 0.0), 1.0) if self.total else 0.0

    @property
    def seen(self) -> list[Any]:
        """What changes when the page must be drawn again."""
        return [self.name, self.state, self.ended_ms]


def read_study(raw: Mapping[str, Any]) -> LiveStudy:
    """A study of docs/protocol.md."""
    result = raw.get("result") or {}
    name = str(raw["study"])
    return LiveStudy(
        name=name,
        title=str(raw.get("title", name)),
        question=str(raw.get("question", "")),
        state=str(raw.get("state", "idle")),
        done=float(raw.get("done") or 0),
        total=int(raw.get("total") or 0),
        text=str(raw.get("text") or ""),
        reason=raw.get("reason"),
        fresh=read_claims(result.get("claims", []), name),
        ended_ms=result.get("ended_ms"),
    )


def when(ended_ms: float | None) -> str:
    """How long ago a result came, in words."""
    if ended_ms is None:
        return ""
    ago_s = time.time() - ended_ms / 1000
    return "just now" if ago_s < RECENT_S else time.strftime("on %Y-%m-%d", time.gmtime(ended_ms / 1000))


def study_live(name: str, live: LiveStudy | None, unavailable: str | None) -> list[Component]:
    """Button, progress and note of a study; none of a study that the server does not know."""
    if live is None:
        return []
    told = (
        "End it; started again, it goes on from here"
        if live.is_running
        else "Its smallest form, on this machine: some minutes"
    )
    cannot = is_off(live, unavailable)
    return [
        html.Button(
            word(live),
            id={"type": "study-act", "study": name},
            value="stop" if live.is_running else "start",
            type="button",
            className="button",
            disabled=cannot,
            title=unavailable if cannot else told,
            **aria(label=f"{word(live)}: {live.title}"),
        ),
        html.Div(progress(live), id={"type": "study-progress", "study": name}),
        html.P(
            note(live), id={"type": "study-note", "study": name}, className="note study-note", **aria(live="polite")
        ),
    ]


def is_off(live: LiveStudy, unavailable: str | None) -> bool:
    """Whether the button can do nothing now."""
    return not live.is_running and unavailable is not None


def word(live: LiveStudy) -> str:
    """What the button says."""
    if live.is_running:
        return "Stop"
    if live.state in ("stopped", "failed"):
        return "Go on measuring"
    return "Measure again" if live.fresh else "Measure now"


def note(live: LiveStudy) -> str:
    """Why it ended as it did, or what a new measurement means for the stored one."""
    if live.is_running:
        return "The stored result stays until it is done."
    return (live.reason or "") if live.state != "idle" else ""


def progress(live: LiveStudy) -> list[Component]:
    """How far a study is that runs."""
    if not live.is_running:
        return []
    percent = round(100 * live.share)
    jobs = f"{percent} % of {live.total} {'job' if live.total == 1 else 'jobs'}" if live.total else ""
    bar = html.Div(
        html.Span(className="study-fill", style={"width": f"{percent}%"}),
        className="study-bar",
        role="progressbar",
        **aria(valuemin="0", valuemax="100", valuenow=str(percent), label=live.title),
    )
    return [bar, html.Span(" · ".join(filter(None, (jobs, live.text))), className="study-progress-text")]
