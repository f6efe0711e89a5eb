"""Products of consecutive groups of rows with one matrix each: the kernel of the sorted path.

Shapes: M rows in E consecutive groups of count_E rows, A and B columns.

On the CPU the group sizes are read where they lie. On an accelerator reading them would stop the host until the
device has caught up, so there the groups are padded to blocks of a fixed size whose number is known beforehand.
"""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK_ROWS = 64


@torch.library.custom_op("cdsp::grouped_mm", mutates_args=())
def grouped_mm(rows_MA: Tensor, weight_EAB: Tensor, count_E: Tensor) -> Tensor:
    """rows of group e times weight e, [M, B]. Differentiable in rows and weight."""
    out_MB = rows_MA.new_empty(len(rows_MA), weight_EAB.shape[2])
    counts = count_E.tolist()
    for out, rows, weight in zip(out_MB.split(counts), rows_MA.split(counts), weight_EAB.unbind(), strict=True):
        torch.mm(rows, weight, out=out)
    return out_MB


@torch.library.custom_op("cdsp::grouped_outer", mutates_args=())
def grouped_outer(left_MA: Tensor, right_MB: Tensor, count_E: Tensor) -> Tensor:
    """left^T right of every group, [E, A, B]: the weight gradient of `grouped_mm`. Zero for an empty group."""
    counts = count_E.tolist()
    out_EAB = left_MA.new_empty(len(counts), left_MA.shape[1], right_MB.shape[1])
    for out, left, right in zip(out_EAB.unbind(), left_MA.split(counts), right_MB.split(counts), strict=True):
        torch.mm(left.T, right, out=out)
    return out_EAB


@grouped_mm.register_kernel("cuda")
def _grouped_mm_blocks(rows_MA: Tensor, weight_EAB: Tensor, count_E: Tensor) -> Tensor:
    slot_M, expert_of_block = block_slots(count_E, len(rows_MA))
    padded = _to_blocks(rows_MA, slot_M, len(expert_of_block))
    return torch.bmm(padded, weight_EAB.index_select(0, expert_of_block)).flatten(0, 1).index_select(0, slot_M)


@grouped_outer.register_kernel("cuda")
def _grouped_outer_blocks(left_MA: Tensor, right_MB: Tensor, count_E: Tensor) -> Tensor:
    slot_M, expert_of_block = block_slots(count_E, len(left_MA))
    blocks = len(expert_of_block)
    outer = torch.bmm(_to_blocks(left_MA, slot_M, blocks).transpose(1, 2), _to_blocks(right_MB, slot_M, blocks))
    return outer.new_zeros(len(count_E), *outer.shape[1:]).index_add_(0, expert_of_block, outer)


def block_slots(count_E: Tensor, rows: int) -> tuple[Tensor, Tensor]:
    """Place of each row when every group is padded to whole blocks, without asking the device for the sizes.

    Returns slot_M, int64, the padded place of each row, and the expert of each block. The number of blocks is
    fixed by M and E alone (an upper bound); unused blocks hold zeros and belong to the last expert.
    """
    experts = len(count_E)
    blocks = rows // BLOCK_ROWS + experts
    blocks_E = (count_E + BLOCK_ROWS - 1) // BLOCK_ROWS
    block_end_E, row_end_E = blocks_E.cumsum(0), count_E.cumsum(0)
    row_M = torch.arange(rows, device=count_E.device)
    expert_M = torch.searchsorted(row_end_E, row_M, right=True)
    first_row_E, first_slot_E = row_end_E - count_E, (block_end_E - blocks_E) * BLOCK_ROWS
    slot_M = row_M + (first_slot_E - first_row_E)[expert_M]
    block = torch.arange(blocks, device=count_E.device)
    return slot_M, torch.searchsorted(block_end_E, block, right=True).clamp_max(experts - 1)


def _to_blocks(rows_MA: Tensor, slot_M: Tensor, blocks: int) -> Tensor:
    padded = rows_MA.new_zeros(blocks * BLOCK_ROWS, rows_MA.shape[1])
    return padded.index_copy_(0, slot_M, rows_MA).view(blocks, BLOCK_ROWS, -1)


@grouped_mm.register_fake
def _(rows_MA: Tensor, weight_EAB: Tensor, count_E: Tensor) -> Tensor:
    return rows_MA.new_empty(rows_MA.shape[0], weight_EAB.shape[2])


@grouped_outer.register_fake
def _(left_MA: Tensor, right_MB: Tensor, count_E: Tensor) -> Tensor:
    return left_MA.new_empty(count_E.shape[0], left_MA.shape[1], right_MB.shape[1])


def _keep_inputs(ctx: torch.autograd.function.FunctionCtx, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _grouped_mm_backward(ctx: torch.autograd.function.FunctionCtx, dout_MB: Tensor) -> tuple[Tensor, Tensor, None]:
    rows_MA, weight_EAB, count_E = ctx.saved_tensors  # type: ignore[attr-defined]
    drows = grouped_mm(dout_MB, weight_EAB.transpose(1, 2), count_E)
    return drows, grouped_outer(rows_MA, dout_MB, count_E), None


grouped_mm.register_autograd(_grouped_mm_backward, setup_context=_keep_inputs)
