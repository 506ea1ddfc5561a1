"""The network: embeddings in place of ids, batching, left padding and the own decoding loop."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from runtime.errors import ConfigError
from vlm.build import LoadedWriter
from vlm.model import IGNORED, next_token_loss, slots_loss
from vlm.prompt import SlotPrompt, collate, impression_prompt, level_prompt, load_layout
from vlm.tokenizer import REGION

LAYOUT = load_layout("slots-1")
FACTS = (
    "L4-L5 | disc_bulging present",
    "L5-S1 | disc_degeneration pfirrmann IV | modic 2 | disc_herniation absent",
)


def prompts(tiny: LoadedWriter, embedding: np.ndarray | None = None) -> list[SlotPrompt]:
    count = tiny.config.projector.tokens
    regions = () if embedding is None else (embedding,)
    return [
        SlotPrompt(level_prompt(LAYOUT, facts, level="L4-L5", style="structured", region_tokens=count), regions)
        for facts in FACTS
    ]


def generate(tiny: LoadedWriter, items: list[SlotPrompt], *, new: int = 12) -> list[list[int]]:
    slots = collate(items, tiny.tokenizer, region_dim=tiny.config.projector.region_dim)
    return tiny.writer.generate(
        slots, eos_id=tiny.tokenizer.eos_id, pad_id=tiny.tokenizer.pad_id, max_new_tokens=new
    )


def test_embeddings_in_give_what_ids_give_for_plain_text(tiny: LoadedWriter) -> None:
    slots = collate(
        [SlotPrompt(impression_prompt(LAYOUT, FACTS[0], style="structured"))], tiny.tokenizer, region_dim=12
    )
    with torch.no_grad():
        ours = tiny.writer(slots)
        theirs = tiny.writer.decoder(input_ids=slots.input_ids).logits
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_the_own_loop_writes_what_transformers_generate_writes(tiny: LoadedWriter, embedding: np.ndarray) -> None:
    slots = collate(prompts(tiny, embedding), tiny.tokenizer, region_dim=12)
    with torch.no_grad():
        theirs = tiny.writer.decoder.generate(
            inputs_embeds=tiny.writer.embed(slots),
            attention_mask=slots.attention_mask,
            do_sample=False,
            max_new_tokens=10,
            min_new_tokens=1,
        )
    ours = generate(tiny, prompts(tiny, embedding), new=10)
    eos, pad = tiny.tokenizer.eos_id, tiny.tokenizer.pad_id
    for mine, row in zip(ours, theirs.tolist(), strict=True):
        ended = row[: row.index(eos)] if eos in row else row
        assert mine == [number for number in ended if number != pad] or mine == ended


def test_a_batch_writes_what_its_slots_write_alone(tiny: LoadedWriter, embedding: np.ndarray) -> None:
    items = prompts(tiny, embedding)
    assert len({item.text for item in items}) == 2
    assert generate(tiny, items) == [generate(tiny, [item])[0] for item in items]


def test_left_padding_changes_no_logit(tiny: LoadedWriter, embedding: np.ndarray) -> None:
    short, long = prompts(tiny, embedding)
    with torch.no_grad():
        alone = tiny.writer(collate([short], tiny.tokenizer, region_dim=12))
        beside = tiny.writer(collate([short, long], tiny.tokenizer, region_dim=12))
    assert torch.allclose(beside[0, -alone.shape[1] :], alone[0], atol=1e-5)


def test_region_tokens_reach_the_text(tiny: LoadedWriter, embedding: np.ndarray) -> None:
    with torch.no_grad():
        without = tiny.writer(collate(prompts(tiny), tiny.tokenizer, region_dim=12))
        with_regions = tiny.writer(collate(prompts(tiny, embedding), tiny.tokenizer, region_dim=12))
    assert not torch.allclose(without[:, -1], with_regions[:, -1], atol=1e-3)


def test_the_first_token_is_never_the_end(tiny: LoadedWriter) -> None:
    with torch.no_grad():
        tiny.writer.decoder.model.norm.weight.zero_()  # every logit is 0 ...
        tiny.writer.decoder.lm_head.bias = torch.nn.Parameter(torch.zeros(len(tiny.tokenizer)))
        tiny.writer.decoder.lm_head.bias[tiny.tokenizer.eos_id] = 5.0  # ... but the end's
    assert [len(row) for row in generate(tiny, prompts(tiny))] == [1, 1]


def test_a_wrong_number_of_region_places_is_refused(tiny: LoadedWriter) -> None:
    item = SlotPrompt(f"<bos>{REGION}")
    with pytest.raises(ValueError, match="expected 3 <region> places in each"):
        generate(tiny, [item])


def test_a_foreign_region_embedding_is_refused(tiny: LoadedWriter) -> None:
    item = replace(prompts(tiny)[0], regions=(np.zeros((4, 5), dtype=np.float32),))
    with pytest.raises(ConfigError, match=r"expected shape \(T, 12\), got \(4, 5\)"):
        generate(tiny, [item])


def test_the_loss_is_taken_at_the_target_alone(tiny: LoadedWriter) -> None:
    item = replace(prompts(tiny)[0], target="A disc bulge.")
    slots = collate([item], tiny.tokenizer, region_dim=12)
    assert slots.labels is not None
    learnt = [number for number in slots.labels[0].tolist() if number != IGNORED]
    assert learnt == [*tiny.tokenizer.encode("A disc bulge."), tiny.tokenizer.eos_id]
    with torch.no_grad():
        logits = tiny.writer(slots)
        log_odds = torch.log_softmax(logits[0, -len(learnt) - 1 : -1], dim=-1)
        by_hand = -log_odds[torch.arange(len(learnt)), torch.tensor(learnt)].mean()
        assert torch.allclose(slots_loss(tiny.writer, slots), by_hand, atol=1e-5)
        assert torch.allclose(next_token_loss(logits, slots.labels), by_hand, atol=1e-5)


def test_a_loss_without_labels_is_refused(tiny: LoadedWriter) -> None:
    with pytest.raises(ValueError, match="expected labels"):
        slots_loss(tiny.writer, collate(prompts(tiny), tiny.tokenizer, region_dim=12))


def test_an_unknown_style_or_layout_is_refused() -> None:
    with pytest.raises(ConfigError, match="report style: expected one of structured"):
        impression_prompt(LAYOUT, "x", style="poetic")
    with pytest.raises(ConfigError, match=r"expected a file slots-0\.yaml"):
        load_layout("slots-0")
