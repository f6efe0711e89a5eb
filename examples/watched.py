"""A training loop of your own on the page: what it takes is marked 1 to 3.

    make run                             # in another terminal: the page
    python -m examples.watched           # then choose "my own model" from the page's list of runs

Two tasks over sequences of words, told apart by a task vector that is hidden from half of the sequences: how many words
are smaller than each, and how many are equal to it.

Shapes: B sequences, S words, Q width of a task vector.
"""

import argparse

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cdsp_core import Controls, structure_penalty, watch
from examples.in_your_own_model import CONFIG, LENGTH, WORDS, Block

TASKS = ("smaller", "equal")


class Model(nn.Module):
    """An embedding, one block with experts, a head for the counts; the task is a vector for the router."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, CONFIG.d_model)
        self.tasks = nn.Embedding(len(TASKS), CONFIG.d_task)
        self.block = Block()
        self.head = nn.Linear(CONFIG.d_model, LENGTH)

    def forward(self, word_BS: Tensor, task_B: Tensor, hidden_B: Tensor) -> Tensor:
        task_BQ = self.tasks(task_B).masked_fill(hidden_B[:, None], 0.0)
        counts: Tensor = self.head(self.block(self.words(word_BS), task_BQ))
        return counts


def counted(word_BS: Tensor, task_B: Tensor) -> Tensor:
    """The answer for every word, [B, S]."""
    smaller_BS = (word_BS[:, :, None] > word_BS[:, None, :]).sum(dim=2)
    equal_BS = (word_BS[:, :, None] == word_BS[:, None, :]).sum(dim=2) - 1
    return torch.where(task_B[:, None] == 0, smaller_BS, equal_BS)


def main(steps: int = 2000, *, address: str = "http://127.0.0.1:8000") -> Model:
    """Train for so many steps, watched on the page; the model."""
    torch.manual_seed(0)
    model, controls = Model(), [Controls(lambda_conflict=10.0, lr_ratio=3.0, lr_base=3e-3)]
    topology = [model.block.experts.topology.topology_logits]
    weights = [parameter for parameter in model.parameters() if parameter is not topology[0]]
    optimizer = torch.optim.AdamW([{"params": weights}, {"params": topology}])

    def change(wanted: Controls) -> None:  # 1. what the page's sliders do; without it the page only watches
        controls[0] = wanted
        for group, ratio in zip(optimizer.param_groups, (1.0, wanted.lr_ratio), strict=True):
            group["lr"] = wanted.lr_base * ratio

    change(controls[0])
    with watch(  # 2. from here on the page shows it
        model,
        tasks=TASKS,
        name="my own model",
        steps=steps,
        controls=controls[0],
        on_change=change,
        address=address,
    ) as lab:
        for _ in range(steps):
            word_BS, task_B = torch.randint(WORDS, (64, LENGTH)), torch.randint(len(TASKS), (64,))
            hidden_B = torch.rand(64) < controls[0].p_drop
            answer_BSC = model(word_BS, task_B, hidden_B)
            task_loss = F.cross_entropy(answer_BSC.flatten(0, 1), counted(word_BS, task_B).flatten())
            penalty, _terms = structure_penalty([model.block.experts], controls[0])
            loss = task_loss + penalty
            optimizer.zero_grad()
            loss.backward()
            model.block.experts.record_conflict()
            optimizer.step()
            right_BS = answer_BSC.argmax(2) == counted(word_BS, task_B)
            accuracy = {name: right_BS[(task_B == n) & ~hidden_B].float().mean() for n, name in enumerate(TASKS)}
            lab.step(loss=loss, task=task_B, hidden=hidden_B, task_loss=task_loss, accuracy=accuracy)  # 3. each step
    return model


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--address", default="http://127.0.0.1:8000", help="of the page")
    options = parser.parse_args()
    main(options.steps, address=options.address)
