"""Hub writers on tiny random checkpoints of the real classes: prompts, pictures, soft tokens, drafts, refusals."""

import json
import socket
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from anatomy import Protocol, load_protocol
from grading.types import Findings
from imaging.types import Spacing
from pipeline import Reader, Reading, ReadOptions
from reporting import compose_report, verify_draft
from reporting.types import SentenceSource, SentenceStatus
from runtime.errors import ConfigError, ReportError, WeightsError
from segmentation.types import Region
from tests.pipeline.fakes import fake_findings, fake_segmented, fake_stages, fake_study
from tests.vlm.hub_fixtures import NAMES, REGION_DIM, SEEING, key_slice_of, small_preset
from tests.vlm.hub_models import BUILDERS, image_tower
from vlm.hub.config import HubGeneration, parse_hub_config
from vlm.hub.drafter import HubDrafter, generate, to_model
from vlm.hub.load import LoadedHub, load_hub
from vlm.hub.prompts import conversation, load_instructions, question
from vlm.hub.soft import build_soft_tokens
from vlm.hub.source import find_model
from vlm.hub.towers import load_tower
from vlm.model import next_token_loss
from vlm.plan import PHRASED, plan_report, slots_of
from vlm.prompt import stack_regions
from vlm.training.synthetic_findings import draw_findings
from vlm.writers import WriterChoice, open_writer, preset_file, writer_names

CPU = torch.device("cpu")
PRESETS = ("smolvlm", "llava-med", "medgemma", "qwen-vl", "biomedclip")


@pytest.fixture(scope="session")
def hub_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("hub")
    torch.manual_seed(0)
    return {name: build(root / name) for name, build in BUILDERS.items()}


@pytest.fixture(scope="session")
def loaded(hub_folders: dict[str, Path]) -> dict[str, LoadedHub]:
    """Return every class with eyes, loaded by the code under test."""
    return {name: load_hub(small_preset(name), hub_folders[name], device=CPU, name=name) for name in SEEING}


@pytest.fixture(scope="session")
def lumbar() -> Protocol:
    return load_protocol("lumbar")


@pytest.fixture(scope="session")
def findings(lumbar: Protocol) -> Findings:
    return draw_findings(np.random.default_rng(8), lumbar)


def talks_of(findings: Findings, *, pictures: int = 0, places: str = "", system_turn: bool = True) -> list[Any]:
    instructions = load_instructions("hub-1")
    return [
        conversation(
            instructions, question(instructions, slot, style="structured"), style="structured",
            pictures=pictures, places=places, system_turn=system_turn,
        )
        for slot in slots_of(plan_report(findings))[:2]
    ]  # fmt: skip


# --- presets and prompts


@pytest.mark.parametrize("name", PRESETS)
def test_presets_load_and_name_their_licence(name: str) -> None:
    preset = small_preset(name)
    assert preset.architecture == "hub"
    assert preset.licence
    assert set(preset.needs.memory_gib) == {"float32", "bfloat16"}


def test_all_presets_are_known_by_name() -> None:
    assert set(writer_names()) == {"spine-tiny", "remote", *PRESETS}


def test_wrong_presets_are_refused_by_key() -> None:
    table = asdict(small_preset("smolvlm"))
    del table["home"]

    def parse(**changes: object) -> None:
        parse_hub_config({**table, **changes}, where="x.yaml", home=Path())

    parse()
    with pytest.raises(ConfigError, match=r"x\.yaml: unknown or missing keys: colour"):
        parse(colour="blue")
    with pytest.raises(ConfigError, match=r"kind: expected image-text-to-text or text-generation, got 'video'"):
        parse(kind="video")
    with pytest.raises(ConfigError, match=r"dtype, cpu: expected float32 or bfloat16, got 'int4'"):
        parse(dtype={"cpu": "int4"})
    with pytest.raises(ConfigError, match="without eyes sees none"):
        parse(kind="text-generation")
    with pytest.raises(ConfigError, match="soft, tower: expected a tower for source image_tower"):
        parse(soft={**table["soft"], "source": "image_tower"})
    with pytest.raises(ConfigError, match="expected a table under 'lora', got 3"):
        parse(lora=3)


def test_examples_of_the_instructions_are_true_to_their_facts(lumbar: Protocol) -> None:
    """The composer writes the very sentences for findings whose serialisation is the example's."""
    wanted = {(item.section, item.facts): item.text for item in load_instructions("hub-1").examples}
    assert len(wanted) == 3
    for (section, facts), text in wanted.items():
        levels = facts.split(" | ")[0].removesuffix(" doubt").split(",")
        assert text.startswith(" and ".join(levels) + ":")
        assert section in ("findings", "impression")
    seen = set()
    from vlm.training.synthetic_findings import widen_sets
    from vlm.values import hide_values

    told = replace(lumbar, conditions=tuple(item for item in lumbar.conditions if item in PHRASED[lumbar.name]))
    for seed in range(200):
        for protocol, is_widened in product((lumbar, told), (False, True)):
            rng = np.random.default_rng(seed)
            drawn = draw_findings(rng, protocol)
            drawn = widen_sets(drawn, rng) if is_widened else drawn
            for slot in slots_of(plan_report(drawn)):
                key = (slot.section, hide_values(slot.facts))
                if key in wanted:
                    assert hide_values(slot.target) == wanted[key]
                    seen.add(key)
        if len(seen) == len(wanted):
            break
    assert seen == set(wanted)


def test_a_conversation_hides_values_and_names_nobody(findings: Findings) -> None:
    for turns in talks_of(findings, pictures=1):
        text = json.dumps(turns)
        assert findings.study_key not in text
        assert [part["type"] for part in turns[-1]["content"]] == ["image", "text"]
        assert turns[0]["role"] == "system"
    joined = talks_of(findings, system_turn=False)[0]
    assert joined[0]["role"] == "user"
    assert "spine radiologist" in joined[0]["content"][0]["text"]
    with pytest.raises(ConfigError, match="report style: expected one of structured"):
        question(load_instructions("hub-1"), slots_of(plan_report(findings))[0], style="poem")


# --- drafts


@pytest.mark.parametrize("name", SEEING)
def test_a_class_writes_the_same_draft_twice(
    name: str, loaded: dict[str, LoadedHub], findings: Findings, lumbar: Protocol
) -> None:
    drafter = HubDrafter(loaded[name], name=name)
    pictures = (key_slice_of(0), key_slice_of(1))
    draft = drafter.write_draft(findings, (), lumbar, pictures=pictures)
    assert drafter.write_draft(findings, (), lumbar, pictures=pictures) == draft
    assert [section.name for section in draft.sections] == [
        section.name for section in compose_report(findings).sections
    ]
    assert drafter.disclose(findings) is None
    assert drafter.prompt_id == f"{name}/hub-1"


@pytest.mark.parametrize("name", SEEING)
def test_the_picture_reaches_the_model(name: str, loaded: dict[str, LoadedHub], findings: Findings) -> None:
    hub = loaded[name]
    talks = talks_of(findings, pictures=1, system_turn=hub.config.system_turn)
    with torch.inference_mode():
        logits = [
            hub.model(**to_model(hub.talker.encode(talks, [key_slice_of(seed).to_image()]), hub.model)).logits
            for seed in (0, 1)
        ]
    assert not torch.allclose(logits[0][:, -1], logits[1][:, -1])


def test_another_protocol_is_refused(loaded: dict[str, LoadedHub], findings: Findings) -> None:
    with pytest.raises(ReportError, match="findings are of protocol 'lumbar', but 'cervical'"):
        HubDrafter(loaded["smolvlm"], name="smolvlm").write_draft(findings, (), load_protocol("cervical"))


def teach(hub: LoadedHub, talks: list[Any], answer: str, steps: int) -> None:
    """Make a tiny model write one sentence, whatever it is asked."""
    shown = [key_slice_of(0).to_image()]
    batch, labels = hub.talker.add_answers(hub.talker.encode(talks, shown), talks, [answer] * len(talks))
    optimiser = torch.optim.Adam(hub.model.parameters(), lr=0.01)
    for _ in range(steps):
        next_token_loss(hub.model(**batch).logits, labels).backward()
        optimiser.step()
        optimiser.zero_grad()


def test_what_a_model_invents_is_replaced(hub_folders: dict[str, Path]) -> None:
    """Through the pipeline: pictures reach the writer, its false sentences do not reach the report."""
    false = "L4-L5: Severe stenosis of the canal has progressed."
    torch.manual_seed(3)
    preset = small_preset("smolvlm")
    preset = replace(preset, generation=HubGeneration(max_new_tokens=40, batch_size=8))
    hub = load_hub(preset, hub_folders["smolvlm"], device=CPU, name="smolvlm")
    study = fake_study(Spacing(0.5, 0.5))
    findings = fake_findings(study, fake_segmented(study))
    teach(hub, talks_of(findings, pictures=1), false, 40)
    drafter = HubDrafter(hub, name="smolvlm")
    said = drafter.write_draft(findings, (), load_protocol("lumbar"), pictures=(key_slice_of(0),))
    assert any("progressed" in item.text for section in said.sections for item in section.sentences)
    stages = replace(fake_stages(drafter=drafter), verify_draft=verify_draft)
    *_, reading = Reader(stages).read(Path("slice.png"), ReadOptions())
    assert isinstance(reading, Reading)
    kept = [item for section in reading.report.sections for item in section.sentences]
    text = " ".join(item.text for item in kept)
    assert "progressed" not in text
    assert any(item.status is SentenceStatus.REPAIRED for item in kept)
    assert not any(item.source is SentenceSource.VLM for item in kept)
    assert reading.provenance.weights["vlm"] == hub.checksum
    assert reading.provenance.prompts["vlm"] == "smolvlm/hub-1"


# --- soft tokens


@pytest.mark.parametrize("name", SEEING)
def test_soft_tokens_are_what_inputs_embeds_would_be(
    name: str, loaded: dict[str, LoadedHub], findings: Findings
) -> None:
    """The forward pass of every class takes ``inputs_embeds``; ``generate`` of Gemma 3 does not."""
    hub = loaded[name]
    torch.manual_seed(1)
    soft = build_soft_tokens(hub.config, hub.model, hub.talker).eval()
    talks = talks_of(findings, places=soft.places, system_turn=hub.config.system_turn)
    rng = np.random.default_rng(5)
    seen = [(rng.normal(size=(4, REGION_DIM)).astype(np.float32),), ()]
    batch = hub.talker.encode(talks, [])
    with torch.inference_mode():
        with soft.placed(hub.model, seen):
            placed = hub.model(**batch).logits
            written = generate(hub.model, batch, soft=soft, max_new_tokens=4)
        embedded = hub.model.get_input_embeddings()(batch["input_ids"]).clone()
        embedded[batch["input_ids"] == soft.token_id] = soft.projector(*stack_regions(seen, REGION_DIM)).flatten(
            0, 1
        )
        rest = {key: item for key, item in batch.items() if key not in ("input_ids", "mm_token_type_ids")}
        plain = hub.model(inputs_embeds=embedded, **rest).logits
        without = hub.model(**batch).logits
    real = batch["attention_mask"].bool()
    torch.testing.assert_close(placed[real], plain[real], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(placed[real], without[real], atol=1e-3)
    assert not bool((written == soft.token_id).any())
    torch.testing.assert_close(placed[:, -1].argmax(-1), written[:, 0])


@pytest.mark.parametrize("name", SEEING)
def test_soft_tokens_and_pictures_go_together(
    name: str, loaded: dict[str, LoadedHub], findings: Findings, lumbar: Protocol
) -> None:
    torch.manual_seed(1)
    soft = build_soft_tokens(loaded[name].config, loaded[name].model, loaded[name].talker).eval()
    drafter = HubDrafter(replace(loaded[name], soft=soft), name=name)
    rng = np.random.default_rng(0)
    regions = tuple(
        Region(level.name, "S1", 0, (0, 0, 9, 9), rng.normal(size=(4, REGION_DIM)).astype(np.float32))
        for level in findings.levels
    )
    slots = slots_of(plan_report(findings))[:3]
    texts = drafter.write_slots(slots, regions, (key_slice_of(0),), style="structured")
    assert len(texts) == 3


def test_the_wrong_number_of_places_is_refused(loaded: dict[str, LoadedHub], findings: Findings) -> None:
    hub = loaded["smolvlm"]
    soft = build_soft_tokens(hub.config, hub.model, hub.talker)
    batch = hub.talker.encode(talks_of(findings, places="<spare>"), [])
    with soft.placed(hub.model, [(), ()]), pytest.raises(ValueError, match="expected 3 places in each"):
        hub.model(**batch)


def test_a_placeholder_must_be_one_entry(loaded: dict[str, LoadedHub]) -> None:
    hub = loaded["smolvlm"]
    assert hub.config.soft is not None
    wrong = replace(hub.config, soft=replace(hub.config.soft, token="several words of it"))
    with pytest.raises(ConfigError, match="one entry of the model's tokenizer"):
        build_soft_tokens(wrong, hub.model, hub.talker)


# --- an image tower of open_clip


def test_the_tower_gives_its_patch_tokens(tmp_path: Path) -> None:
    tower = load_tower(image_tower(tmp_path / "tower"))
    seen = tower.look([key_slice_of(0).to_image(), key_slice_of(1).to_image()])
    assert [item.shape for item in seen] == [(4, 16), (4, 16)]
    assert not np.allclose(seen[0], seen[1])
    assert tower.look([]) == ()
    (tmp_path / "tower" / "open_clip_pytorch_model.bin").unlink()
    with pytest.raises(WeightsError, match=r"expected open_clip_config\.json and"):
        load_tower(tmp_path / "tower")


def test_an_untrained_image_tower_writes_nothing(hub_folders: dict[str, Path], tmp_path: Path) -> None:
    preset = small_preset("biomedclip", tower=tmp_path)
    with pytest.raises(ConfigError, match=r"needs a trained projector.*adapt_biomedclip\.yaml"):
        load_hub(preset, hub_folders["biomedclip"], device=CPU, name="biomedclip")


# --- what is missing is named, and nothing is fetched unasked


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("name", PRESETS)
def test_a_model_that_is_not_here_is_named_and_not_fetched(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"writer {name}: its model '.*' is not on this machine"):
        open_writer(WriterChoice(name), weights_root=tmp_path, device="cpu")


def test_a_model_is_found_in_the_weights_folder(hub_folders: dict[str, Path]) -> None:
    root = hub_folders["smolvlm"].parent
    found = find_model("org/none", home=Path(), weights_root=root, name="smolvlm")
    assert found == hub_folders["smolvlm"]


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"expected config\.json in"):
        open_writer(WriterChoice("smolvlm", str(tmp_path)), weights_root=tmp_path, device="cpu")
    (tmp_path / "config.json").write_text('{"model_type": "idefics3"}', encoding="utf-8")
    with pytest.raises(WeightsError, match=r"expected \*\.safetensors, found none"):
        open_writer(WriterChoice("smolvlm", str(tmp_path)), weights_root=tmp_path, device="cpu")


def test_another_class_is_refused(hub_folders: dict[str, Path], tmp_path: Path) -> None:
    chosen = WriterChoice("smolvlm", str(hub_folders["qwen-vl"]))
    with pytest.raises(ConfigError, match="expected a model of type 'idefics3', got 'qwen2_5_vl'"):
        open_writer(chosen, weights_root=tmp_path, device="cpu")


def test_too_large_a_model_is_refused(hub_folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vlm.hub.load._BYTES", {"float32": 10**9})
    with pytest.raises(
        ConfigError, match=r"writer smolvlm: needs about .* GiB in float32 on cpu, .* GiB are free"
    ):
        load_hub(small_preset("smolvlm"), hub_folders["smolvlm"], device=CPU, name="smolvlm")


def test_a_model_without_a_template_is_named(hub_folders: dict[str, Path], findings: Findings) -> None:
    hub = load_hub(
        replace(small_preset("llava-med"), chat_template=""),
        hub_folders["llava-med"],
        device=CPU,
        name="llava-med",
    )
    with pytest.raises(ConfigError, match="no chat template and the preset gives none"):
        hub.talker.encode(talks_of(findings), [])


def test_writers_are_chosen_by_name() -> None:
    assert preset_file("llava-med").name == "llava_med.yaml"
    assert preset_file("spine-tiny").name == "spine-tiny.yaml"
    with pytest.raises(ConfigError, match=r"writer: expected composer, biomedclip, llava-med.*got 'nobody'"):
        preset_file("nobody")
    with pytest.raises(ConfigError, match=r"adapt\.yaml: architecture: expected one of spine-tiny, hub, remote"):
        open_writer(WriterChoice(str(preset_file("adapt"))), weights_root=Path(), device="cpu")
    with pytest.raises(ConfigError, match="spine-tiny: expected no model"):
        open_writer(WriterChoice("spine-tiny", "org/name"), weights_root=Path(), device="cpu")


def test_every_class_has_a_preset() -> None:
    assert set(NAMES) == set(PRESETS)
