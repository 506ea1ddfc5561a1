"""Tiny random checkpoints in the hub's own layout: the real classes, processors and chat templates, small sizes.

Each function writes one folder as ``save_pretrained`` does, so that the code under test loads it like a download.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

_PROMPTS = Path(__file__).parents[2] / "vlm" / "prompts" / "hub-1.yaml"
"""What the tiny tokenizers are trained on, so that a prompt is a few hundred tokens."""
TEXT = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
}
SMOLVLM_TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}"
    "{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
GEMMA_TEMPLATE = (
    "{{ bos_token }}{% set lead = messages[0]['content'][0]['text'] + '\n\n' if messages[0]['role'] == 'system' "
    "else '' %}{% for message in messages %}{% if message['role'] != 'system' %}"
    "{{ '<start_of_turn>' + ('model' if message['role'] == 'assistant' else message['role']) + '\n' }}"
    "{% if loop.index0 == 1 %}{{ lead }}{% endif %}{% for line in message['content'] %}"
    "{% if line['type'] == 'image' %}{{ '<start_of_image>' }}{% else %}{{ line['text'] | trim }}{% endif %}"
    "{% endfor %}{{ '<end_of_turn>\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
QWEN_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% for line in message['content'] %}{% if line['type'] == 'image' %}"
    "{{ '<|vision_start|><|image_pad|><|vision_end|>' }}{% else %}{{ line['text'] }}{% endif %}{% endfor %}"
    "{{ '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{{ message['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TOWER_SIDE, TOWER_PATCHES, TOWER_WIDTH = 32, 4, 16


def tiny_tokenizer(special: tuple[str, ...], **names: str) -> Any:
    """Return a fast tokenizer of a few hundred entries; ``names`` are its special attributes."""
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=["<pad>", "<s>", "</s>", "<spare>", *special],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(_PROMPTS.read_text(encoding="utf-8").splitlines(), trainer=trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token=names.pop("eos_token", "</s>"),
        additional_special_tokens=["<spare>", *special],
        extra_special_tokens=names,
    )


def smolvlm(folder: Path) -> Path:
    """SmolVLM-256M and -500M: Idefics3's class and processor."""
    from transformers import (
        Idefics3Config,
        Idefics3ForConditionalGeneration,
        Idefics3ImageProcessor,
        Idefics3Processor,
    )

    tokenizer = tiny_tokenizer(
        ("<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>", "<|im_start|>"),
        eos_token="<end_of_utterance>",
    )
    side = {"longest_edge": 32}
    pictures = Idefics3ImageProcessor(size=side, max_image_size=side, do_image_splitting=True)
    processor = Idefics3Processor(pictures, tokenizer, image_seq_len=4, chat_template=SMOLVLM_TEMPLATE)
    config = Idefics3Config(
        text_config={"model_type": "llama", **TEXT, "vocab_size": len(tokenizer), "pad_token_id": 0},
        vision_config={
            "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2,
            "image_size": 32, "patch_size": 8,
        },
        scale_factor=2,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=0,
    )  # fmt: skip
    return _save(Idefics3ForConditionalGeneration(config), processor, tokenizer, folder)


def llava(folder: Path) -> Path:
    """LLaVA-Med: LLaVA's class around a Mistral, CLIP as eye; its own turn marks, no system turn."""
    from transformers import CLIPImageProcessor, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor

    tokenizer = tiny_tokenizer(("<image>", "[INST]", "[/INST]"), image_token="<image>")
    size = {"height": 16, "width": 16}
    pictures = CLIPImageProcessor(size={"shortest_edge": 16}, crop_size=size)
    processor = LlavaProcessor(
        pictures, tokenizer, patch_size=8, vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    )  # fmt: skip
    config = LlavaConfig(
        text_config={"model_type": "mistral", **TEXT, "vocab_size": len(tokenizer), "sliding_window": None},
        vision_config={
            "model_type": "clip_vision_model", "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
            "num_attention_heads": 2, "image_size": 16, "patch_size": 8, "projection_dim": 16,
        },
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=4,
        vision_feature_layer=-2,
    )  # fmt: skip
    return _save(LlavaForConditionalGeneration(config), processor, tokenizer, folder)


def medgemma(folder: Path) -> Path:
    """MedGemma: Gemma 3's class with SigLIP as eye."""
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration, Gemma3ImageProcessor, Gemma3Processor

    tokenizer = tiny_tokenizer(
        ("<start_of_image>", "<end_of_image>", "<image_soft_token>", "<start_of_turn>", "<end_of_turn>"),
        boi_token="<start_of_image>",
        eoi_token="<end_of_image>",
        image_token="<image_soft_token>",
        eos_token="<end_of_turn>",
    )
    pictures = Gemma3ImageProcessor(size={"height": 32, "width": 32})
    processor = Gemma3Processor(pictures, tokenizer, chat_template=GEMMA_TEMPLATE, image_seq_length=4)
    config = Gemma3Config(
        text_config={**TEXT, "head_dim": 8, "vocab_size": len(tokenizer), "sliding_window": 512},
        vision_config={
            "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2,
            "image_size": 32, "patch_size": 8,
        },
        mm_tokens_per_image=4,
        boi_token_index=tokenizer.convert_tokens_to_ids("<start_of_image>"),
        eoi_token_index=tokenizer.convert_tokens_to_ids("<end_of_image>"),
        image_token_index=tokenizer.convert_tokens_to_ids("<image_soft_token>"),
    )  # fmt: skip
    model = Gemma3ForConditionalGeneration(config)
    torch.nn.init.normal_(model.model.multi_modal_projector.mm_input_projection_weight, std=0.2)  # zeros otherwise
    return _save(model, processor, tokenizer, folder)


def qwen_vl(folder: Path) -> Path:
    """Qwen2.5-VL: positions of three axes, pictures of any size."""
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLProcessor,
        Qwen2VLImageProcessor,
        Qwen2VLVideoProcessor,
    )

    marks = ("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>", "<|im_start|>", "<|im_end|>")
    tokenizer = tiny_tokenizer(
        marks, image_token="<|image_pad|>", video_token="<|video_pad|>", eos_token="<|im_end|>"
    )
    sizes = {"patch_size": 4, "merge_size": 2, "temporal_patch_size": 2}
    edges = {"shortest_edge": 64, "longest_edge": 256}
    processor = Qwen2_5_VLProcessor(
        Qwen2VLImageProcessor(**sizes, size=edges),
        tokenizer,
        Qwen2VLVideoProcessor(**sizes, size=edges),
        chat_template=QWEN_TEMPLATE,
    )
    ids = {mark: tokenizer.convert_tokens_to_ids(mark) for mark in marks}
    config = Qwen2_5_VLConfig(
        text_config={
            **TEXT,
            "vocab_size": len(tokenizer),
            "rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0},
        },
        vision_config={
            "hidden_size": 16, "out_hidden_size": 32, "intermediate_size": 24, "depth": 1, "num_heads": 2,
            "patch_size": 4, "spatial_merge_size": 2, "temporal_patch_size": 2, "window_size": 16,
            "fullatt_block_indexes": [0],
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )  # fmt: skip
    return _save(Qwen2_5_VLForConditionalGeneration(config), processor, tokenizer, folder)


def language(folder: Path) -> Path:
    """A chat model without eyes (Llama, as SmolLM2), for an image tower of open_clip."""
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = tiny_tokenizer(("<|im_start|>", "<|im_end|>"), eos_token="<|im_end|>")
    tokenizer.chat_template = CHAT_TEMPLATE
    config = LlamaConfig(**TEXT, vocab_size=len(tokenizer), pad_token_id=0)
    return _save(LlamaForCausalLM(config), tokenizer, tokenizer, folder)


def image_tower(folder: Path) -> Path:
    """An open_clip checkpoint in BiomedCLIP's layout: a timm vision transformer; its text half is never read."""
    import json

    from open_clip import CLIP, CLIPTextCfg, CLIPVisionCfg

    folder.mkdir(parents=True, exist_ok=True)
    vision = {"layers": 1, "width": TOWER_WIDTH, "head_width": 8, "patch_size": 16, "image_size": TOWER_SIDE}
    about = {"embed_dim": 8, "vision_cfg": vision, "text_cfg": {"hf_model_name": "microsoft/BiomedNLP"}}
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": about, "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}}),
        encoding="utf-8",
    )
    whole = CLIP(
        8, CLIPVisionCfg(**vision), CLIPTextCfg(context_length=4, vocab_size=8, width=8, heads=1, layers=1)
    )
    torch.save(whole.state_dict(), folder / "open_clip_pytorch_model.bin")
    return folder


BUILDERS: dict[str, Callable[[Path], Path]] = {
    "smolvlm": smolvlm,
    "llava-med": llava,
    "medgemma": medgemma,
    "qwen-vl": qwen_vl,
    "biomedclip": language,
}
"""Preset of ``configs/vlm`` -> writer of a folder of its class."""


def _save(model: Any, processor: Any, tokenizer: Any, folder: Path) -> Path:
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.to(torch.float32).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
