"""Study `tiny-lm`: text of two kinds, a causal model of bytes, and what is found in its rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cdsp_core.studies.catalogue import tiny_lm
from cdsp_core.studies.experiments import text_data, text_model
from cdsp_core.studies.experiments.sizes import text_config
from cdsp_core.studies.experiments.text_data import Text
from cdsp_core.studies.framework.study import Job, Row
from cdsp_core.training.batches import stream_generator
from tests.core.study_rows import SEEDS, rows_of, tell_nobody, verdicts

SOURCE = '''"""What the module does."""
# a comment
def f(x):
    """Quotes code.

    >>> f(1)
    """
    return "kept"

class C:
    """What C is."""
'''


def test_docstrings_leave_the_code_and_those_that_quote_code_leave_the_prose() -> None:
    code, prose = text_data.split(SOURCE)
    assert code == "def f(x):\n    return 'kept'\n\nclass C:\n    pass\n\n"
    assert prose == "What the module does.\n\nWhat C is.\n\n"


def random_texts() -> dict[str, Text]:
    """Two kinds that share no byte: letters in order, and digits in order."""
    letters = np.tile(np.arange(97, 123, dtype=np.uint8), 40)
    digits = np.tile(np.arange(48, 58, dtype=np.uint8), 100)
    return {"code": Text(train_N=letters, test_N=letters), "prose": Text(train_N=digits, test_N=digits)}


def test_windows_are_pieces_of_the_text_with_one_byte_more_than_the_context() -> None:
    text = random_texts()["prose"].train_N
    found = text_model.windows(text, 5, stream_generator(0, "order"))
    assert found.shape == (5, 65)
    assert torch.equal((found[:, 1:] - found[:, :-1]) % 10, torch.ones(5, 64, dtype=torch.int64))


@pytest.mark.parametrize("architecture", ["cdsp", "dense"])
def test_the_model_sees_no_later_byte(architecture: str) -> None:
    model = text_model.TextModel(text_config(architecture, 0.0).model, generator=stream_generator(0, "weights"))
    byte_BS = torch.randint(0, 256, (2, 64), generator=stream_generator(0, "order"))
    changed_BS = byte_BS.clone()
    changed_BS[:, 40:] = 7
    kind_B, keep_B1 = torch.tensor([0, 1]), torch.ones(2, 1)
    first, second = (model(of, kind_B, keep_B1)[0] for of in (byte_BS, changed_BS))
    torch.testing.assert_close(first[:, :40], second[:, :40], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(first[:, 40:], second[:, 40:], atol=1e-2)


def test_both_models_have_about_the_same_number_of_weights() -> None:
    counts = [
        sum(
            p.numel()
            for p in text_model.TextModel(
                text_config(name, 0.0).model, generator=stream_generator(0, "weights")
            ).parameters()
        )
        for name in ("cdsp", "dense")
    ]
    assert max(counts) < 1.02 * min(counts)


def test_a_few_steps_lower_the_loss_and_measure_both_sides() -> None:
    rows = text_model.train(
        architecture="cdsp",
        lambda_conflict=10.0,
        texts=random_texts(),
        seed=0,
        steps=30,
        every=15,
        tell=tell_nobody,
        test_windows=8,
    )
    assert [row["step"] for row in rows] == [0, 15, 30]
    assert float(rows[-1]["bits"] or 0.0) < 0.7 * float(rows[0]["bits"] or 0.0)
    for name in ("isolation", "isolation_blind", "dimension_overlap_blind", "routing_consistency"):
        assert 0.0 <= float(rows[-1][name] or 0.0) <= 1.0


def test_a_mixture_is_balanced_and_its_routing_is_measured_but_no_topology() -> None:
    model = text_model.TextModel(text_config("standard", 0.0).model, generator=stream_generator(0, "weights"))
    assert model.routes
    rows = text_model.train(
        architecture="standard",
        lambda_conflict=0.0,
        texts=random_texts(),
        seed=0,
        steps=2,
        every=2,
        tell=tell_nobody,
        test_windows=4,
    )
    assert 0.0 <= float(rows[-1]["isolation_blind"] or 0.0) <= 1.0
    assert "dimension_overlap" not in rows[-1]
    cdsp = text_model.TextModel(text_config("cdsp", 0.0).model, generator=stream_generator(0, "weights"))
    assert cdsp.balance() is None


def made(job: Job) -> list[Row]:
    model, noise = job.settings["model"], 0.001 * job.seed
    isolation = {"cdsp": 0.6, "cdsp_lambda_0": 0.6, "standard": 0.2, "dense": None}[model]
    routed = isolation is not None
    return [
        {
            "step": step,
            "final": step == 9,
            "python": "3.11.0",
            "parameters": 100,
            **{f"bits{name}": (2.0 if routed else 1.9) + noise for name in ("", "_code", "_prose")},
            **{f"bits{name}_blind": 2.2 if model == "standard" else 2.0 for name in ("", "_code", "_prose")},
            "isolation": isolation,
            "isolation_blind": isolation and (isolation + noise if step else 0.1),
            "dimension_overlap": 0.5 if routed else None,
            "dimension_overlap_blind": (0.9 - 0.05 * step) if routed else None,
            "specialization": None,
            "specialization_blind": None,
            "routing_consistency": 0.8 - noise if routed else None,
            "routing_confusion": 0.3 if routed else None,
        }
        for step in (0, 9)
    ]


def test_claims_follow_isolation_and_loss() -> None:
    findings = tiny_lm.find(rows_of(tiny_lm.STUDY, made), SEEDS)
    found = verdicts(findings.claims)
    assert found[:8] == ["holds", "holds", "holds", "no effect", "holds", "fails", "fails", "no effect"]
    assert found[8:] == ["no effect", "holds", "holds"]
    assert "Python 3.11.0" in findings.notes[1]
    assert all(len(line.x) == 2 for line in findings.charts[1].lines)
