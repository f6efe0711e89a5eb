"""CDSPLayer as the feed-forward of a transformer block of your own. What it needs of you is marked 1 to 4.

    python -m examples.in_your_own_model

Shapes: B sequences, S tokens, D model width, Q width of a task vector, K experts a token, T = B S.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cdsp_core import CDSPLayer, Controls, ModelConfig, structure_penalty

WORDS, LENGTH = 16, 8
CONFIG = ModelConfig(d_model=64, num_experts=8, top_k=2)


class Block(nn.Module):
    """Attention, then a mixture of experts, each with a residual connection."""

    def __init__(self) -> None:
        super().__init__()
        self.attention_norm, self.ffn_norm = nn.LayerNorm(CONFIG.d_model), nn.LayerNorm(CONFIG.d_model)
        self.attention = nn.MultiheadAttention(CONFIG.d_model, num_heads=4, batch_first=True)
        self.experts = CDSPLayer(CONFIG)  # 1. in place of the feed-forward

    def forward(self, x_BSD: Tensor, task_BQ: Tensor | None = None) -> Tensor:
        h_BSD = self.attention_norm(x_BSD)
        x_BSD = x_BSD + self.attention(h_BSD, h_BSD, h_BSD, need_weights=False)[0]
        if task_BQ is None:  # 2. a vector of each sequence's task; zeros: unknown
            task_BQ = x_BSD.new_zeros(len(x_BSD), CONFIG.d_task)
        y_BSD: Tensor = self.experts(self.ffn_norm(x_BSD), task_BQ)[0]  # [1] is expert_TK, who was chosen
        return x_BSD + y_BSD


def main(steps: int = 80) -> tuple[CDSPLayer, list[float]]:
    """Learn how many words of a sequence are smaller than each; the trained layer and every step's task loss."""
    torch.manual_seed(0)
    block = Block()
    model = nn.Sequential(nn.Embedding(WORDS, CONFIG.d_model), block, nn.Linear(CONFIG.d_model, LENGTH))
    topology = [block.experts.topology.topology_logits]  # A, which learns faster than the weights
    weights = [parameter for parameter in model.parameters() if parameter is not topology[0]]
    optimizer = torch.optim.AdamW([{"params": weights, "lr": 3e-3}, {"params": topology, "lr": 1e-2}])
    losses = []
    for _ in range(steps):
        word_BS = torch.randint(WORDS, (64, LENGTH))
        smaller_BS = (word_BS[:, :, None] > word_BS[:, None, :]).sum(dim=2)
        task_loss = F.cross_entropy(model(word_BS).flatten(0, 1), smaller_BS.flatten())
        penalty, _terms = structure_penalty([block.experts], Controls())  # 3. the last step's conflict moves A
        (task_loss + penalty).backward()
        block.experts.record_conflict()  # 4. this step's conflict, for the next one
        optimizer.step()
        optimizer.zero_grad()
        losses.append(task_loss.item())
    return block.experts, losses


if __name__ == "__main__":
    layer, losses = main()
    print(f"task loss {losses[0]:.2f} -> {losses[-1]:.2f}")
    print("what each expert holds, sigmoid(A):", torch.sigmoid(layer.topology.topology_logits).detach(), sep="\n")
