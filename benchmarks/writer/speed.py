"""Time and memory of the writer on two cores, beside the architecture of SmolVLM-256M's decoder.

    python -m benchmarks.writer.speed [--reports 10]

Full lumbar reports of drawn findings. The other architecture (SmolVLM-256M: a Llama of 30 layers, 576 wide, 9
heads, 3 of keys and values, 49,280 entries; random weights) writes the same batches: as many prompts, as long, as
many new tokens, in the same loop. Memory: resident size after loading and drafting, above the process with torch
and transformers imported. Writes ``runs/benchmarks/writer_speed.json``.
"""

import argparse
import json
import resource
import statistics
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from anatomy import load_protocol
from vlm import Drafter
from vlm.model import ReportWriter, Slots
from vlm.plan import plan_report, slots_of
from vlm.projector import RegionProjector
from vlm.prompt import collate
from vlm.training.synthetic_findings import draw_findings

OUT = Path("runs/benchmarks/writer_speed.json")
_MIB = 2**20
_NO_TOKEN = -1


def resident_mib() -> float:
    """Return the resident memory of this process in MiB (Linux)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / _MIB


def smolvlm_writer() -> ReportWriter:
    """Build SmolVLM-256M's text decoder with random weights behind our loop."""
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = LlamaConfig(
        vocab_size=49280,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        max_position_embeddings=8192,
        tie_word_embeddings=False,
    )
    projector = RegionProjector(region_dim=8, kinds=4, tokens=4, width=576, heads=4, scale=1.0)
    return ReportWriter(LlamaForCausalLM(shape), projector, region_id=-1).eval()


def lumbar_batches(drafter: Drafter, reports: int) -> list[Slots]:
    """Return the prompts of each report as one batch of slots, all of them side by side."""
    protocol = load_protocol("lumbar")
    batches = []
    for number in range(reports):
        findings = draw_findings(np.random.default_rng([17, number]), protocol, levels=protocol.levels[-5:])
        prompts = [drafter.prompt_of(slot, (), style="structured") for slot in slots_of(plan_report(findings))]
        loaded = drafter.loaded
        batches.append(collate(prompts, loaded.tokenizer, region_dim=loaded.config.projector.region_dim))
    return batches


def seconds_of(writer: ReportWriter, slots: Slots, tokens: int) -> float:
    """Return the time to write so many tokens in every slot; no token ends a text."""
    began = time.perf_counter()
    writer.generate(slots, eos_id=_NO_TOKEN, pad_id=0, max_new_tokens=tokens)
    return time.perf_counter() - began


def report_seconds(drafter: Drafter, reports: int) -> list[float]:
    """Return the time of each full report, plan and sentences included."""
    protocol = load_protocol("lumbar")
    seconds = []
    for number in range(reports):
        findings = draw_findings(np.random.default_rng([17, number]), protocol, levels=protocol.levels[-5:])
        began = time.perf_counter()
        drafter.write_draft(findings, (), protocol)
        seconds.append(time.perf_counter() - began)
    return seconds


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reports", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--weights-root", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    before = resident_mib()
    drafter = Drafter.load(weights_root=options.weights_root, device="cpu")
    seconds = report_seconds(drafter, options.reports)
    memory = resident_mib() - before
    batch = lumbar_batches(drafter, 1)[0]
    other = smolvlm_writer()
    tokens = 48
    ours = seconds_of(drafter.loaded.writer, batch, tokens)
    theirs = seconds_of(other, replace(batch, regions=torch.zeros(len(batch.input_ids), 1, 8)), tokens)
    figures = {
        "threads": options.threads,
        "reports": options.reports,
        "seconds_median": statistics.median(seconds),
        "seconds_slowest": max(seconds),
        "memory_mib": memory,
        "slots": len(batch.input_ids),
        "new_tokens_a_slot": tokens,
        "ours_seconds": ours,
        "smolvlm_seconds": theirs,
        "times_faster": theirs / ours,
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    for name, value in figures.items():
        print(f"{name}: {value:.3g}" if isinstance(value, float) else f"{name}: {value}")


if __name__ == "__main__":
    main()
