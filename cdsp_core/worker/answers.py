"""What a worker answers to commands: each once, the same again when it is repeated, some only when storage has it."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from cdsp_core.wire.checkpoint_names import read_checkpoint_name
from cdsp_core.wire.messages.link import CommandMessage, Kept, ResultMessage
from cdsp_core.wire.messages.run import CommandResult
from cdsp_core.worker.outbox import Outbox

REMEMBERED_RESULTS: Final = 1000


class Answers:
    """Of one worker, for all its runs. All methods are called from the main thread."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._results: OrderedDict[tuple[str, str], ResultMessage] = OrderedDict()
        """answers by run and command_id"""
        self._unanswered: dict[tuple[str, str], list[CommandMessage]] = {}
        """commands, by run and checkpoint, that are answered once the storage has acknowledged it"""

    def repeats(self, message: CommandMessage) -> bool:
        """Whether a command has come before; one that has its answer gets it again."""
        command = message.command
        known = self._results.get((message.run, command.command_id))
        if known is not None:
            self._outbox.put(known)
            return True
        return any(
            command.command_id == each.command.command_id for every in self._unanswered.values() for each in every
        )

    def remember(self, answer: ResultMessage) -> None:
        """Keep an answer for when its command is repeated; the oldest goes."""
        self._results[answer.run, answer.result.command_id] = answer
        if len(self._results) > REMEMBERED_RESULTS:
            self._results.popitem(last=False)

    def await_kept(self, message: CommandMessage, name: str) -> None:
        """Leave a command unanswered until the storage has told of the checkpoint that it asked for."""
        self._unanswered.setdefault((message.run, name), []).append(message)

    def settle(self, order: Kept, revision: int) -> None:
        """A checkpoint that was asked for is stored, or not yet: answer who asked for it."""
        parsed = read_checkpoint_name(order.name)
        assert parsed is not None
        is_kept = order.problem is None
        reason = None if is_kept else f"{order.problem} The checkpoint is stored as soon as it can be."
        for message in self._unanswered.pop((order.run, order.name), []):
            result = CommandResult(
                command_id=message.command.command_id,
                status="applied" if is_kept else "rejected",
                applied_step=parsed[1],
                revision=revision,
                old={},
                new={"checkpoint_id": order.name} if is_kept else {},
                reason=reason,
            )
            answer = ResultMessage(run=order.run, stale=False, result=result)
            self.remember(answer)
            self._outbox.put(answer)
