"""A tiny writer, taught a few sentences by heart: every path of the room in milliseconds."""

import numpy as np
import pytest
import torch

from anatomy import Protocol, load_protocol
from vlm.build import LoadedWriter, build_writer
from vlm.config import (
    AdapterConfig,
    DecoderConfig,
    GenerationConfig,
    ProjectorConfig,
    VlmConfig,
)
from vlm.model import slots_loss
from vlm.prompt import collate, load_layout
from vlm.tokenizer import ReportTokenizer, train_tokenizer
from vlm.training.corpus import CorpusMix, tokenizer_corpus
from vlm.training.examples import ExampleMix, ExampleSource, draw_examples
from vlm.training.loop import LoopConfig, run_steps
from vlm.training.protocols import ProtocolMix
from vlm.training.regions import RegionCache

REGION_DIM = 12
TINY = VlmConfig(
    architecture="spine-tiny",
    prompt="slots-1",
    vocabulary=600,
    decoder=DecoderConfig(hidden_size=32, layers=2, heads=4, intermediate_size=48, max_positions=512),
    adapter=AdapterConfig(rank=4, alpha=8, dropout=0.0, targets=("q_proj", "v_proj", "down_proj")),
    projector=ProjectorConfig(region_dim=REGION_DIM, region_kinds=4, tokens=3, heads=2),
    generation=GenerationConfig(
        max_new_tokens=70, batch_size=4, samples=3, temperature=0.7, consistency_floor=0.5
    ),
)


@pytest.fixture(scope="session")
def tiny_config() -> VlmConfig:
    return TINY


@pytest.fixture(scope="session")
def lumbar() -> Protocol:
    return load_protocol("lumbar")


@pytest.fixture(scope="session")
def tokenizer(lumbar: Protocol) -> ReportTokenizer:
    mix = CorpusMix(notes=0.0, text=0.5, pairs=0.5)
    texts = list(
        tokenizer_corpus(
            60, 0, mix, ("L4-L5 disc bulge.",), load_layout("slots-1"), ProtocolMix((lumbar,), (1.0,))
        )
    )
    return train_tokenizer(texts, vocabulary=TINY.vocabulary)


@pytest.fixture(scope="session")
def taught_weights(
    tokenizer: ReportTokenizer, lumbar: Protocol, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, torch.Tensor]:
    """Return weights that write sentences, if not true ones: a few dozen slots, two hundred steps."""
    torch.manual_seed(0)
    writer = build_writer(TINY, tokenizer)
    rng = np.random.default_rng(3)
    mix = ExampleMix(real=0.0, structured=1.0, without_regions=1.0, without_findings=0.0, region_noise=0.0)
    nothing = RegionCache({}, segmentation_checksum="")
    source = ExampleSource(
        mix,
        load_layout("slots-1"),
        lumbar,
        ProtocolMix((lumbar,), (1.0,)),
        {},
        nothing,
        np.ones((4, REGION_DIM), np.float32),
        region_tokens=3,
    )
    slots = collate(draw_examples(source, rng, 12), tokenizer, region_dim=REGION_DIM)
    loop = LoopConfig(
        steps=80, learning_rate=0.02, warmup_steps=10, decay_share=0.5, weight_decay=0.0, clip_norm=1.0,
        checkpoint_every=80, seed=0,
    )  # fmt: skip
    run_steps(writer, lambda model, seed: slots_loss(model, slots), loop, tmp_path_factory.mktemp("taught"))
    return writer.state_dict()


@pytest.fixture
def tiny(tokenizer: ReportTokenizer, taught_weights: dict[str, torch.Tensor]) -> LoadedWriter:
    """Return a fresh tiny writer that writes sentences."""
    writer = build_writer(TINY, tokenizer)
    writer.load_state_dict(taught_weights)
    return LoadedWriter(writer=writer.eval(), tokenizer=tokenizer, config=TINY)


@pytest.fixture
def embedding() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(4, REGION_DIM)).astype(np.float32)
