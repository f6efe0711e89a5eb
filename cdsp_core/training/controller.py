"""The exploratory controller: a slow bandit that steers one control by what becomes of accuracy without task ID.

Every `controller_every` steps it compares the mean accuracy without task ID of the looks since its last move with that
of the looks before it. The difference rewards the last move; the next one, lower, keep or higher, is chosen by UCB1
(Auer et al. 2002) over the last `REMEMBERED` moves, since what is best changes while the model learns. UCB1 is meant
for rewards in [0, 1]; here its exploration is scaled by the range of the remembered rewards.

It steers `lambda_conflict`, by a factor, or `sharing`, by an addend. It draws nothing at random but the order in which
it first tries the three, from the run's seed, so equal runs stay equal. It changes nothing itself: who trains the run
asks it before every step and applies the move as a person's change is applied. A person's later change wins; the
next move starts from there.

The source is the authors' design memo, which names the idea and no sizes: factor, addend and window are chosen here.
The memo rewards accuracy on validation images; so does this where the config keeps some (`validation_frac`).
Deviation: without them the looks are at test images, and the test accuracy of a steered run is in part what it was
steered by.
Imports no torch.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from cdsp_core.settings.config import Controls, TrainConfig, control_bounds

ARMS: Final = ("keep", "lower", "higher")
REMEMBERED: Final = 24
FACTOR: Final = 1.5
LEAST_LAMBDA: Final = 0.1
"""what raising a lambda_conflict of 0, or next to it, starts from"""
ADDEND: Final = 0.25


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """A change that the controller asks for."""

    controls: dict[str, float]
    reason: str
    """one sentence for people"""


class Controller:
    """One run's controller. `state` and `restore` carry it through a checkpoint."""

    def __init__(self, config: TrainConfig) -> None:
        assert config.controller != "off"
        self._control = config.controller
        self._look_every = config.eval_every
        self._move_every = config.controller_every
        self._order = random.Random(config.seed).sample(ARMS, len(ARMS))
        self._considered = 0
        self._seen: list[float] = []
        """accuracies since the last move"""
        self._before: float | None = None
        """mean accuracy between the last two moves"""
        self._arm: str | None = None
        """the last move"""
        self._rewards: list[tuple[str, float]] = []

    def consider(self, step: int, accuracy: Callable[[], float], controls: Controls) -> Move | None:
        """Change to make after this many steps, at most one a step; None for none.

        `accuracy` gives the newest look's mean accuracy without task ID; it is called only at the steps of a look.
        """
        if step <= self._considered:
            return None
        self._considered = step
        if step % self._look_every == 0:
            self._seen.append(accuracy())
        if step % self._move_every or not self._seen:
            return None
        return self._move(controls)

    def state(self) -> dict[str, Any]:
        """Everything it remembers, as JSON."""
        return {
            "considered": self._considered,
            "seen": list(self._seen),
            "before": self._before,
            "arm": self._arm,
            "rewards": [list(reward) for reward in self._rewards],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self._considered = int(state["considered"])
        self._seen = [float(value) for value in state["seen"]]
        self._before, self._arm = state["before"], state["arm"]
        self._rewards = [(str(arm), float(reward)) for arm, reward in state["rewards"]]

    def _move(self, controls: Controls) -> Move | None:
        mean = sum(self._seen) / len(self._seen)
        change = None if self._before is None else mean - self._before
        if change is not None and self._arm is not None:
            self._rewards = [*self._rewards, (self._arm, change)][-REMEMBERED:]
        self._before, self._seen = mean, []
        arm, why = self._choose()
        self._arm = arm
        value = getattr(controls, self._control)
        new = self._moved(value, arm)
        if new == value:
            return None
        told = "is not known yet" if change is None else f"changed by {100 * change:+.1f} points"
        reason = f"Accuracy without task ID {told} since the last move; {why}."
        return Move(controls={self._control: new}, reason=reason)

    def _choose(self) -> tuple[str, str]:
        """The next move, and why."""
        tried = {arm: [reward for found, reward in self._rewards if found == arm] for arm in self._order}
        for arm, rewards in tried.items():
            if not rewards:
                return arm, f"{arm} has not been tried lately"
        everything = [reward for _, reward in self._rewards]
        reach = max(everything) - min(everything)
        mean = {arm: sum(rewards) / len(rewards) for arm, rewards in tried.items()}
        doubt = {arm: math.sqrt(2 * math.log(len(everything)) / len(rewards)) for arm, rewards in tried.items()}
        best = max(self._order, key=lambda arm: mean[arm] + reach * doubt[arm])
        if mean[best] == max(mean.values()):
            return best, f"{best} has gained most, {100 * mean[best]:+.1f} points a move"
        return best, f"{best} was tried too seldom to be ruled out"

    def _moved(self, value: float, arm: str) -> float:
        if arm == "keep":
            return value
        if self._control == "sharing":
            new = value + (ADDEND if arm == "higher" else -ADDEND)
        else:
            new = max(value, LEAST_LAMBDA) * FACTOR if arm == "higher" else value / FACTOR
        low, high = control_bounds(self._control)
        return min(max(float(f"{new:.4g}"), low), high)
