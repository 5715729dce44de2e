"""Sampling, and how a prompt is divided: functions of one row, whatever the rows beside it."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")

import torch

from negotiation_env.engines.exact.attention import BlockStore, Grid
from negotiation_env.engines.exact.decoding import BLOCK, blocks, draw, uniforms


def _nucleus_by_definition(logits: torch.Tensor, temperature: float, top_p: float) -> set[int]:
    probabilities = torch.softmax(logits.double() / temperature, dim=-1)
    order = probabilities.argsort(descending=True).tolist()
    kept: set[int] = set()
    mass = 0.0
    for token in order:
        if mass >= top_p:
            break
        kept.add(token)
        mass += float(probabilities[token])
    return kept


def test_nucleus_tokens_come_from_the_nucleus_and_do_not_depend_on_other_rows() -> None:
    generator = torch.Generator().manual_seed(0)
    # From peaked to almost flat: nuclei of a few, of hundreds, and of thousands of tokens.
    logits = torch.randn(6, 4000, generator=generator) * torch.tensor([8.0, 4.0, 2.0, 1.0, 0.3, 0.01])[:, None]
    settings = [(0.7, 0.9), (1.0, 0.9), (1.0, 0.5), (1.3, 0.95), (1.0, 0.9), (1.0, 1.0)]
    temperatures, top_ps = [t for t, _ in settings], [p for _, p in settings]
    for seed in range(40):
        noise = uniforms(seed, 6)
        tokens, logprobs = draw(logits, noise, temperatures, top_ps)
        for i, (temperature, top_p) in enumerate(settings):
            assert draw(logits[i : i + 1], [noise[i]], [temperature], [top_p]) == ([tokens[i]], [logprobs[i]])
            expected = torch.log_softmax(logits[i].double() / temperature, dim=-1)[tokens[i]]
            assert logprobs[i] == pytest.approx(float(expected), abs=1e-4)
            if top_p < 1.0:
                assert tokens[i] in _nucleus_by_definition(logits[i], temperature, top_p)


def test_many_rows_draw_what_each_draws_alone() -> None:
    logits = torch.randn(37, 3000, generator=torch.Generator().manual_seed(5)) * 3.0
    noise = uniforms(11, 37)
    temperatures, top_ps = [(0.0, 0.5, 1.0)[i % 3] for i in range(37)], [(0.9, 1.0)[i % 2] for i in range(37)]
    alone = [draw(logits[i : i + 1], noise[i : i + 1], temperatures[i : i + 1], top_ps[i : i + 1]) for i in range(37)]
    together = draw(logits, noise, temperatures, top_ps)
    assert together == ([t for tokens, _ in alone for t in tokens], [p for _, logprobs in alone for p in logprobs])


def test_draws_have_the_distribution_of_the_nucleus() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]])).repeat(4000, 1)
    tokens, _ = draw(logits, uniforms(3, 4000), [1.0] * 4000, [0.8] * 4000)
    shares = [tokens.count(token) / 4000 for token in range(4)]
    assert shares[2] == shares[3] == 0.0
    assert shares[0] == pytest.approx(0.5 / 0.8, abs=0.03)
    assert draw(logits[:1], [1 - 2**-53], [1.0], [0.8])[0] == [1]


@pytest.mark.parametrize(("length", "prefix"), [(1, 0), (2, 1), (64, 0), (65, 64), (200, 165), (300, 10), (300, 128)])
def test_blocks_cover_a_prompt_but_its_last_token_and_break_at_the_prefix(length: int, prefix: int) -> None:
    prompt = tuple(range(length))
    found = blocks(prompt, prefix)
    covered = [column for block in found for column in range(block.start, block.stop)]
    assert covered == list(range(length - 1))
    assert all(0 < block.stop - block.start <= BLOCK for block in found)
    assert prefix in {0, *(block.stop for block in found)}
    assert all(block.kept for block in found if block.stop <= prefix)
    again = blocks(prompt, prefix, again=True)
    assert all(block.kept for block in again)
    assert [block.key for block in again] == [block.key for block in found]


def test_prompts_share_the_blocks_of_their_prefix_only() -> None:
    one, other = tuple(range(200)), (*range(150), *range(900, 950))
    first, second = blocks(one, 150), blocks(other, 150)
    assert [block.key for block in first[:3]] == [block.key for block in second[:3]]
    assert first[3].key != second[3].key
    # The same tokens divided elsewhere are other sums.
    assert blocks(one, 100)[2].key != blocks(one, 36)[2].key


def test_a_block_read_from_the_grid_is_written_unchanged() -> None:
    grid = Grid(layers=2, rows=3, columns=8)
    block = torch.randn(2, 2, 1, 4, 5, generator=torch.Generator().manual_seed(1))
    grid.write([0, 2], 3, block)
    assert torch.equal(grid.read(2, 3, 7), block)
    grid.move(2, 1, 5)
    assert torch.equal(grid.read(1, 0, 5), grid.read(2, 0, 5))
    assert not grid.read(1, 5, 8).any()


def test_the_store_keeps_the_blocks_used_last_within_its_limit() -> None:
    store = BlockStore(limit=2 * 40)
    keys = [(0, (i,)) for i in range(3)]
    for key in keys[:2]:
        store.put(key, torch.zeros(10))
    store.get(keys[0])
    store.put(keys[2], torch.zeros(10))
    assert [store.get(key) is not None for key in keys] == [True, False, True]
