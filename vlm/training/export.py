"""Put the parts of a trained writer into one weights folder that the service can load."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch

from runtime.weights import seal_weights
from vlm.adapter import save_adapter
from vlm.build import (
    ADAPTER_FOLDER,
    DECODER_FILE,
    PROJECTOR_FILE,
    STORED_DTYPE,
    TOKENIZER_FILE,
    save_projector,
)
from vlm.config import VlmConfig
from vlm.model import ReportWriter


def export_writer(
    folder: Path,
    writer: ReportWriter,
    config: VlmConfig,
    *,
    decoder_file: Path,
    tokenizer_file: Path,
    training: dict[str, Any],
    segmentation_checksum: str | None,
) -> Path:
    """Write a weights folder and seal it.

    Args:
        folder: Made when missing; files of an earlier export are replaced.
        writer: Trained writer whose decoder is a peft model.
        config: Its configuration.
        decoder_file: The frozen decoder's weights, copied as they are.
        tokenizer_file: ``tokenizer.json``.
        training: Steps, seed and held-out fold, for the record.
        segmentation_checksum: Segmentation weights whose embeddings the projector understands.

    Raises:
        TypeError: If the decoder carries no adapter.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(decoder_file, folder / DECODER_FILE)
    shutil.copyfile(tokenizer_file, folder / TOKENIZER_FILE)
    save_adapter(writer.decoder, folder / ADAPTER_FOLDER, dtype=STORED_DTYPE)
    save_projector(writer.projector, folder / PROJECTOR_FILE)
    about = {
        "model": config.to_dict(),
        "training": training,
        "segmentation_checksum": segmentation_checksum,
        "torch": torch.__version__,
    }
    (folder / "config.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    seal_weights(folder)
    return folder
