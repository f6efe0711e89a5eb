"""Every claim, system, idea and question of the paper, its appendix and the authors' memo, and where it is measured."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final, Literal

How = Literal["headline", "claim", "check", "tested", "not measured"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One of them."""

    number: int
    what: str
    how: How
    """judged as a headline claim, another claim or a check; exact by a test of the code; or not measured"""
    where: str
    """the headline claim's name, words of the claim or check, the file of tests, or why not"""


def sentence() -> str:
    """How many are measured how, in one sentence."""
    found = Counter(row.how for row in ROWS)
    return (
        f"Of {len(ROWS)} claims, systems, ideas and questions of the paper, its appendix and the authors' memo "
        f"{found['headline'] + found['claim']} are judged as claims ({found['headline']} among the twelve), "
        f"{rest_of_sentence()}: `cdsp_core/studies/framework/coverage.py` says of each where, or why not."
    )


def rest_of_sentence() -> str:
    """How many are no claims, in words."""
    found = Counter(row.how for row in ROWS)
    checks = "1 is a check" if found["check"] == 1 else f"{found['check']} are checks"
    return (
        f"{checks}, {found['tested']} are equations and counts that tests hold the program to, and "
        f"{found['not measured']} are not measured"
    )


ROWS: Final = (
    Row(
        number=1,
        what="Universal weight subspace (Axiom 1)",
        how="not measured",
        where="an axiom about all networks; nothing here could deny it",
    ),
    Row(number=2, what="Super-complete backbone, orthogonal start (Eq. 1)", how="tested", where="test_layer.py"),
    Row(number=3, what="Experts without weights of their own", how="tested", where="test_layer.py"),
    Row(number=4, what="Block partition (Eq. 2), P other than E", how="claim", where="32 blocks in place of 8"),
    Row(
        number=5,
        what="Start of A: maximum entropy (Eq. 3) against self-biased",
        how="claim",
        where="Starting A from maximum entropy costs less",
    ),
    Row(number=6, what="Control force (Eq. 4)", how="tested", where="test_topology.py"),
    Row(number=7, what="Top-r subspace and square-root law (Eq. 5-6)", how="tested", where="test_topology.py"),
    Row(
        number=8,
        what="Constant memory budget of the square-root law: none is",
        how="tested",
        where="test_topology.py",
    ),
    Row(number=9, what="Sparse compute equals dense and saves work", how="tested", where="test_expert_paths.py"),
    Row(
        number=10, what="Strength bridge: useful subspaces strengthen (Eq. 8-9)", how="tested", where="test_topology.py"
    ),
    Row(number=11, what="LayerNorm and concatenation (Eq. 10)", how="tested", where="test_router.py"),
    Row(
        number=12,
        what="Adversarial masking (Eq. 11)",
        how="claim",
        where="Hiding the ID half of the time makes blind inference better",
    ),
    Row(number=13, what="Softmax over all, then top-K (Eq. 12)", how="tested", where="test_router.py"),
    Row(number=14, what="Lagged gradients (Eq. 13)", how="tested", where="test_conflict_lag.py"),
    Row(number=15, what="Conflict on the intersection (Eq. 14-15)", how="tested", where="test_conflict.py"),
    Row(
        number=16,
        what="Logit penalty, constant pressure (Eq. 16-17)",
        how="check",
        where="in the time that constant pressure predicts",
    ),
    Row(
        number=17,
        what="L1 keeps plasticity, resurrection",
        how="claim",
        where="L1 keeps the topology plastic",
    ),
    Row(number=18, what="Binarisation (memo)", how="claim", where="Binarisation makes the topology more decided"),
    Row(number=19, what="Two speeds", how="claim", where="A topology that learns ten times faster"),
    Row(
        number=20,
        what="Too slow mimics a mixture, too fast prunes early",
        how="claim",
        where="ratio 20 gains less than one point over 10",
    ),
    Row(
        number=21,
        what="Accuracies 95.14, 94.54, 93.92",
        how="claim",
        where="replicates its published training accuracy",
    ),
    Row(
        number=22,
        what="CDSP-MoE above the blind mixture",
        how="claim",
        where="trains to a higher accuracy than a mixture that never sees a task ID (the release's labels)",
    ),
    Row(number=23, what="Gap to the standard mixture at most 0.6", how="headline", where="H7"),
    Row(
        number=24,
        what="Lower loss than the blind mixture",
        how="claim",
        where="trains to a lower loss than a mixture that never sees a task ID",
    ),
    Row(number=25, what="Evolutionary tax", how="claim", where="evolutionary tax: it is behind"),
    Row(number=26, what="Accuracy without ID is robust", how="headline", where="H1"),
    Row(number=27, what="Baselines collapse without ID", how="claim", where="collapses without it"),
    Row(
        number=28,
        what="Standard mixture routes all tasks alike without ID (Pearson)",
        how="claim",
        where="static mode collapse",
    ),
    Row(
        number=29,
        what="Clothing expert abandoned, global-frequency default",
        how="claim",
        where="patches of clothing go to the expert that had most",
    ),
    Row(number=30, what="Lookup-table division of labour with ID", how="claim", where="like a lookup table"),
    Row(
        number=31,
        what="Pure blind mixture: semantic entanglement",
        how="claim",
        where="routed further apart in CDSP-MoE than in a mixture that never sees an ID",
    ),
    Row(number=32, what="Pseudo-balance trap", how="claim", where="an even load keeps the tasks' routing together"),
    Row(number=33, what="Conflict is the essential driver", how="headline", where="H4"),
    Row(number=34, what="Clustering with ID", how="headline", where="H6"),
    Row(number=35, what="Clustering without ID", how="headline", where="H5"),
    Row(number=36, what="Complexity first, then semantics", how="claim", where="Complexity first, semantics later"),
    Row(
        number=37,
        what="Uncertainty drift of a foundational expert",
        how="not measured",
        where="no definition that a program could apply",
    ),
    Row(number=38, what="Oligarchy", how="claim", where="An oligarchy forms"),
    Row(number=39, what="Minimal set, marginal experts", how="claim", where="Few experts do the work"),
    Row(number=40, what="Alpha sparsity 0.3 (Eq. 18)", how="headline", where="H9"),
    Row(number=41, what="70 % synergy kept, golden ratio", how="headline", where="H9"),
    Row(number=42, what="Living fluctuation", how="not measured", where="no definition that a program could apply"),
    Row(
        number=43,
        what="Auxiliary loss 0.71 to 0.37, plateau",
        how="claim",
        where="The auxiliary loss falls and then stays",
    ),
    Row(
        number=44, what="Lemma 1: conflict has probability 1/2", how="claim", where="conflict with probability one half"
    ),
    Row(number=45, what="Eq. 26: conflict dominates early", how="claim", where="Conflict dominates early"),
    Row(
        number=46, what="Theorem 1: decoupling", how="claim", where="A pair in constant conflict over a third partition"
    ),
    Row(
        number=47,
        what="Corollary: dimensions are independent",
        how="claim",
        where="With a logit for every dimension, a pair",
    ),
    Row(number=48, what="Theorem 2a: entropy falls", how="check", where="Structural entropy falls from its maximum"),
    Row(
        number=49,
        what="Theorem 2b: residual entropy, Boltzmann",
        how="not measured",
        where="Eq. 16 has no fixed point, so no stationary law exists to compare",
    ),
    Row(
        number=50,
        what="Synergy term",
        how="not measured",
        where="dead code in the authors' program; not in the paper's loss",
    ),
    Row(
        number=51,
        what="Without human task labels",
        how="not measured",
        where="IDs are given in half of training: said under the rules",
    ),
    Row(number=52, what="Memory of lagged gradients", how="claim", where="measuring every 5 steps saves time"),
    Row(
        number=53,
        what="Low-rank projection, co-active sampling",
        how="claim",
        where="pairs that a token used together carry more",
    ),
    Row(number=54, what="Language: code and prose", how="claim", where="separate code from prose"),
    Row(number=55, what="Continual learning", how="claim", where="CDSP forgets less than a dense net"),
    Row(
        number=56,
        what="Green AI: at equal weights a token's work is 2.8 times a mixture's",
        how="tested",
        where="test_architectures.py",
    ),
    Row(
        number=57,
        what="Noisy top-k, GShard, Switch, GLaM, ST-MoE, V-MoE",
        how="not measured",
        where="one standard mixture stands for them",
    ),
    Row(number=58, what="Expert choice", how="claim", where="than expert choice"),
    Row(number=59, what="DSelect-k", how="claim", where="than DSelect-k"),
    Row(number=60, what="DeepSeekMoE", how="claim", where="than shared and fine-grained experts"),
    Row(number=61, what="STGC", how="claim", where="than STGC"),
    Row(number=62, what="PCGrad", how="claim", where="than PCGrad on the shared backbone"),
    Row(number=63, what="Routing networks, latent multi-task, task grouping", how="not measured", where="not built"),
    Row(
        number=64,
        what="EWC (of MAS, SI, GEM, A-GEM, OGD none is built)",
        how="claim",
        where="dense net with EWC, strength",
    ),
    Row(number=65, what="MGDA, uncertainty weighting", how="not measured", where="not built"),
    Row(number=66, what="LoRA, AdaLoRA", how="not measured", where="not built: no pretrained weights here"),
    Row(number=67, what="Lottery tickets, connectivity, soups", how="not measured", where="not built"),
    Row(
        number=68,
        what="MNIST and Fashion-MNIST, block-diagonal sigmoid(A)",
        how="claim",
        where="use more of the backbone in common",
    ),
    Row(
        number=69, what="Blind at p 0.5", how="claim", where="Without task ID CDSP-MoE is about as accurate as with it"
    ),
    Row(number=70, what="Against the pure blind mixture", how="headline", where="H2"),
    Row(number=71, what="Failure: identity politics", how="claim", where="Tokens go by what the image shows"),
    Row(
        number=72,
        what="Failure: oligarchic collapse",
        how="claim",
        where="does not collapse into a few experts",
    ),
    Row(
        number=73,
        what="Failure: entanglement",
        how="claim",
        where="are routed further apart in CDSP-MoE than in the paper's standard mixture",
    ),
    Row(number=74, what="Ratios 1, 5, 10, 20", how="claim", where="Ratio 10 costs less than one point"),
    Row(
        number=75,
        what="Robust conflict signal, useful sharing",
        how="claim",
        where="The conflict penalty leaves beneficial sharing as it is",
    ),
    Row(number=76, what="GLUE, multilingual", how="not measured", where="no such data can be had here"),
    Row(
        number=77,
        what="State-of-the-art mixtures without instruction",
        how="claim",
        where="loses less when the ID is hidden than expert choice",
    ),
    Row(
        number=78,
        what="Shared region emerges from overlap of masks (memo)",
        how="claim",
        where="Experts come to share fewer dimensions",
    ),
    Row(
        number=79,
        what="High conflict gives common factors, low gives skills",
        how="not measured",
        where="no definition that a program could apply",
    ),
    Row(number=80, what="Conflict gives flat minima", how="claim", where="ends in a flatter minimum than"),
    Row(number=81, what="lambda by a bandit", how="claim", where="Steered by a bandit lambda gives"),
    Row(
        number=82,
        what="Sharing high, then low (back on drift is not tried)",
        how="claim",
        where="sharing is high at first and low later",
    ),
    Row(number=83, what="Block-sparse masks", how="claim", where="block-sparse masks"),
    Row(number=84, what="Medium rank beats LoRA's capacity", how="not measured", where="as 66"),
    Row(
        number=85,
        what="Low layers share, high layers split",
        how="claim",
        where="Experts of the last layer share fewer dimensions",
    ),
    Row(number=86, what="Interference demonstration", how="claim", where="CDSP learns two opposite tasks better than"),
    Row(number=87, what="R 512 (1024 is not tried)", how="claim", where="A backbone of 512 dimensions gains accuracy"),
    Row(number=88, what="One logit a dimension, eviction", how="claim", where="one logit a dimension"),
    Row(number=89, what="Task bias normalised, half and half", how="claim", where="the task mixed into the router"),
    Row(number=90, what="Rank overlap falls", how="headline", where="H8"),
    Row(number=91, what="Interference peaks, then falls", how="claim", where="peaks in the middle of training"),
    Row(number=92, what="Isolation score", how="headline", where="H4"),
    Row(number=93, what="A wrong ID", how="claim", where="A wrong task ID costs CDSP-MoE less than a standard mixture"),
    Row(
        number=94,
        what="Tensor-level projection, hypernetwork view",
        how="not measured",
        where="a wording, not a claim about a measurement",
    ),
)
